"""The lives of a stream and of its two sides, as tables.

A stream as a whole (`Life`)::

    CONSTRUCTING -> OPEN -> DESTROYING -> CLOSING -> CLOSED

The readable side (`Reading`) and the writable side (`Writing`)::

    OPEN -> ENDED -> END_DUE -> END_EMITTED
    OPEN -> ENDING -> FINALIZING -> FINISH_DUE -> FINISHED

and who decides when the readable side gives its data away (`Flow`).

Rules that hold in every state:

- A side moves only while its stream is OPEN; what is destroyed never ends or finishes.
- ``error`` comes at most once and before ``close``; ``close`` exactly once and last.
- After ``error`` or `destroy()` neither ``data``, ``end`` nor ``finish`` follow.

Source: H-155 to H-165; `docs/streams.md` shows the drawings made from these tables.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, TypeVar

__all__ = [
    "FLOW",
    "LIFE",
    "READING",
    "WRITING",
    "Flow",
    "FlowMove",
    "IllegalMoveError",
    "Life",
    "LifeMove",
    "Reading",
    "ReadingMove",
    "Writing",
    "WritingMove",
    "advance",
]


class _Table(Enum):
    """An enum that is quick to look up: Enum hashes its name, in Python code."""

    __hash__ = object.__hash__


class Life(_Table):
    """A stream from its construction to ``close``."""

    CONSTRUCTING = auto()  #: `_construct` has not called back
    OPEN = auto()  #: both sides follow their own tables
    FAILED = auto()  #: ``error`` was emitted, `auto_destroy` is off
    DOOMED = auto()  #: destroyed before `_construct` called back
    DESTROYING = auto()  #: `_destroy` has not called back
    CLOSING = auto()  #: ``error`` and ``close`` are due
    CLOSED = auto()  #: ``close`` was emitted


class LifeMove(_Table):
    """What happens to a stream as a whole."""

    CONSTRUCTED = auto()  #: `_construct` called back
    FAIL = auto()  #: an error, and `auto_destroy` is off
    DESTROY = auto()  #: `destroy()`
    DESTROYED = auto()  #: `_destroy` called back
    CLOSE = auto()  #: the tick of ``close`` has come
    REOPEN = auto()  #: a socket connects again


LIFE: Final[Mapping[tuple[Life, LifeMove], Life]] = {
    (Life.CONSTRUCTING, LifeMove.CONSTRUCTED): Life.OPEN,
    (Life.CONSTRUCTING, LifeMove.FAIL): Life.FAILED,
    (Life.CONSTRUCTING, LifeMove.DESTROY): Life.DOOMED,
    (Life.DOOMED, LifeMove.CONSTRUCTED): Life.DESTROYING,
    (Life.OPEN, LifeMove.FAIL): Life.FAILED,
    (Life.OPEN, LifeMove.DESTROY): Life.DESTROYING,
    (Life.FAILED, LifeMove.CONSTRUCTED): Life.FAILED,
    (Life.FAILED, LifeMove.DESTROY): Life.DESTROYING,
    (Life.DESTROYING, LifeMove.DESTROYED): Life.CLOSING,
    (Life.CLOSING, LifeMove.CLOSE): Life.CLOSED,
    (Life.CLOSED, LifeMove.REOPEN): Life.OPEN,
}


class Reading(_Table):
    """The readable side."""

    OPEN = auto()  #: more can be pushed
    ENDED = auto()  #: `push(None)` has come, data may be unread
    END_DUE = auto()  #: all is read, ``end`` comes with the next tick
    END_EMITTED = auto()  #: ``end`` was emitted
    ABSENT = auto()  #: a Duplex made with `readable=False`


class ReadingMove(_Table):
    """What happens to the readable side."""

    END = auto()  #: `push(None)`
    CONSUME = auto()  #: the last data were read
    PUT_BACK = auto()  #: `unshift()`
    EMIT_END = auto()  #: the tick of ``end`` has come


READING: Final[Mapping[tuple[Reading, ReadingMove], Reading]] = {
    (Reading.OPEN, ReadingMove.END): Reading.ENDED,
    (Reading.OPEN, ReadingMove.PUT_BACK): Reading.OPEN,
    (Reading.ENDED, ReadingMove.PUT_BACK): Reading.ENDED,
    (Reading.ENDED, ReadingMove.CONSUME): Reading.END_DUE,
    (Reading.END_DUE, ReadingMove.PUT_BACK): Reading.ENDED,
    (Reading.END_DUE, ReadingMove.EMIT_END): Reading.END_EMITTED,
}


class Writing(_Table):
    """The writable side."""

    OPEN = auto()  #: `write()` is welcome
    ENDING = auto()  #: `end()` was called, data may be unwritten
    FINALIZING = auto()  #: ``prefinish`` was emitted, `_final` has not called back
    FINISH_DUE = auto()  #: ``finish`` comes with the next tick
    FINISHED = auto()  #: ``finish`` was emitted
    ABSENT = auto()  #: a Duplex made with `writable=False`


class WritingMove(_Table):
    """What happens to the writable side."""

    END = auto()  #: `end()`
    FLUSH = auto()  #: the last chunk was written
    FINALIZE = auto()  #: `_final` called back
    EMIT_FINISH = auto()  #: the tick of ``finish`` has come


WRITING: Final[Mapping[tuple[Writing, WritingMove], Writing]] = {
    (Writing.OPEN, WritingMove.END): Writing.ENDING,
    (Writing.ENDING, WritingMove.FLUSH): Writing.FINALIZING,
    (Writing.FINALIZING, WritingMove.FINALIZE): Writing.FINISH_DUE,
    (Writing.FINISH_DUE, WritingMove.EMIT_FINISH): Writing.FINISHED,
}


class Flow(_Table):
    """Who decides when the readable side gives its data away."""

    UNDECIDED = auto()  #: nobody consumes yet
    FLOWING = auto()  #: each chunk is emitted as it comes
    WAITING = auto()  #: flowing, but a destination of `pipe()` is full
    PAUSED = auto()  #: `pause()` or `unpipe()` was called
    LISTENING = auto()  #: a ``readable`` listener calls `read()`
    LISTENING_PAUSED = auto()  #: the same, and `pause()` was called
    LISTENING_WAITING = auto()  #: the same, and a flow waits for the listener to go


class FlowMove(_Table):
    """What a consumer does."""

    DATA_LISTENER = auto()  #: `on("data")`
    RESUME = auto()  #: `resume()`
    PAUSE = auto()  #: `pause()`
    FULL = auto()  #: a destination's `write()` returned False
    DRAINED = auto()  #: all destinations can take more
    READABLE_LISTENER = auto()  #: the first `on("readable")`
    NO_READABLE_LISTENER = auto()  #: the last one was removed


FLOW: Final[Mapping[tuple[Flow, FlowMove], Flow]] = {
    (Flow.UNDECIDED, FlowMove.DATA_LISTENER): Flow.FLOWING,
    (Flow.UNDECIDED, FlowMove.RESUME): Flow.FLOWING,
    (Flow.UNDECIDED, FlowMove.PAUSE): Flow.PAUSED,
    (Flow.UNDECIDED, FlowMove.READABLE_LISTENER): Flow.LISTENING,
    (Flow.FLOWING, FlowMove.DATA_LISTENER): Flow.FLOWING,
    (Flow.FLOWING, FlowMove.RESUME): Flow.FLOWING,
    (Flow.FLOWING, FlowMove.PAUSE): Flow.PAUSED,
    (Flow.FLOWING, FlowMove.READABLE_LISTENER): Flow.LISTENING_WAITING,
    (Flow.FLOWING, FlowMove.FULL): Flow.WAITING,
    (Flow.WAITING, FlowMove.DATA_LISTENER): Flow.WAITING,
    (Flow.WAITING, FlowMove.RESUME): Flow.FLOWING,
    (Flow.WAITING, FlowMove.PAUSE): Flow.PAUSED,
    (Flow.WAITING, FlowMove.FULL): Flow.WAITING,
    (Flow.WAITING, FlowMove.DRAINED): Flow.FLOWING,
    (Flow.WAITING, FlowMove.READABLE_LISTENER): Flow.LISTENING_WAITING,
    (Flow.PAUSED, FlowMove.DATA_LISTENER): Flow.PAUSED,
    (Flow.PAUSED, FlowMove.RESUME): Flow.FLOWING,
    (Flow.PAUSED, FlowMove.PAUSE): Flow.PAUSED,
    (Flow.PAUSED, FlowMove.READABLE_LISTENER): Flow.LISTENING_PAUSED,
    (Flow.LISTENING, FlowMove.DATA_LISTENER): Flow.LISTENING_WAITING,
    (Flow.LISTENING, FlowMove.RESUME): Flow.LISTENING_WAITING,
    (Flow.LISTENING, FlowMove.PAUSE): Flow.LISTENING_PAUSED,
    (Flow.LISTENING, FlowMove.NO_READABLE_LISTENER): Flow.UNDECIDED,
    (Flow.LISTENING_PAUSED, FlowMove.DATA_LISTENER): Flow.LISTENING_PAUSED,
    (Flow.LISTENING_PAUSED, FlowMove.RESUME): Flow.LISTENING_WAITING,
    (Flow.LISTENING_PAUSED, FlowMove.PAUSE): Flow.LISTENING_PAUSED,
    (Flow.LISTENING_PAUSED, FlowMove.NO_READABLE_LISTENER): Flow.PAUSED,
    (Flow.LISTENING_WAITING, FlowMove.DATA_LISTENER): Flow.LISTENING_WAITING,
    (Flow.LISTENING_WAITING, FlowMove.RESUME): Flow.LISTENING_WAITING,
    (Flow.LISTENING_WAITING, FlowMove.PAUSE): Flow.LISTENING_PAUSED,
    (Flow.LISTENING_WAITING, FlowMove.NO_READABLE_LISTENER): Flow.FLOWING,
}

_State = TypeVar("_State", bound=Enum)
_Move = TypeVar("_Move", bound=Enum)


class IllegalMoveError(RuntimeError):
    """This package made a move that its own tables do not have: a bug in it."""

    def __init__(self, state: Enum, move: Enum) -> None:
        super().__init__(
            f"no move {move.name} from {type(state).__name__}.{state.name}"
        )
        self.state, self.move = state, move


def advance(
    table: Mapping[tuple[_State, _Move], _State], state: _State, move: _Move
) -> _State:
    """Return the state after `move`; raise IllegalMoveError if there is none."""
    try:
        return table[state, move]
    except KeyError:
        raise IllegalMoveError(state, move) from None

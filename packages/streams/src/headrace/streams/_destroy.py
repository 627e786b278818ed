"""The only place that closes or fails a stream.

The order is frozen: `destroy()` marks the stream at once and drops its buffers; then,
each in a tick of its own, the callbacks of writes that will never be written,
``error`` (if there is one) and ``close``. A listener that raises in one of these ticks
does not keep the next one from coming.

Source: H-164.
"""

from functools import partial
from inspect import iscoroutine
from typing import TYPE_CHECKING, Final

from headrace.streams._errors import InvalidArgTypeError, MultipleCallbackError
from headrace.streams._hooks import adopt, run_hook
from headrace.streams._state import LIFE, Life, LifeMove, advance

if TYPE_CHECKING:
    from headrace.streams._stream import Stream

__all__ = ["close_ended", "construct", "destroy", "fail", "reopen"]

_ALIVE: Final = (Life.OPEN, Life.CONSTRUCTING, Life.FAILED)
_FAILED: Final = Life.FAILED
_DESTROY: Final = LifeMove.DESTROY
_DESTROYING: Final = Life.DESTROYING
_FAIL: Final = LifeMove.FAIL
# What the table says about the way to ``close``, looked up once.
_CLOSING: Final = LIFE[_DESTROYING, LifeMove.DESTROYED]
_CLOSED: Final = LIFE[_CLOSING, LifeMove.CLOSE]
_REOPEN: Final = LifeMove.REOPEN
_CONSTRUCTING: Final = Life.CONSTRUCTING
_CONSTRUCTED: Final = LifeMove.CONSTRUCTED
_OPEN: Final = Life.OPEN


def destroy(stream: "Stream", error: BaseException | None) -> None:
    """Destroy `stream`; do nothing if that has happened already."""
    if error is not None and not isinstance(error, BaseException):
        raise InvalidArgTypeError("error", "an exception or None", error)
    before = stream._life
    if before is not _OPEN and before not in _ALIVE:
        return
    if stream._errored is None:
        stream._errored = error
    stream._life = life = LIFE[before, _DESTROY]
    if stream._readable_state is not None or stream._writable_state is not None:
        stream._drop_buffers()
    if life is _DESTROYING:
        # The error of a stream that has failed was emitted before.
        _run_destroy(stream, quiet=before is _FAILED)


def close_ended(stream: "Stream") -> None:
    """Destroy a stream that has come to its good end and has nothing to free."""
    if stream._life is not _OPEN or stream._tasks is not None:
        stream.destroy()
        return
    stream._life = _CLOSING
    loop = stream._loop or stream.loop()
    loop.next_tick_for(stream._owner, _close, stream)


def fail(stream: "Stream", error: BaseException) -> None:
    """End `stream` with `error` as its `auto_destroy` says; only the first counts."""
    if stream._life not in _ALIVE or stream._errored is not None:
        return
    if stream._auto_destroy:
        stream.destroy(error)
        return
    stream._errored = error
    stream._life = advance(LIFE, stream._life, _FAIL)
    stream._drop_buffers()
    stream.loop().next_tick_for(stream._owner, stream.emit, "error", error)


def _run_destroy(stream: "Stream", *, quiet: bool = False) -> None:
    if stream._tasks is not None:
        stream._cancel_hooks()
    callback = partial(_destroyed, stream, quiet)
    try:  # `run_hook`, without a call: every stream comes here
        result = stream._destroy(stream._errored, callback)
    except Exception as error:
        callback(error)
    else:
        if result is not None and iscoroutine(result):
            adopt(stream, result, callback)


def _destroyed(
    stream: "Stream", quiet: bool, error: BaseException | None = None
) -> None:
    if stream._life is not _DESTROYING:
        return  # called twice: the first call has decided
    stream._life = _CLOSING
    loop = stream._loop or stream.loop()
    if error is not None:
        stream._errored = error
        if not quiet:
            loop.next_tick_for(stream._owner, stream.emit, "error", error)
    loop.next_tick_for(stream._owner, _close, stream)


def _close(stream: "Stream") -> None:
    stream._life = _CLOSED
    stream._emit_close()


def reopen(stream: "Stream") -> None:
    """Make a closed stream as good as new; its listeners stay."""
    stream._life = advance(LIFE, stream._life, _REOPEN)
    stream._errored = None
    stream._readable_state = None
    stream._writable_state = None


def construct(stream: "Stream") -> None:
    """Run `_construct` with the next tick; the stream waits for it."""
    stream._life = _CONSTRUCTING
    if stream._readable_state is not None:
        stream._readable_state.plain = False
    if stream._writable_state is not None:
        stream._writable_state.quiet = False
    stream.loop().next_tick_for(stream._owner, _run_construct, stream)


def _run_construct(stream: "Stream") -> None:
    run_hook(stream, stream._construct, partial(_construct_called_back, stream))


def _construct_called_back(
    stream: "Stream", error: BaseException | None = None
) -> None:
    # With a tick in between, the implementer's code has returned before ours goes on.
    stream.loop().next_tick_for(stream._owner, _constructed, stream, error)


def _constructed(stream: "Stream", error: BaseException | None) -> None:
    life = stream._life
    if (life, _CONSTRUCTED) not in LIFE:
        fail(stream, MultipleCallbackError())
        return
    stream._life = advance(LIFE, life, _CONSTRUCTED)
    if stream._life is _DESTROYING:
        if stream._errored is None:
            stream._errored = error
        _run_destroy(stream)
    elif error is not None:
        fail(stream, error)
    elif stream._life is _OPEN:
        stream._opened()

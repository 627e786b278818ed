"""The life of a pooled connection, as a table.

::

    CONNECTING --deliver--> WORKING --rest--> RESTING --promise--> PROMISED
        |                      ^ |                                  |  ^
        | abandon      deliver | | promise                          |  |
        v                      | +----------------------------------|--+
    ABANDONED                  +------------------------------------+

and from each of them: leave, to GONE. A connection whose request was cancelled (it is
CONNECTING, ABANDONED or PROMISED then) is promised to the next one, or rests.

Rules that hold in every state:

- A connection counts against the limits until it is GONE, and only until then.
- It has a claim only while CONNECTING or PROMISED, and a holder only while WORKING.
- It may have no socket yet while CONNECTING or ABANDONED; in all other states it has.
- Only a RESTING connection is in the free list of its name.
- A request that loses a CONNECTING connection fails: it was made for that request. One
  that loses a PROMISED connection has not touched it, and is served anew.

Source: H-097, H-098, H-101 to H-103; `docs/states.md` shows the drawing made from this
table.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from headrace.agent._errors import IllegalMoveError

__all__ = ["MOVES", "Move", "State", "advance"]


class State(Enum):
    """Where a connection stands, seen from the pool."""

    CONNECTING = auto()  #: a socket is being made for a request, which has not got it
    ABANDONED = auto()  #: a socket is being made, its request was cancelled
    PROMISED = auto()  #: another request gets the socket, on the next tick
    WORKING = auto()  #: a request has the socket
    RESTING = auto()  #: free: watched, and waiting for a request
    GONE = auto()  #: no longer the pool's: closed, lost or taken out

    # By identity: Enum's own hash is Python code, and the table is asked three times
    # for every request.
    __hash__ = object.__hash__


class Move(Enum):
    """What happens to a connection."""

    ABANDON = auto()  #: the request that it is made for was cancelled
    PROMISE = auto()  #: it was chosen for a request
    DELIVER = auto()  #: the tick of `on_socket` has come
    REST = auto()  #: no request wants it and it may stay
    LEAVE = auto()  #: it closed, failed, or was taken out

    __hash__ = object.__hash__


MOVES: Final[Mapping[tuple[State, Move], State]] = {
    (State.CONNECTING, Move.ABANDON): State.ABANDONED,
    (State.CONNECTING, Move.DELIVER): State.WORKING,
    (State.CONNECTING, Move.PROMISE): State.PROMISED,
    (State.CONNECTING, Move.REST): State.RESTING,
    (State.CONNECTING, Move.LEAVE): State.GONE,
    (State.ABANDONED, Move.PROMISE): State.PROMISED,
    (State.ABANDONED, Move.REST): State.RESTING,
    (State.ABANDONED, Move.LEAVE): State.GONE,
    (State.PROMISED, Move.DELIVER): State.WORKING,
    (State.PROMISED, Move.PROMISE): State.PROMISED,
    (State.PROMISED, Move.REST): State.RESTING,
    (State.PROMISED, Move.LEAVE): State.GONE,
    (State.WORKING, Move.PROMISE): State.PROMISED,
    (State.WORKING, Move.REST): State.RESTING,
    (State.WORKING, Move.LEAVE): State.GONE,
    (State.RESTING, Move.PROMISE): State.PROMISED,
    (State.RESTING, Move.LEAVE): State.GONE,
}


def advance(state: State, move: Move) -> State:
    """Return the state after `move`; raise IllegalMoveError if there is none."""
    try:
        return MOVES[state, move]
    except KeyError:
        raise IllegalMoveError(state.name, move.name) from None

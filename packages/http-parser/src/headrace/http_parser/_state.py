"""The life of a parser: what its next bytes are, as a table.

    IDLE --> HEAD --> FIXED, CHUNKED or UNTIL_CLOSE --> COMPLETE --> HEAD, IDLE,
              |  ^                                   ^               SWITCHED or CLOSED
              |  +-- interim (1xx) heads             |
              +--> CHOICE (upgrade, CONNECT) --------+

A request parser starts in HEAD and goes back to it; a response parser starts in IDLE and
goes to HEAD when a request is expected to be answered. A fault leads from every state to
FAILED, which nothing leaves.

Source: RFC 9112 sections 6 and 9.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class State(IntEnum):
    """What the next bytes are."""

    IDLE = 0  #: nobody's: no request waits for an answer
    HEAD = 1  #: a head, or blank lines before it
    CHOICE = 2  #: not known before the caller accepts or declines an upgrade
    FIXED = 3  #: body of known length
    CHUNKED = 4  #: chunks and the trailer section
    UNTIL_CLOSE = 5  #: body that ends with the connection
    COMPLETE = 6  #: the message is read, its end has yet to be delivered
    SWITCHED = 7  #: another protocol's
    CLOSED = 8  #: forbidden: the last message said that it is the last
    FAILED = 9  #: not looked at: a fault ended the parsing


class Move(IntEnum):
    """What happens to a parser."""

    EXPECT = 0  #: the caller sent a request
    INTERIM = 1  #: a 1xx head was read
    ASK = 2  #: a head was read that asks to leave HTTP
    EMPTY = 3  #: a head was read or settled, no body follows
    FIX = 4  #: the same, a body of known length follows
    CHUNK = 5  #: the same, a chunked body follows
    FLOW = 6  #: the same, a body follows that ends with the connection
    FINISH = 7  #: the body is complete
    AGAIN = 8  #: the end was delivered; another request may come
    REST = 9  #: the end was delivered; the next request is ours to send
    SWITCH = 10  #: the end was delivered; HTTP ends here
    CLOSE = 11  #: the end was delivered; so was the last message
    FAIL = 12  #: a rule was broken


MOVES: Final[Mapping[tuple[State, Move], State]] = {
    (State.IDLE, Move.EXPECT): State.HEAD,
    (State.HEAD, Move.INTERIM): State.HEAD,
    (State.HEAD, Move.ASK): State.CHOICE,
    (State.HEAD, Move.EMPTY): State.COMPLETE,
    (State.HEAD, Move.FIX): State.FIXED,
    (State.HEAD, Move.CHUNK): State.CHUNKED,
    (State.HEAD, Move.FLOW): State.UNTIL_CLOSE,
    (State.CHOICE, Move.EMPTY): State.COMPLETE,
    (State.CHOICE, Move.FIX): State.FIXED,
    (State.CHOICE, Move.CHUNK): State.CHUNKED,
    (State.FIXED, Move.FINISH): State.COMPLETE,
    (State.CHUNKED, Move.FINISH): State.COMPLETE,
    (State.UNTIL_CLOSE, Move.FINISH): State.COMPLETE,
    (State.COMPLETE, Move.AGAIN): State.HEAD,
    (State.COMPLETE, Move.REST): State.IDLE,
    (State.COMPLETE, Move.SWITCH): State.SWITCHED,
    (State.COMPLETE, Move.CLOSE): State.CLOSED,
} | {(state, Move.FAIL): State.FAILED for state in State}


class IllegalMoveError(RuntimeError):
    """The caller asked for something the parser's state does not allow."""

    code: Final = "ERR_INVALID_STATE"

    def __init__(self, state: State, move: Move) -> None:
        super().__init__(f"a parser in state {state.name} cannot {move.name}")
        self.state = state
        self.move = move


def advance(state: State, move: Move) -> State:
    """Return the state after `move`.

    Raises:
        IllegalMoveError: If `state` has no such move.
    """
    try:
        return MOVES[state, move]
    except KeyError:
        raise IllegalMoveError(state, move) from None

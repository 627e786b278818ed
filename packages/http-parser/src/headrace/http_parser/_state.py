"""The life of a parser, and within it that of a chunked body, as tables.

Whose the next bytes are::

    IDLE --> HEAD --> FIXED, CHUNKED, UNTIL_CLOSE --> COMPLETE --> HEAD, IDLE,
             |  ^                                       ^          SWITCHED, CLOSED
             |  +-- after a 1xx head                    |
             +------------------------------------------+  no body
             +--> CHOICE --> FIXED, CHUNKED, COMPLETE      the caller's decision

A request parser begins in HEAD. A response parser begins in IDLE and leaves it when a
request is sent: what a server says unasked is never read as an answer. Rules that hold
in every state:

- A fault leads to FAILED, and nothing leaves FAILED.
- A message is delivered as its head, its body and its end, in that order.

Which part of a chunked body they are::

    SIZE --> DATA --> DATA_END --> SIZE
      +--> TRAILERS --> DONE           after a size of zero

Source: RFC 9112 sections 6, 7.1 and 9, H-026, H-075, H-130.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from headrace.http_parser._errors import IllegalMoveError


class State(Enum):
    """Whose the next bytes are."""

    IDLE = auto()  #: nobody's: no request waits for an answer
    HEAD = auto()  #: a head's
    CHOICE = auto()  #: not known before the caller accepts or declines an upgrade
    FIXED = auto()  #: a body's, of known length
    CHUNKED = auto()  #: a chunked body's
    UNTIL_CLOSE = auto()  #: a body's that ends with the connection
    COMPLETE = auto()  #: not known before the end of the message is delivered
    SWITCHED = auto()  #: another protocol's
    CLOSED = auto()  #: forbidden: the last message said that it is the last one
    FAILED = auto()  #: not looked at: a fault ended the parsing

    # By identity: Enum's own hash is Python code, and the table is asked twice for
    # every message.
    __hash__ = object.__hash__


class Move(Enum):
    """What happens to a parser."""

    EXPECT = auto()  #: a request was sent
    INTERIM = auto()  #: a 1xx head was read
    ASK = auto()  #: a head was read that asks to leave HTTP
    EMPTY = auto()  #: no body follows the head
    FIX = auto()  #: a body of known length follows
    CHUNK = auto()  #: a chunked body follows
    FLOW = auto()  #: a body follows that ends with the connection
    FINISH = auto()  #: the body is complete
    AGAIN = auto()  #: the end was delivered, another request may come
    REST = auto()  #: the end was delivered, the next request has yet to be sent
    SWITCH = auto()  #: the end was delivered, HTTP ends here
    CLOSE = auto()  #: the end was delivered, it was the last message
    FAIL = auto()  #: the peer broke a rule

    __hash__ = object.__hash__


MOVES: Final[Mapping[tuple[State, Move], State]] = {
    (State.IDLE, Move.EXPECT): State.HEAD,
    (State.HEAD, Move.INTERIM): State.HEAD,
    (State.HEAD, Move.ASK): State.CHOICE,
    (State.HEAD, Move.EMPTY): State.COMPLETE,
    (State.HEAD, Move.FIX): State.FIXED,
    (State.HEAD, Move.CHUNK): State.CHUNKED,
    (State.HEAD, Move.FLOW): State.UNTIL_CLOSE,
    (State.HEAD, Move.FAIL): State.FAILED,
    (State.CHOICE, Move.EMPTY): State.COMPLETE,
    (State.CHOICE, Move.FIX): State.FIXED,
    (State.CHOICE, Move.CHUNK): State.CHUNKED,
    (State.FIXED, Move.FINISH): State.COMPLETE,
    (State.FIXED, Move.FAIL): State.FAILED,
    (State.CHUNKED, Move.FINISH): State.COMPLETE,
    (State.CHUNKED, Move.FAIL): State.FAILED,
    (State.UNTIL_CLOSE, Move.FINISH): State.COMPLETE,
    (State.COMPLETE, Move.AGAIN): State.HEAD,
    (State.COMPLETE, Move.REST): State.IDLE,
    (State.COMPLETE, Move.SWITCH): State.SWITCHED,
    (State.COMPLETE, Move.CLOSE): State.CLOSED,
    (State.CLOSED, Move.FAIL): State.FAILED,
}


class Part(Enum):
    """Which part of a chunked body the next bytes are."""

    SIZE = auto()  #: the line with a chunk's size
    DATA = auto()  #: a chunk's content
    DATA_END = auto()  #: the line end behind it
    TRAILERS = auto()  #: the trailer section
    DONE = auto()  #: none: the body is complete

    __hash__ = object.__hash__


class Step(Enum):
    """What was read of a chunked body."""

    SIZE = auto()  #: a size line
    LAST_SIZE = auto()  #: a size line with zero
    CONTENT = auto()  #: all of a chunk's content
    LINE_END = auto()  #: the line end behind it
    TRAILERS = auto()  #: the trailer section

    __hash__ = object.__hash__


STEPS: Final[Mapping[tuple[Part, Step], Part]] = {
    (Part.SIZE, Step.SIZE): Part.DATA,
    (Part.SIZE, Step.LAST_SIZE): Part.TRAILERS,
    (Part.DATA, Step.CONTENT): Part.DATA_END,
    (Part.DATA_END, Step.LINE_END): Part.SIZE,
    (Part.TRAILERS, Step.TRAILERS): Part.DONE,
}


def advance(state: State, move: Move) -> State:
    """Return the state after `move`.

    Raises:
        IllegalMoveError: If `state` has no such move.
    """
    try:
        return MOVES[state, move]
    except KeyError:
        raise IllegalMoveError(state, move) from None


def moves_from(state: State) -> Mapping[Move, State]:
    """Return the part of the table for one state, for code that runs per message."""
    return {move: target for (begin, move), target in MOVES.items() if begin is state}

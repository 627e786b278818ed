"""One request and its answer, seen from the server, as a table of legal moves.

    RECEIVING --request ended--> ANSWERING --response ended--> DONE
        |                                                       ^
        +--response ended--> DRAINING --request ended-----------+

A response may end before its request has arrived whole: the rest of the body is then
read and thrown away (H-116), or the connection is closed.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Exchange(Enum):
    """How far a request and its answer have come."""

    # The default hash of an Enum is a Python function; these are hot dictionary keys.
    __hash__ = object.__hash__

    RECEIVING = auto()  #: the request's body is still arriving
    ANSWERING = auto()  #: the request is complete, the response is not
    DRAINING = auto()  #: the response is complete, the request is not
    DONE = auto()  #: both are complete


class Move(Enum):
    """What brings an exchange on."""

    __hash__ = object.__hash__

    REQUEST_ENDED = auto()  #: the last byte of the request has arrived
    RESPONSE_ENDED = auto()  #: the last byte of the response is with the system


#: Every legal move. A missing pair is a bug of ours: KeyError where it happens.
MOVES: Final[Mapping[tuple[Exchange, Move], Exchange]] = {
    (Exchange.RECEIVING, Move.REQUEST_ENDED): Exchange.ANSWERING,
    (Exchange.RECEIVING, Move.RESPONSE_ENDED): Exchange.DRAINING,
    (Exchange.ANSWERING, Move.RESPONSE_ENDED): Exchange.DONE,
    (Exchange.DRAINING, Move.REQUEST_ENDED): Exchange.DONE,
}

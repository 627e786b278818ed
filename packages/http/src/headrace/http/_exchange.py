"""One request and its answer, and the connection that carries them, as tables.

An exchange, seen from the server::

    RECEIVING --request ended--> ANSWERING --response ended--> DONE
        |                                                       ^
        +--response ended--> DRAINING --request ended-----------+

A response may end before its request has arrived whole: the rest of the body is then
read and thrown away (H-116), or the connection is closed.

A connection::

    SERVING --refuse--> CLOSING --end--> ENDED
        |--end--> ENDED
        |--give over--> FORSAKEN
        |--switch--> SWITCHED            any but SWITCHED --lose--> LOST

Rules that hold in every state:

- Requests are read in SERVING only. What arrives in ENDED and FORSAKEN is thrown away.
- Nothing leaves LOST. A SWITCHED socket is somebody else's: its end is no move here.
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


class Service(Enum):
    """What a server's connection is there for at present."""

    __hash__ = object.__hash__

    SERVING = auto()  #: requests are read and answered
    CLOSING = auto()  #: no further request is read, answers are still owed
    ENDED = auto()  #: everything is sent; the client may still be sending
    FORSAKEN = auto()  #: a listener of ``client_error`` has to close the socket
    SWITCHED = auto()  #: the socket has left HTTP
    LOST = auto()  #: the socket is closed


class ServiceMove(Enum):
    """What happens to a connection."""

    __hash__ = object.__hash__

    REFUSE = auto()  #: input that is not, or not to be, answered as a request
    END = auto()  #: nothing is left to be said
    GIVE_OVER = auto()  #: a listener of ``client_error`` was told
    SWITCH = auto()  #: CONNECT, or an upgrade that was taken up
    LOSE = auto()  #: the socket was closed, by whoever it was


#: Every legal move of a connection.
SERVICE: Final[Mapping[tuple[Service, ServiceMove], Service]] = {
    (Service.SERVING, ServiceMove.REFUSE): Service.CLOSING,
    (Service.SERVING, ServiceMove.END): Service.ENDED,
    (Service.SERVING, ServiceMove.GIVE_OVER): Service.FORSAKEN,
    (Service.SERVING, ServiceMove.SWITCH): Service.SWITCHED,
    (Service.SERVING, ServiceMove.LOSE): Service.LOST,
    (Service.CLOSING, ServiceMove.END): Service.ENDED,
    (Service.CLOSING, ServiceMove.LOSE): Service.LOST,
    (Service.ENDED, ServiceMove.LOSE): Service.LOST,
    (Service.FORSAKEN, ServiceMove.LOSE): Service.LOST,
}


def moves_by(move: Move) -> Mapping[Exchange, Exchange]:
    """Return the part of the table for one move, for code that runs per message."""
    return {state: target for (state, made), target in MOVES.items() if made is move}

"""The life of a socket's connection, as a table.

    NEW --connect--> CONNECTING --connected--> OPEN --destroy--> CLOSING --> CLOSED
    NEW --adopt--> OPEN          CLOSED --connect--> CONNECTING
    NEW, CONNECTING --destroy--> CLOSING

How far the two directions of an open connection have come is the business of the
streams (their `Reading` and `Writing`); that ``close`` comes last and once, too.

Rules that hold in every state:

- There is a transport that can be written to exactly in OPEN.
- A socket counts for `run()` in CONNECTING and OPEN, unless `unref` was called.
- Only a CLOSED or NEW socket can connect (spec H-138); what it was before is forgotten.

Source: spec H-137 to H-141.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from headrace.net._errors import IllegalMoveError


class Link(Enum):
    """The connection of a socket."""

    NEW = auto()  #: never connected
    CONNECTING = auto()  #: a look-up or an attempt is under way
    OPEN = auto()  #: connected
    CLOSING = auto()  #: was destroyed, ``close`` is due
    CLOSED = auto()  #: ``close`` was emitted, or is now


class LinkMove(Enum):
    """What happens to the connection."""

    CONNECT = auto()  #: `connect()`
    CONNECTED = auto()  #: an attempt succeeded
    ADOPT = auto()  #: an existing connection is taken over
    DESTROY = auto()  #: the socket is destroyed
    CLOSE = auto()  #: the tick of ``close`` has come


LINK: Final[Mapping[tuple[Link, LinkMove], Link]] = {
    (Link.NEW, LinkMove.CONNECT): Link.CONNECTING,
    (Link.NEW, LinkMove.ADOPT): Link.OPEN,
    (Link.NEW, LinkMove.DESTROY): Link.CLOSING,
    (Link.CONNECTING, LinkMove.CONNECTED): Link.OPEN,
    (Link.CONNECTING, LinkMove.DESTROY): Link.CLOSING,
    (Link.OPEN, LinkMove.DESTROY): Link.CLOSING,
    (Link.CLOSING, LinkMove.CLOSE): Link.CLOSED,
    (Link.CLOSED, LinkMove.CONNECT): Link.CONNECTING,
}


def advance(state: Link, move: LinkMove) -> Link:
    """Return the state after `move`; raise IllegalMoveError if there is none."""
    try:
        return LINK[state, move]
    except KeyError:
        raise IllegalMoveError(state.name, move.name) from None

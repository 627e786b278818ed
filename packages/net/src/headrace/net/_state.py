"""The lives of a socket's connection, of a transport's writing, of TLS, of a server.

A socket's connection (`Link`)::

    NEW --connect--> CONNECTING --connected--> OPEN --destroy--> CLOSING --> CLOSED
    NEW --adopt--> OPEN          CLOSED --connect--> CONNECTING

The write side of a transport (`Sending`), and TLS above it (`Securing`)::

    OPEN <--> QUEUED --half-close--> ENDING --> ENDED        any --> FAILED, CLOSED
    HANDSHAKING --> OPEN --close_notify--> ENDED             any --> CLOSED

A server (`Listening`)::

    IDLE --listen--> STARTING --> LISTENING --close--> CLOSING --> IDLE

Rules that hold in every state:

- How far the two directions of a connection have come for the user is the business of
  the streams; that ``close`` comes last and once, too.
- A socket has a transport that takes bytes exactly in OPEN, and counts for `run()` in
  CONNECTING and OPEN, unless `unref` was called.
- Only a NEW or CLOSED socket connects (H-138); what it was before is forgotten.
- A server counts in STARTING and LISTENING.

Source: H-030 to H-035, H-137 to H-141.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, TypeVar

from headrace.net._errors import IllegalMoveError


class _Table(Enum):
    """An enum that is quick to look up: Enum hashes its name, in Python code."""

    __hash__ = object.__hash__


class Link(_Table):
    """The connection of a socket."""

    NEW = auto()  #: never connected
    CONNECTING = auto()  #: a look-up or an attempt is under way
    OPEN = auto()  #: connected
    CLOSING = auto()  #: was destroyed, ``close`` is due
    CLOSED = auto()  #: ``close`` was emitted, or is now


class LinkMove(_Table):
    """What happens to the connection of a socket."""

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


class Sending(_Table):
    """The write side of a transport."""

    OPEN = auto()  #: nothing waits; a write goes straight to the system
    QUEUED = auto()  #: the rest of a write waits until the system takes more
    ENDING = auto()  #: as QUEUED, and the half-close follows
    ENDED = auto()  #: half-closed
    FAILED = auto()  #: a send failed; the read side may go on
    CLOSED = auto()  #: the connection is closed


class SendingMove(_Table):
    """What happens to the write side of a transport."""

    QUEUE = auto()  #: the system did not take all
    FLUSH = auto()  #: it has taken the rest
    END = auto()  #: `shutdown_write()`
    FAIL = auto()  #: a send failed
    CLOSE = auto()  #: aborted, reset or lost


SENDING: Final[Mapping[tuple[Sending, SendingMove], Sending]] = {
    (Sending.OPEN, SendingMove.QUEUE): Sending.QUEUED,
    (Sending.OPEN, SendingMove.END): Sending.ENDED,
    (Sending.QUEUED, SendingMove.FLUSH): Sending.OPEN,
    (Sending.QUEUED, SendingMove.END): Sending.ENDING,
    (Sending.ENDING, SendingMove.FLUSH): Sending.ENDED,
    (Sending.OPEN, SendingMove.FAIL): Sending.FAILED,
    (Sending.QUEUED, SendingMove.FAIL): Sending.FAILED,
    (Sending.ENDING, SendingMove.FAIL): Sending.FAILED,
    (Sending.ENDED, SendingMove.FAIL): Sending.FAILED,
    (Sending.OPEN, SendingMove.CLOSE): Sending.CLOSED,
    (Sending.QUEUED, SendingMove.CLOSE): Sending.CLOSED,
    (Sending.ENDING, SendingMove.CLOSE): Sending.CLOSED,
    (Sending.ENDED, SendingMove.CLOSE): Sending.CLOSED,
    (Sending.FAILED, SendingMove.CLOSE): Sending.CLOSED,
}


class Securing(_Table):
    """A TLS connection."""

    HANDSHAKING = auto()  #: what is written waits, nothing can be read
    OPEN = auto()  #: both directions
    ENDED = auto()  #: close_notify is sent; reading goes on
    CLOSED = auto()  #: the connection below is closed


class SecuringMove(_Table):
    """What happens to a TLS connection."""

    ESTABLISH = auto()  #: the handshake is done
    END = auto()  #: close_notify is sent
    CLOSE = auto()  #: aborted, reset or lost


SECURING: Final[Mapping[tuple[Securing, SecuringMove], Securing]] = {
    (Securing.HANDSHAKING, SecuringMove.ESTABLISH): Securing.OPEN,
    (Securing.HANDSHAKING, SecuringMove.CLOSE): Securing.CLOSED,
    (Securing.OPEN, SecuringMove.END): Securing.ENDED,
    (Securing.OPEN, SecuringMove.CLOSE): Securing.CLOSED,
    (Securing.ENDED, SecuringMove.CLOSE): Securing.CLOSED,
}


class Listening(_Table):
    """A server."""

    IDLE = auto()  #: does not listen
    STARTING = auto()  #: a name is looked up, or ``listening`` is due
    LISTENING = auto()  #: accepts connections
    CLOSING = auto()  #: accepts no more; ``close`` comes with the last connection's


class ListeningMove(_Table):
    """What happens to a server."""

    LISTEN = auto()  #: `listen()`
    BEGIN = auto()  #: the tick of ``listening`` has come
    FAIL = auto()  #: the system, or the resolver, refuses
    CLOSE = auto()  #: `close()`
    DONE = auto()  #: the last connection has ended
    ABORT = auto()  #: the loop ends


LISTENING: Final[Mapping[tuple[Listening, ListeningMove], Listening]] = {
    (Listening.IDLE, ListeningMove.LISTEN): Listening.STARTING,
    (Listening.STARTING, ListeningMove.BEGIN): Listening.LISTENING,
    (Listening.STARTING, ListeningMove.FAIL): Listening.IDLE,
    (Listening.STARTING, ListeningMove.CLOSE): Listening.CLOSING,
    (Listening.STARTING, ListeningMove.ABORT): Listening.IDLE,
    (Listening.LISTENING, ListeningMove.CLOSE): Listening.CLOSING,
    (Listening.LISTENING, ListeningMove.ABORT): Listening.IDLE,
    (Listening.CLOSING, ListeningMove.DONE): Listening.IDLE,
}

_State = TypeVar("_State", bound=Enum)
_Move = TypeVar("_Move", bound=Enum)


def advance(
    table: Mapping[tuple[_State, _Move], _State], state: _State, move: _Move
) -> _State:
    """Return the state after `move`; raise IllegalMoveError if there is none."""
    try:
        return table[state, move]
    except KeyError:
        raise IllegalMoveError(state, move) from None

"""One request and its answer, seen from the client, as a table of legal moves.

Two lives run side by side: the request is sent, the answer comes and is read. An answer
may come, and even be read to its end, before the request is sent (an early 413).

    WAITING --socket--> ASKING --sent--> ASKED
       ^                  |  |            |  |
       +----- retry ------+--|----<-------+  |
                             head            head
                             v               v
                         ANSWERED --sent--> READING --read--> DONE
                             |                                 ^
                             +--read--> SENDING ----sent-------+

    ASKING, ASKED --switch--> SWITCHED: the socket is another protocol's
    any that is not over --lose--> LOST

Source: H-070 to H-076, X-056.
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

    WAITING = auto()  #: no socket yet
    ASKING = auto()  #: has a socket; the request is not all sent, no answer yet
    ASKED = auto()  #: the request is sent, no answer yet
    ANSWERED = auto()  #: the answer has begun, the request is not all sent
    READING = auto()  #: the request is sent, the answer is not read to its end
    SENDING = auto()  #: the answer is read, the request is not all sent
    DONE = auto()  #: both are complete
    SWITCHED = auto()  #: HTTP ended with the answer: an upgrade or CONNECT
    LOST = auto()  #: destroyed, or the connection was lost


class Move(Enum):
    """What brings an exchange on."""

    __hash__ = object.__hash__

    SOCKET = auto()  #: the agent gave a socket
    SENT = auto()  #: the last byte of the request is with the system
    HEAD = auto()  #: the head of the final answer has come
    READ = auto()  #: the user has read the answer to its end
    SWITCH = auto()  #: the answer ends HTTP on this socket
    RETRY = auto()  #: a stale pooled socket failed: begin anew
    LOSE = auto()  #: nothing more will come


_OVER: Final = (Exchange.DONE, Exchange.SWITCHED, Exchange.LOST)

#: Every legal move. A missing pair is a bug of ours: KeyError where it happens.
MOVES: Final[Mapping[tuple[Exchange, Move], Exchange]] = {
    (Exchange.WAITING, Move.SOCKET): Exchange.ASKING,
    (Exchange.ASKING, Move.SENT): Exchange.ASKED,
    (Exchange.ASKING, Move.HEAD): Exchange.ANSWERED,
    (Exchange.ASKED, Move.HEAD): Exchange.READING,
    (Exchange.ANSWERED, Move.SENT): Exchange.READING,
    (Exchange.ANSWERED, Move.READ): Exchange.SENDING,
    (Exchange.READING, Move.READ): Exchange.DONE,
    (Exchange.SENDING, Move.SENT): Exchange.DONE,
    (Exchange.ASKING, Move.SWITCH): Exchange.SWITCHED,
    (Exchange.ASKED, Move.SWITCH): Exchange.SWITCHED,
    (Exchange.ASKING, Move.RETRY): Exchange.WAITING,
    (Exchange.ASKED, Move.RETRY): Exchange.WAITING,
} | {(state, Move.LOSE): Exchange.LOST for state in Exchange if state not in _OVER}

#: States in which no answer has come although the request has a socket.
UNANSWERED: Final = (Exchange.ASKING, Exchange.ASKED)
#: States in which the answer is known to the user and not read to its end.
ANSWERING: Final = (Exchange.ANSWERED, Exchange.READING)

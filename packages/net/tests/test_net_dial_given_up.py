"""A connection that is given up in the moment in which it is made."""

import socket
from typing import Any

from headrace.events.loop import Owner, current
from headrace.net._connect import Attempt, Dial
from headrace.net._lookup import Candidate


class Dialler:
    """Hears what a dial tells, and gives it up by a tick."""

    _owner: Owner | None = None

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def _dial_lookup(self, *args: Any) -> None: ...

    def _dial_connected(self, sock: socket.socket, remote: Any) -> None:
        self.heard.append(sock)

    def _dial_failed(self, error: Exception) -> None:
        self.heard.append(error)


async def test_net_dial_given_up_by_a_tick() -> None:
    """Ticks run first; after `abort` nothing is called back or left open."""
    for failing in (False, True):
        dialler = Dialler()
        dial = Dial(current(), dialler, {"port": 1})
        attempt = Attempt(dial, Candidate(socket.AF_INET, ("127.0.0.1", 1)), {})
        sock = socket.socket()
        current().next_tick(dial.abort)
        if failing:
            dial.refused(attempt, OSError("refused"))
        else:
            dial.connected(attempt, sock)
            assert sock.fileno() == -1
        sock.close()
        assert dialler.heard == []

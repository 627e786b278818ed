"""A connection that is given up in the moment in which it is made."""

import socket
from typing import Any, cast

import pytest

from headrace.events.loop import Owner, current
from headrace.net._connect import Attempt, Dial, Round
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


class Looking:
    """Stands in for an attempt: notes that it looks again, or is interrupted."""

    def __init__(self, seen: list[int], number: int) -> None:
        self.seen = seen
        self.number = number

    def look_again(self) -> None:
        self.seen.append(self.number)
        if self.number == 1:
            raise KeyboardInterrupt


async def test_net_dials_after_an_interrupted_one_are_not_forgotten() -> None:
    """A KeyboardInterrupt in a listener costs no other connection its turn."""
    seen: list[int] = []
    turns: list[Any] = []

    class Turns:
        """As much of a loop as a round needs."""

        def after_turn(self, callback: Any) -> None:
            turns.append(callback)

    waiting: Any = Round(cast("Any", Turns()))
    for number in range(4):
        waiting.add(Looking(seen, number))
    assert len(turns) == 1
    with pytest.raises(KeyboardInterrupt):
        turns.pop()()
    assert seen == [0, 1]
    turns.pop()()
    assert sorted(seen) == [0, 1, 2, 3]
    assert turns == []

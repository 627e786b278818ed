"""Doing anything inside any event: the exchange ends, once, and the pool goes on.

Source: beyond.md pitfalls 3, 4, 22 and 27.
"""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from headrace import http
from headrace.events.loop import checkpoint
from headrace.http.testing import HostileServer, Peer, ok

ANSWERS = {
    "whole": b"HTTP/1.1 103 Hint\r\n\r\n" + ok(b"whole"),
    "half": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    "two": ok(b"1") + ok(b"2"),
}

#: Events of the request; behind a dot those of its response.
EVENTS = [
    *("socket", "finish", "information", "response", "error", "abort", "close"),
    *("res.data", "res.end", "res.aborted", "res.error", "res.close"),
]


class Exchange:
    """One request, and what it was made to do inside one event."""

    def __init__(self, url: str, agent: http.Agent, event: str, action: str) -> None:
        self.url, self.agent = url, agent
        self.seen: list[str] = []
        self.more: http.ClientRequest | None = None
        self.response: http.IncomingMessage | None = None
        self.request = http.request(url, agent=agent)
        self._act: Callable[[], object] = getattr(self, action)
        self._event = event
        for name in EVENTS[:7]:
            self.request.custom.on(name, self._note(name))
        self.request.on("response", self._watch)
        self.request.end()

    def _note(self, name: str) -> Callable[..., None]:
        def note(*args: Any) -> None:
            self.seen.append(name)
            if name == self._event:
                self._act()

        return note

    def _watch(self, response: http.IncomingMessage) -> None:
        self.response = response
        for name in EVENTS[7:]:
            response.custom.on(name.partition(".")[2], self._note(name))

    # What it may be made to do

    def destroys_the_request(self) -> None:
        self.request.destroy()

    def aborts(self) -> None:
        self.request.abort()

    def destroys_the_response(self) -> None:
        if self.response is not None:
            self.response.destroy()

    def destroys_the_agent(self) -> None:
        self.agent.destroy()

    def takes_the_socket_out(self) -> None:
        if self.request.socket is not None:
            self.request.socket.emit("agent_remove")

    def writes(self) -> None:
        self.request.write("late")

    def asks_again(self) -> None:
        if self.more is None:
            self.more = http.get(self.url, agent=self.agent)
            self.more.on("error", lambda error: None)

    def stops_and_goes(self) -> None:
        if self.response is not None:
            self.response.pause().resume()

    # How it should end

    async def over(self) -> None:
        with anyio.fail_after(5):
            while not self.request.closed:
                await checkpoint()
            while self.more is not None and not self.more.closed:
                await checkpoint()
            while self.response is not None and not self.response.closed:
                await checkpoint()
        for _ in range(5):
            await checkpoint()

    def check(self) -> None:
        """Each event once, closes last, and never both end and aborted."""
        seen = [name for name in self.seen if name != "res.data"]
        assert sorted(seen) == sorted(set(seen))
        own = [name for name in seen if "." not in name and name != "abort"]
        assert own[-1] == "close"
        of_response = [name for name in seen if "." in name]
        if self.response is not None:
            assert of_response[-1] == "res.close"
        assert not {"res.end", "res.aborted"} <= set(seen)


ACTIONS = [
    "destroys_the_request",
    "aborts",
    "destroys_the_response",
    "destroys_the_agent",
    "takes_the_socket_out",
    "writes",
    "asks_again",
    "stops_and_goes",
]


async def body_of(url: str, agent: http.Agent) -> bytes | None:
    """Ask once more; None if the server still misbehaves."""
    try:
        return await (await http.get(url, agent=agent)).body()
    except (OSError, ValueError):
        return None


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("answer", ANSWERS)
async def test_anything_inside_any_event(answer: str, action: str) -> None:
    """The exchange ends as it should, and the next request is served (pitfall 27)."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_head()
            await peer.send(ANSWERS[answer])
            if answer == "half":
                return

    async def good(peer: Peer) -> None:
        while True:
            await peer.read_head()
            await peer.send(ok(b"good"))

    for event in EVENTS:
        async with (
            HostileServer(script, good) as server,
            http.Agent(keep_alive=True, max_sockets=1) as agent,
        ):
            exchange = Exchange(server.url(), agent, event, action)
            await exchange.over()
            exchange.check()
            agent.destroy()  # sockets of the bad server, if any is left
            with anyio.fail_after(5):
                while await body_of(server.url(), agent) != b"good":
                    agent.destroy()
            assert (agent.requests, agent.sockets) == ({}, {})

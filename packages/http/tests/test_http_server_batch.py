"""Answers of connections that are ready at once, and those that do not wait."""

import gc
import weakref
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, cast

from headrace import http
from headrace.events.loop import Loop, current
from headrace.http import _batch
from headrace.http._batch import FlushBatch
from headrace.http.testing import RawClient
from headrace.net.testing import port_of

if TYPE_CHECKING:
    from headrace.http._wire import Wire


class FakeLoop:
    """A loop whose clock a test decides about."""

    def __init__(self) -> None:
        self.now = 100.0
        self.owner: object = "somebody"
        self.soon: list[Any] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Any) -> None:
        assert self.owner is None
        self.soon.append(callback)

    def deliver(self, owner: object, callback: Any) -> None:
        callback()


class FakeWire:
    """Notes in a list that it was flushed."""

    owner = None

    def __init__(self, name: str, flushed: list[str]) -> None:
        self.name = name
        self.flushed = flushed

    def _flush(self) -> None:
        self.flushed.append(self.name)


class Turn:
    """A batch on a fake loop."""

    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.batch = FlushBatch(cast("Loop", self.loop))
        self.flushed: list[str] = []

    def add(self, name: str) -> None:
        self.batch.add(cast("Wire", FakeWire(name, self.flushed)))


def test_a_crowd_leaves_together_in_order() -> None:
    """They wait for one call behind the others of the turn."""
    turn = Turn()
    turn.add("a")
    turn.add("b")
    assert not turn.flushed
    assert turn.loop.owner == "somebody"
    (run,) = turn.loop.soon
    run()
    assert turn.flushed == ["a", "b"]


def test_a_slow_handler_keeps_nobody_waiting() -> None:
    """When the first has waited long enough, all go before the turn is over."""
    turn = Turn()
    turn.add("a")
    turn.loop.now += 2 * _batch.LONGEST
    turn.add("b")
    assert turn.flushed == ["a", "b"]


def test_few_wait_for_each_other() -> None:
    """The number is bounded, however many are ready."""
    turn = Turn()
    names = [str(number) for number in range(_batch.MOST + 1)]
    for name in names:
        turn.add(name)
    assert turn.flushed == names[: _batch.MOST]
    for run in turn.loop.soon:
        run()
    assert turn.flushed == names


async def test_many_connections_at_once_are_all_answered() -> None:
    """Each gets its own answer, also when it asks with all the others (H-127)."""

    def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        response.end(request.url)

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            http.create_server(answer).listen(0, "127.0.0.1")
        )
        clients = [
            await stack.enter_async_context(RawClient(server)) for _ in range(40)
        ]
        for number, client in enumerate(clients):
            await client.send(f"GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for number, client in enumerate(clients):
            found = await client.response()
            assert found.body == f"/{number}".encode()


async def test_an_exchange_leaves_no_ring() -> None:
    """Listeners that hold the response go with it, without the collector (H-105)."""
    seen: list[weakref.ref[Any]] = []

    def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        seen.extend((weakref.ref(request), weakref.ref(response)))
        response.on("close", lambda: response.socket)
        request.on("data", lambda chunk: None)
        request.on("end", lambda: response.end("done"))

    async with http.create_server(answer).listen(0, "127.0.0.1") as server:
        gc.collect()
        gc.disable()
        try:
            request = http.request(
                f"http://127.0.0.1:{port_of(server)}", method="POST", agent=False
            )
            response = await request.end("body")
            assert await response.text() == "done"
            while current().ticks:
                await current().checkpoint()
            await current().checkpoint()
            assert [ref() for ref in seen] == [None, None]
        finally:
            gc.enable()

"""However a server ends, and whatever its clients are at: nothing of it is left.

No descriptor, no task, no warning. Source: X-009 to X-011, H-034, DESIGN 3 and 4.
"""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio import CancelScope

from headrace import http
from headrace.http import IncomingMessage, Server, ServerResponse
from headrace.http.testing import RawClient

Clients = list[RawClient]

HOST = b" HTTP/1.1\r\nHost: x\r\n"
BODY = HOST + b"Content-Length: 9\r\n\r\nabc"

#: What each client has sent, and whether a handler is called for it.
PHASES: dict[str, tuple[bytes, bool]] = {
    "silent": (b"", False),
    "in a head": (b"GET / HT", False),
    "refused": (b"BAD\r\n\r\n", False),
    "at rest": (b"GET /end" + HOST + b"\r\n", True),
    "in a body that is read": (b"POST /read" + BODY, True),
    "in a body that is not": (b"POST /hold" + BODY, True),
    "answered in a body": (b"POST /end" + BODY, True),
    "waiting": (b"GET /hold" + HOST + b"\r\n", True),
    "waiting for a coroutine": (b"GET /sleep" + HOST + b"\r\n", True),
    "with a pipeline": ((b"GET /sleep" + HOST + b"\r\n") * 5, True),
    "in an answer": (b"GET /part" + HOST + b"\r\n", True),
    "not reading": (b"GET /endless" + HOST + b"\r\n", True),
    "told to go": (b"GET /close" + HOST + b"\r\nGET /ne", True),
    "upgraded": (
        b"GET /" + HOST + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n",
        True,
    ),
    "connected": (b"CONNECT a:1" + HOST + b"\r\n", True),
}


class Handlers:
    """Listeners of all kinds; `called` counts them."""

    def __init__(self) -> None:
        self.called = 0
        self.enough = anyio.Event()
        self.expected = 0

    def note(self) -> None:
        self.called += 1
        if self.called == self.expected:
            self.enough.set()

    def on_request(self, request: IncomingMessage, response: ServerResponse) -> Any:
        self.note()
        what = request.url[1:]
        if what in ("read", "sleep", "endless"):
            return getattr(self, what)(request, response)
        if what == "part":
            response.write("part")
        elif what == "close":
            response.write_head(200, {"Connection": "close"})
            response.end("bye")
        elif what == "end":
            response.end("whole")
        return None

    async def read(self, request: IncomingMessage, response: ServerResponse) -> None:
        response.end(await request.body())

    async def sleep(self, request: IncomingMessage, response: ServerResponse) -> None:
        await anyio.sleep_forever()

    async def endless(self, request: IncomingMessage, response: ServerResponse) -> None:
        while True:
            response.write(bytes(100_000))
            await response.drain()

    def on_switch(self, request: IncomingMessage, socket: Any, head: bytes) -> None:
        self.note()
        socket.write("HTTP/1.1 200 OK\r\n\r\n")


class OnPurposeError(Exception):
    """Ends a block."""


async def fail(server: Server, clients: Clients, scope: CancelScope) -> None:
    raise OnPurposeError


async def cancel(server: Server, clients: Clients, scope: CancelScope) -> None:
    scope.cancel()
    await anyio.sleep_forever()


async def close_all(server: Server, clients: Clients, scope: CancelScope) -> None:
    server.close_all_connections()
    for client in clients:  # upgraded ones are not the server's any more
        await client.stream.aclose()


async def close_then_all(server: Server, clients: Clients, scope: CancelScope) -> None:
    server.close()
    await anyio.lowlevel.checkpoint()
    await close_all(server, clients, scope)


async def clients_reset(server: Server, clients: Clients, scope: CancelScope) -> None:
    for client in clients:
        await client.reset()
    server.close_all_connections()


WAYS = [fail, cancel, close_all, close_then_all, clients_reset]


@asynccontextmanager
async def clients_of(
    server: Server, handlers: Handlers, phase: str
) -> AsyncIterator[Clients]:
    sent, is_handled = PHASES[phase]
    clients = [RawClient(server) for _ in range(3)]
    handlers.expected = len(clients)
    async with clients[0], clients[1], clients[2]:
        for client in clients:
            if sent:
                await client.send(sent)
        if is_handled:
            await handlers.enough.wait()
        yield clients


async def serve(
    phase: str, end: Callable[[Server, Clients, CancelScope], Awaitable[None]]
) -> None:
    handlers = Handlers()
    server = http.create_server(handlers.on_request)
    server.on("upgrade", handlers.on_switch)
    server.on("connect", handlers.on_switch)
    with suppress(OnPurposeError), CancelScope() as scope:
        async with (
            server.listen(0, "127.0.0.1"),
            clients_of(server, handlers, phase) as clients,
        ):
            await end(server, clients, scope)
    assert not server.listening


def descriptors() -> set[str]:
    gc.collect()
    return set(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("phase", PHASES)
async def test_a_server_leaves_nothing(
    phase: str, anyio_backend: tuple[str, dict[str, Any]]
) -> None:
    """Whichever way it ends. Warnings are errors here, and the collector runs."""
    await serve("at rest", fail)  # whatever is made once
    await anyio.lowlevel.checkpoint()  # the loop's keeper ends a turn later
    before = descriptors()
    tasks = asyncio.all_tasks() if anyio_backend[0] == "asyncio" else set()
    for end in WAYS:
        await serve(phase, end)
        await anyio.lowlevel.checkpoint()
        assert len(descriptors()) <= len(before), end
        if tasks:
            assert asyncio.all_tasks() == tasks, end

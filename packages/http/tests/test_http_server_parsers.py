"""Parsers that serve one connection after another."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from headrace import http, net
from headrace.http._terms import MAX_PARSERS
from headrace.net.testing import closed, port_of

LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def ask(port: int, sent: bytes) -> bytes:
    """Return all that a server says on a connection of its own."""
    client = await net.connect(port, "127.0.0.1")
    client.write(sent)
    received = b"".join([chunk async for chunk in client])
    await closed(client)
    return received


def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    response.end(f"{request.url} {request.headers.get('x-secret')}")


async def wait_for_no_connections(server: Any) -> None:
    while server._connections:
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
async def test_a_parser_brings_nothing_from_its_last_connection(engine: Any) -> None:
    """Neither fields nor the end of a connection are seen on the next one."""
    async with http.create_server(answer, engine=engine).listen(0) as server:
        port = port_of(server)
        secret = LAST.replace(b"Host", b"X-Secret: 1\r\nHost")
        for _ in range(3):
            assert (await ask(port, secret)).endswith(b"/last 1")
            assert (await ask(port, LAST)).endswith(b"/last None")
        await wait_for_no_connections(server)
        assert server.terms is not None
        assert len(server.terms.parsers) == 1


async def test_a_parser_of_a_broken_connection_is_dropped() -> None:
    """After bad input, or inside a message, it serves nobody any more."""
    async with http.create_server(answer).listen(0) as server:
        port = port_of(server)
        assert b" 400 " in await ask(port, b"wrong\r\n\r\n")
        await wait_for_no_connections(server)
        assert server.terms is not None
        assert server.terms.parsers == []


async def test_new_settings_have_new_parsers() -> None:
    """A setting that changes holds for the very next connection."""
    async with http.create_server(answer).listen(0) as server:
        port = port_of(server)
        assert b" 200 " in await ask(port, LAST)
        await wait_for_no_connections(server)
        server.max_header_size = 20
        assert b" 431 " in await ask(port, LAST)
        server.max_header_size = 2000
        server.keep_alive_timeout = 7
        keep = LAST.replace(b"close", b"keep-alive") + LAST
        assert b"timeout=7" in await ask(port, keep)


async def test_few_parsers_are_kept() -> None:
    """Many connections that end at once leave no more than a number of them."""
    async with http.create_server(answer).listen(0) as server:
        clients = [
            await net.connect(port_of(server), "127.0.0.1")
            for _ in range(MAX_PARSERS + 5)
        ]
        while len(server._connections) < len(clients):
            await anyio.lowlevel.checkpoint()
        for client in clients:
            client.destroy()
        await wait_for_no_connections(server)
        assert server.terms is not None
        assert len(server.terms.parsers) == MAX_PARSERS

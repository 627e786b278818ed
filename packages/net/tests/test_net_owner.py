"""Where exceptions of listeners go (H-010, H-150)."""

import asyncio
import logging
from typing import Any

import anyio
import pytest
import sniffio

from headrace import net
from headrace.events.loop import checkpoint, current
from headrace.net.testing import closed, connected, port_of, record


class BugError(Exception):
    """What a listener raises here."""


def buggy(*_: object) -> None:
    raise BugError


async def buggy_later(*_: object) -> None:
    await checkpoint()
    raise BugError


@pytest.mark.parametrize("listener", [buggy, buggy_later], ids=["plain", "async"])
@pytest.mark.parametrize("where", ["connection", "data", "end", "tick", "timer"])
async def test_net_server_outlives_bugs_of_handlers(
    listener: Any, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The exception is logged, its connection destroyed; the next one is served."""

    def on_connection(accepted: net.Socket) -> Any:
        if serves:
            accepted.resume().end("served")
        elif where == "connection":
            return listener()
        elif where == "tick":
            current().next_tick(buggy)
        elif where == "timer":
            current().call_later(0, buggy)
        else:
            accepted.resume().custom.on(where, listener)
        return None

    serves: list[str] = []
    server = net.create_server(on_connection)
    if listener is buggy_later and where == "connection":
        server = net.create_server(buggy_later)
    async with server.listen(0, "127.0.0.1"):
        victim = net.connect(port_of(server), "127.0.0.1")
        victim.resume().end("x")
        await closed(victim)
        while not caplog.records:
            await checkpoint()
        serves.append("from now on")
        server.remove_all_listeners("connection").on("connection", on_connection)
        client = net.connect(port_of(server), "127.0.0.1")
        assert [chunk async for chunk in client] == [b"served"]
    (entry,) = caplog.records
    assert (entry.name, entry.levelno) == ("headrace.net", logging.ERROR)
    assert entry.exc_info is not None
    assert entry.exc_info[0] is BugError


async def test_net_server_outlives_bad_peers(caplog: pytest.LogCaptureFixture) -> None:
    """An ``error`` that nobody hears: network errors at DEBUG, without traceback."""
    caplog.set_level(logging.DEBUG, "headrace.net")
    async with connected() as (client, accepted):
        client.reset_and_destroy()
        while not accepted.closed:
            await checkpoint()
    (entry,) = [entry for entry in caplog.records if entry.name == "headrace.net"]
    assert (entry.levelno, entry.exc_info) == (logging.DEBUG, None)
    assert "ECONNRESET" in entry.getMessage()


async def test_net_async_with_client_raises_on_trio() -> None:
    """trio: a bug in a callback is raised out of the block; asyncio: its handler."""
    reported: list[Any] = []
    passed = anyio.Event()
    if sniffio.current_async_library() == "asyncio":
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
    async with net.create_server().listen(0, "127.0.0.1") as server:

        async def block() -> None:
            async with net.connect(port_of(server), "127.0.0.1") as client:
                current().next_tick_for(client, buggy)
                current().next_tick_for(client, passed.set)
                await passed.wait()

        if sniffio.current_async_library() == "trio":
            with pytest.raises(BugError):
                await block()
        else:
            await block()
            assert [type(each["exception"]) for each in reported] == [BugError]


async def test_net_async_with_server_raises_on_trio() -> None:
    """trio: a bug in a listener of the server itself ends the block with it."""
    if sniffio.current_async_library() != "trio":
        pytest.skip("asyncio has its exception handler")
    server = net.create_server()
    server.max_connections = 0
    server.on("drop", buggy)

    async def block() -> None:
        async with server.listen(0, "127.0.0.1"):
            client = net.connect(port_of(server), "127.0.0.1")
            await closed(client.resume())
            await anyio.sleep_forever()

    with pytest.raises(BugError):
        await block()
    assert not server.listening


async def test_net_block_that_fails_itself_keeps_its_exception(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """trio: the block's own exception goes on; the callback's is logged."""
    if sniffio.current_async_library() != "trio":
        pytest.skip("asyncio has its exception handler")
    server = net.create_server()
    server.on("listening", lambda: None)

    async def block() -> None:
        async with server.listen(0, "127.0.0.1"):
            current().next_tick_for(server, buggy)
            current().next_tick_for(server, buggy)
            try:
                await anyio.sleep_forever()
            finally:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await block()
    assert len([entry for entry in caplog.records if entry.exc_info]) == 2


async def test_net_async_listener_of_a_client_fails() -> None:
    """Its exception destroys the socket and is its ``error`` (H-150)."""
    async with connected() as (client, accepted):
        errors = record(client, "error")
        client.on("data", buggy_later)
        accepted.write("x")
        await closed(client)
        assert [type(error) for _, error in errors] == [BugError]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_net_unheard_error_of_a_client_ends_run(backend: str) -> None:
    """Nobody listens: `run()` raises that error (H-010, H-151)."""

    async def main() -> None:
        server = await net.create_server().listen(0, "127.0.0.1")
        port = port_of(server)
        await server.aclose()
        net.connect(port, "127.0.0.1")
        await anyio.sleep_forever()

    with pytest.raises(ConnectionRefusedError):
        net.run(main, backend=backend)


async def test_net_client_inside_a_handler_belongs_to_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An unheard error of a proxy's outgoing socket costs that connection only."""
    async with net.create_server().listen(0, "127.0.0.1") as unused:
        port = port_of(unused)
    server = net.create_server(lambda accepted: net.connect(port, "127.0.0.1"))
    async with server.listen(0, "127.0.0.1"):
        client = net.connect(port_of(server), "127.0.0.1")
        await closed(client.resume())
        assert server.listening

"""How a connection ends: half-close, destroy, reset, and what pending writes hear."""

import errno
import gc
import socket
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace import net
from headrace.events import once
from headrace.events.loop import checkpoint
from headrace.net.testing import closed, connected, port_of, record, socket_pair
from headrace.streams import finished


@pytest.fixture(params=["tcp", "memory"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Two connected sockets, once through the system and once in memory."""
    if request.param == "memory":
        yield socket_pair()
    else:
        async with connected() as both:
            yield both


Pair = tuple[net.Socket, net.Socket]


def code_of(error: object) -> object:
    return getattr(error, "code", error)


async def test_net_end_closes_both_sides(pair: Pair) -> None:
    """`end()` half-closes; the peer answers with its own end; both close (H-140)."""
    one, other = pair
    ours = record(one, "finish", "end", "close")
    theirs = record(other, "data", "end", "finish", "close")
    one.resume().end(b"last words")
    await closed(one)
    await closed(other)
    assert ours == ["finish", "end", "close"]
    assert theirs == [("data", b"last words"), "end", "finish", "close"]


async def test_net_half_open_goes_on_writing() -> None:
    """With `allow_half_open` the user answers the end (H-140, N-084)."""
    async with connected(allow_half_open=True) as (client, accepted):
        client.end("question")
        question = bytearray()
        async for chunk in accepted.iterator(destroy_on_return=False):
            question += chunk
        assert question == b"question"
        assert accepted.writable
        accepted.end("answer")
        assert [chunk async for chunk in client] == [b"answer"]
        await closed(accepted)


async def test_net_write_after_the_peers_end(pair: Pair) -> None:
    """After our automatic end: EPIPE with Node's message (H-142)."""
    one, other = pair
    heard: list[Any] = []
    errors = record(other, "error")
    other.on("prefinish", lambda: other.write("too late", None, heard.append))
    one.end()
    await closed(other.resume())
    ((_, error),) = errors
    assert isinstance(error, BrokenPipeError)
    assert isinstance(error, net.SocketError)
    assert error.code == "EPIPE"
    assert str(error) == "This socket has been ended by the other party"
    assert heard == [error]


async def test_net_end_with_data_and_callback(pair: Pair) -> None:
    """`end(data, encoding, callback)`: the callback hears of the finish (H-140)."""
    one, other = pair
    done: list[Any] = []
    assert one.end("c3a9", "hex", done.append) is one
    assert [chunk async for chunk in other] == ["é".encode()]
    assert done == [None]


async def test_net_end_before_connect() -> None:
    """`end()` before the connection: it is made, the data and the end sent (N-076)."""
    server = net.create_server(allow_half_open=True)
    async with server.listen(0, "127.0.0.1"):
        arrival = once(server, "connection")
        client = net.connect(port_of(server), "127.0.0.1").end("early")
        (accepted,) = await arrival
        assert [chunk async for chunk in accepted] == [b"early"]
        accepted.end()
        await closed(client.resume())


async def test_net_end_without_connect() -> None:
    """On a never connected socket: it finishes and closes quietly (N-075, H-140)."""
    lonely = net.Socket()
    seen = record(lonely, "finish", "error", "close")
    lonely.end(lambda error: seen.append(("callback", error)))
    assert not lonely.writable
    await closed(lonely)
    assert seen == [("callback", None), "finish", "close"]


@pytest.mark.parametrize("times", [1, 2])
async def test_net_destroy_without_connect(times: int) -> None:
    """A never connected socket closes, once (N-073, N-081)."""
    lonely = net.Socket()
    seen = record(lonely, "error", "close")
    for _ in range(times):
        assert lonely.destroy() is lonely
    await closed(lonely)
    await anyio.lowlevel.checkpoint()
    assert seen == ["close"]


async def test_net_destroy_with_an_error(pair: Pair) -> None:
    """``error`` with that exception, then ``close``; `had_error` tells (H-141)."""
    one, _ = pair
    problem = ValueError("mine")
    seen = record(one, "error", "close", "end", "finish")
    one.destroy(problem).destroy(OSError("not this one"))
    await closed(one)
    assert seen == [("error", problem), "close"]
    assert (one.had_error, one.errored) == (True, problem)


async def test_net_destroy_fails_pending_writes() -> None:
    """Their callbacks get ERR_STREAM_DESTROYED before ``close`` (H-139, H-141)."""
    async with connected() as (client, accepted):
        accepted.pause()
        seen = record(client, "close")
        client.write(bytes(50_000_000), None, lambda error: seen.append(code_of(error)))
        client.write(b"behind it", None, lambda error: seen.append(code_of(error)))
        client.destroy()
        await closed(client)
        assert seen == ["ERR_STREAM_DESTROYED", "ERR_STREAM_DESTROYED", "close"]


async def test_net_destroy_before_connect_fails_pending_writes() -> None:
    """Their callbacks get ERR_SOCKET_CLOSED_BEFORE_CONNECTION (H-141)."""
    client = net.connect(1, "127.0.0.1")
    seen = record(client, "error", "close")
    client.write(b"1", None, lambda error: seen.append(code_of(error)))
    client.write(b"2", None, lambda error: seen.append(code_of(error)))
    client.destroy()
    await closed(client)
    code = "ERR_SOCKET_CLOSED_BEFORE_CONNECTION"
    assert seen == [code, code, "close"]


async def test_net_destroy_soon_flushes_first() -> None:
    """All that was written arrives, then the socket closes unasked (H-141)."""
    async with connected(allow_half_open=True) as (client, accepted):
        size = 3_000_000
        client.write(bytes(size))
        assert client.destroy_soon() is client
        received = 0
        async for chunk in accepted:
            received += len(chunk)
        assert received == size
        await closed(client)


async def test_net_reset_and_destroy(pair: Pair) -> None:
    """The peer sees ECONNRESET (X-080)."""
    one, other = pair
    errors = record(other, "error")
    assert one.reset_and_destroy() is one
    await closed(other)
    ((_, error),) = errors
    assert isinstance(error, ConnectionResetError)
    assert isinstance(error, net.SocketError)
    assert (error.code, error.syscall) == ("ECONNRESET", "read")


@pytest.mark.parametrize("runtime", ["asyncio", "uvloop", "trio"])
def test_net_reset_with_bytes_unread(runtime: str) -> None:
    """The bytes that came before a reset are read, one by one, then its error."""
    seen: list[Any] = []

    async def main() -> None:
        async with connected(high_water_mark=1) as (client, accepted):
            accepted.pause()
            client.write(b"abc")
            client.reset_and_destroy()
            await closed(client)
            accepted.on("data", seen.append)
            accepted.on("error", lambda error: seen.append(code_of(error)))
            await closed(accepted.resume())

    if runtime == "uvloop":
        pytest.importorskip("uvloop")
    backend = "trio" if runtime == "trio" else "asyncio"
    options = {"use_uvloop": True} if runtime == "uvloop" else {}
    net.run(main, backend=backend, backend_options=options)
    assert seen == [b"a", b"b", b"c", "ECONNRESET"]


async def test_net_reset_needs_tcp(tmp_path: Path) -> None:
    """On a Unix socket: ERR_INVALID_HANDLE_TYPE; unconnected: destroyed (X-080)."""
    async with net.create_server().listen(tmp_path / "s"):
        client = await net.connect(tmp_path / "s")
        with pytest.raises(net.InvalidHandleTypeError) as caught:
            client.reset_and_destroy()
        assert caught.value.code == "ERR_INVALID_HANDLE_TYPE"
        client.destroy()
    lonely = net.Socket().reset_and_destroy()
    assert lonely.destroyed
    await closed(lonely)


async def test_net_write_error_of_the_system() -> None:
    """Callback with the error, one ``error``, ``close`` (H-142)."""
    left, right = socket.socketpair()
    one = net.Socket(handle=left)
    right.close()
    seen = record(one, "error", "close")
    one.pause()
    one.write(b"x", None, lambda error: seen.append(("callback", error)))
    await closed(one)
    (_, told), (_, error), close = seen
    assert told is error
    assert error.code in ("EPIPE", "ECONNRESET")
    assert (error.syscall, close) == ("write", "close")


async def test_net_an_answer_sent_before_the_close_is_read() -> None:
    """The peer answers early and closes; the answer is not lost (beyond 7.24)."""
    async with connected() as (client, accepted):
        received = bytearray()
        client.on("data", received.extend)
        accepted.once("data", lambda chunk: accepted.write("413", None, stop))

        def stop(error: object) -> None:
            accepted.pause()
            accepted.destroy()  # unread data: the system answers with a reset

        errors = record(client, "error")
        while not client.destroyed and client.writable:
            client.write(bytes(1_000_000))
            with anyio.move_on_after(5):
                try:
                    await client.drain()
                except OSError:
                    break
        await closed(client)
        assert received == b"413"
        assert [error.errno for _, error in errors] in (
            [errno.EPIPE],
            [errno.ECONNRESET],
        )


async def test_net_peer_that_vanishes(pair: Pair) -> None:
    """A destroyed peer is an end for a reader who has read all (H-139)."""
    one, other = pair
    seen = record(one, "data", "end", "close", "error")
    other.write("bye")
    await once(one, "data")
    other.destroy()
    await closed(one)
    assert seen == [("data", b"bye"), "end", "close"]


async def test_net_finished_and_async_for_see_the_end(pair: Pair) -> None:
    """The stream helpers work on sockets, before and after the end."""
    one, other = pair
    one.end("x" * 100)
    assert b"".join([chunk async for chunk in other]) == b"x" * 100
    await finished(one)
    await finished(other)


async def test_net_aclose_flushes_and_closes() -> None:
    """`aclose()` returns when all is sent and the socket closed; twice is fine."""
    async with connected(allow_half_open=True) as (client, accepted):
        client.write(bytes(100_000))
        await client.aclose()
        await client.aclose()
        assert client.closed
        assert len(b"".join([chunk async for chunk in accepted])) == 100_000


async def test_net_aclose_cancelled_destroys() -> None:
    """A cancelled `aclose()` leaves nothing open."""
    async with connected() as (client, accepted):
        accepted.pause()
        client.write(bytes(50_000_000))
        with anyio.move_on_after(0):
            await client.aclose()
        assert client.destroyed


async def fail_inside(client: net.Socket) -> None:
    async with client:
        raise ZeroDivisionError


async def test_net_async_with_socket() -> None:
    """Leaving the block sends what was written and closes; an error destroys."""
    server = net.create_server()
    async with server.listen(0, "127.0.0.1"):
        arrival = once(server, "connection")
        async with net.connect(port_of(server), "127.0.0.1") as client:
            (accepted,) = await arrival
            client.write("all of it")
        assert client.closed
        assert [chunk async for chunk in accepted] == [b"all of it"]
        client = net.connect(port_of(server), "127.0.0.1")
        with pytest.raises(ZeroDivisionError):
            await fail_inside(client)
        assert client.closed


async def test_net_closed_sockets_need_no_garbage_collector() -> None:
    """After ``close`` nothing refers in a circle to a socket, at either end."""
    gc.collect()
    gc.disable()
    try:
        ends: list[weakref.ref[net.Socket]] = []
        async with connected() as (client, accepted):
            ends += [weakref.ref(client), weakref.ref(accepted)]
            accepted.resume()
            client.end("x")
            await closed(client.resume())
            await closed(accepted)
            del client, accepted
        await checkpoint()
        assert [end() for end in ends] == [None, None]
    finally:
        gc.enable()


async def test_net_write_long_after_the_peers_end(pair: Pair) -> None:
    """The reason stays the same when the socket has closed by itself (H-142)."""
    one, other = pair
    heard: list[Any] = []
    errors = record(other, "error")
    one.end()
    await closed(other.resume())
    assert other.write("too late", None, heard.append) is False
    await checkpoint()
    assert [error.code for error in heard] == ["EPIPE"]
    assert errors == []

"""Bytes in and out: order, back-pressure, counters, pausing, settings."""

import socket
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace import net
from headrace.events import once
from headrace.events.loop import checkpoint
from headrace.net.testing import closed, connected, port_of, record, socket_pair
from headrace.streams import pipeline


async def read_all(source: net.Socket) -> bytes:
    return b"".join([chunk async for chunk in source])


async def play_pingpong(client: net.Socket) -> list[bytes]:
    heard: list[bytes] = []

    def answer(chunk: bytes) -> None:
        heard.append(chunk)
        if len(heard) < 100:
            client.write(b"%d" % len(heard))
        else:
            client.end()

    client.on("data", answer)
    client.write(b"0")
    await closed(client)
    return heard


async def test_net_pingpong_over_tcp_and_unix(tmp_path: Path) -> None:
    """Strict alternation of 100 messages (N-084)."""
    for target in ({"port": 0, "host": "127.0.0.1"}, {"path": tmp_path / "s"}):
        server = net.create_server(lambda accepted: accepted.pipe(accepted))
        async with server.listen(target):
            address = server.address()
            place = address if isinstance(address, str) else port_of(server)
            heard = await play_pingpong(net.connect(place))
        assert heard == [b"%d" % number for number in range(100)]


async def test_net_writes_before_and_after_connect_keep_their_order() -> None:
    """What is written early goes first (N-077, H-138)."""
    server = net.create_server()
    async with server.listen(0, "127.0.0.1"):
        arrival = once(server, "connection")
        client = net.Socket()
        client.write("before connect, ")
        client.connect(port_of(server), "127.0.0.1")
        client.write("connecting, ")
        client.on("connect", lambda: client.end("connected"))
        (accepted,) = await arrival
        text = await read_all(accepted)
        assert text == b"before connect, connecting, connected"


@pytest.mark.parametrize("in_memory", [False, True])
async def test_net_large_transfer_with_back_pressure(in_memory: bool) -> None:
    """Everything arrives, in order, though the reader is slow (N-085)."""
    data = b"".join(number.to_bytes(4) for number in range(1_000_000))
    async with connected() as both:
        client, accepted = socket_pair() if in_memory else both
        assert client.write(data) is False
        client.end()
        received = bytearray()
        async for chunk in accepted:
            received += chunk
            await checkpoint()
        assert received == data


async def test_net_pause_holds_the_sender_up() -> None:
    """Paused, at most the high-water mark is read; nothing is lost (N-085, H-143)."""
    async with connected() as (client, accepted):
        accepted.pause()
        writes = 0
        while client.write(bytes(65536)) or writes < 100:
            writes += 1
            await checkpoint()
        client.end()
        for _ in range(20):
            await checkpoint()
        assert accepted.bytes_read <= accepted.readable_high_water_mark
        received = await read_all(accepted.resume())
        assert len(received) == client.bytes_written


@pytest.mark.parametrize("mark", [1, 1000, 65536])
async def test_net_unread_socket_takes_at_most_its_mark(mark: int) -> None:
    """Without a reader, too (H-143, H-161)."""
    async with connected(high_water_mark=mark) as (client, accepted):
        client.write(bytes(200_000))
        for _ in range(20):
            await checkpoint()
        assert accepted.bytes_read == accepted.readable_length == mark


async def test_net_pause_on_connect() -> None:
    """The accepted socket reads nothing until it is asked to (H-133, H-143)."""
    async with connected(pause_on_connect=True) as (client, accepted):
        client.end("waiting")
        for _ in range(10):
            await checkpoint()
        assert (accepted.bytes_read, accepted.is_paused()) == (0, True)
        assert await read_all(accepted) == b"waiting"


async def test_net_pause_and_resume_while_connecting() -> None:
    """Both are remembered (N-078, H-143)."""
    server = net.create_server(lambda accepted: accepted.resume().end("hello"))
    async with server.listen(0, "127.0.0.1"):
        client = net.connect(port_of(server), "127.0.0.1")
        seen = record(client, "data")
        client.pause()
        await client
        for _ in range(10):
            await checkpoint()
        assert (seen, client.bytes_read) == ([], 0)
        client.resume()
        await closed(client)
        assert seen == [("data", b"hello")]
        eager = net.connect(port_of(server), "127.0.0.1").pause().resume()
        seen = record(eager, "data")
        await closed(eager)
        assert seen == [("data", b"hello")]


async def test_net_byte_counters() -> None:
    """Exact, with what is queued, before the connection and after close (N-080)."""
    async with connected() as (client, accepted):
        accepted.pause()
        size = 5_000_000
        client.write(bytes(size))
        client.write("é")
        assert client.bytes_written == size + 2
        client.end(b"123")
        assert client.bytes_written == size + 5
        await read_all(accepted.resume())
        await closed(client)
        assert client.bytes_written == accepted.bytes_read == size + 5
        assert accepted.bytes_written == client.bytes_read == 0
    early = net.connect(1, "127.0.0.1")
    early.write(b"12345")
    early.write(b"678")
    assert early.bytes_written == 8
    early.destroy()
    await closed(early)


async def test_net_write_returns_false_then_drains() -> None:
    """False from the high-water mark on, then one ``drain`` (H-163)."""
    async with connected() as (client, accepted):
        seen = record(client, "drain")
        while client.write(bytes(100_000)):
            pass
        assert client.writable_need_drain
        accepted.resume()
        await client.drain()
        assert seen == ["drain"]


async def test_net_write_callbacks_come_in_order() -> None:
    """Each is called once, with None, not from inside `write` (H-003, H-163)."""
    async with connected() as (client, accepted):
        seen: list[Any] = []

        def note(number: int, error: object) -> None:
            seen.append((number, error))

        for number in range(3):
            client.write(bytes(500_000), None, partial(note, number))
        assert seen == []
        client.end(lambda error: seen.append(("end", error)))
        await read_all(accepted)
        assert seen == [(0, None), (1, None), (2, None), ("end", None)]


async def test_net_cork_and_many_small_writes() -> None:
    """Corked writes leave together; text is encoded (H-163)."""
    async with connected() as (client, accepted):
        client.cork()
        for number in range(1000):
            client.write(f"{number},")
        client.uncork()
        client.end("c3a9", "hex")
        text = (await read_all(accepted)).decode()
        assert text == ",".join(map(str, range(1000))) + ",é"


async def test_net_written_buffers_may_change_at_once() -> None:
    """A bytearray or view is copied, or held until it is sent (H-006)."""
    async with connected() as (client, accepted):
        accepted.pause()
        buffer = bytearray(b"a" * 3_000_000)
        client.write(buffer)
        client.write(memoryview(buffer)[:10])
        buffer[:] = b"b" * len(buffer)
        client.end()
        assert set(await read_all(accepted.resume())) == {ord("a")}


async def test_net_pipeline_through_a_socket() -> None:
    """`pipeline` moves a stream through a socket and waits for its end."""
    async with connected() as (client, accepted):
        outcome: list[Any] = []
        pipeline(accepted, accepted, outcome.append)
        client.end(b"x" * 1_000_000)
        assert await read_all(client) == b"x" * 1_000_000
        await closed(accepted)
        assert outcome == [None]


async def test_net_takes_over_a_socket_and_a_descriptor() -> None:
    """`Socket(handle=…)` and `Socket(fd=…)` (H-137)."""
    left, right = socket.socketpair()
    one, other = net.Socket(handle=left), net.Socket(fd=right.detach())
    assert (one.pending, other.ready_state) == (False, "open")
    one.end("hello")
    assert await read_all(other) == b"hello"
    await closed(one)


@pytest.mark.parametrize("side", ["readable", "writable"])
async def test_net_socket_without_a_side(side: str) -> None:
    """`readable=False` and `writable=False` leave one direction (H-137)."""
    left, right = socket.socketpair()
    if side == "readable":
        one, other = net.Socket(handle=left, readable=False), net.Socket(handle=right)
        one.end("only out")
        assert await read_all(other) == b"only out"
    else:
        one, other = net.Socket(handle=left, writable=False), net.Socket(handle=right)
        other.end("only in")
        assert await read_all(one) == b"only in"
    await closed(one)
    other.destroy()


async def test_net_socket_refuses_bad_handles() -> None:
    """What is no socket raises at once."""
    with pytest.raises(net.InvalidArgValueError):
        net.Socket(handle=object())
    for number in (-1, 987_654):
        with pytest.raises(net.SocketError, match="open EBADF"):
            net.Socket(fd=number)
    with pytest.raises(net.InvalidArgTypeError):
        net.Socket({"handel": None})


async def test_net_over_an_anyio_stream() -> None:
    """Any `anyio.abc.ByteStream` can be below a socket."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    received = bytearray()

    async def serve(stream: anyio.abc.SocketStream) -> None:
        accepted = net.Socket(handle=stream, allow_half_open=True)
        assert accepted.remote_address == "127.0.0.1"
        received.extend(await read_all(accepted))
        await accepted.end(b"got it").aclose()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        client = net.Socket(handle=await anyio.connect_tcp("127.0.0.1", port))
        client.end(bytes(1_000_000))
        assert await read_all(client) == b"got it"
        tasks.cancel_scope.cancel()
    assert received == bytes(1_000_000)
    await listener.aclose()


async def test_net_anyio_stream_that_breaks() -> None:
    """A stream that fails is a reset connection (H-011)."""
    send, receive = anyio.create_memory_object_stream[bytes](1)

    class Broken(anyio.abc.ByteStream):
        async def receive(self, max_bytes: int = 65536) -> bytes:
            return await receive.receive()

        async def send(self, item: bytes) -> None:
            raise anyio.BrokenResourceError

        async def send_eof(self) -> None:
            raise AssertionError("the write before it has failed")

        async def aclose(self) -> None:
            send.close()
            receive.close()

    client = net.Socket(handle=Broken())
    errors = record(client, "error")
    client.end("x")
    await closed(client)
    ((_, error),) = errors
    assert (error.code, error.syscall) == ("ECONNRESET", "write")
    await checkpoint()


def option(one: net.Socket, level: int, name: int) -> int:
    handle = one._handle
    assert handle is not None
    return handle.getsockopt(level, name)


async def test_net_no_delay() -> None:
    """From an option, before and after connect, on the server's side (N-086, H-146)."""
    flag = (socket.IPPROTO_TCP, socket.TCP_NODELAY)
    async with connected(no_delay=True) as (client, accepted):
        assert option(accepted, *flag)
        assert not option(client, *flag)
        assert client.set_no_delay() is client
        assert option(client, *flag)
        client.set_no_delay(False)
        assert not option(client, *flag)
    server = net.create_server(lambda accepted: accepted.resume().end())
    async with server.listen(0, "127.0.0.1"):
        for by_option in (True, False):
            early = net.Socket().set_no_delay(not by_option)
            target = {"port": port_of(server), "host": "127.0.0.1"}
            await early.connect(target, no_delay=by_option or None)
            assert option(early, *flag)
            await early.resume().aclose()


async def test_net_keep_alive() -> None:
    """With the delay, from options of both sides, before and after (N-087, H-147)."""
    flag = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    idle = (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", None))
    async with connected(keep_alive=True, keep_alive_initial_delay=7) as (one, other):
        assert option(other, *flag)
        assert not option(one, *flag)
        assert one.set_keep_alive(True, 5.0) is one
        assert option(one, *flag)
        if idle[1] is not None:
            assert option(other, idle[0], idle[1]) == 7
            assert option(one, idle[0], idle[1]) == 5
        one.set_keep_alive(False)
        assert not option(one, *flag)
    server = net.create_server(lambda accepted: accepted.resume().end())
    async with server.listen(0, "127.0.0.1"):
        target = {"port": port_of(server), "host": "127.0.0.1", "keep_alive": True}
        client = await net.connect(target, keep_alive_initial_delay=3)
        assert option(client, *flag)
        await client.resume().aclose()


async def test_net_settings_on_a_unix_socket_have_no_effect(tmp_path: Path) -> None:
    """TCP options are ignored there, and after close (H-146)."""
    server = net.create_server(lambda accepted: accepted.resume().end(), no_delay=True)
    async with server.listen(tmp_path / "s"):
        client = await net.connect(path=tmp_path / "s", no_delay=True, keep_alive=True)
        client.set_no_delay().set_keep_alive(True, 1)
        await client.resume().aclose()
        client.set_no_delay().set_keep_alive(True, 1)


async def test_net_keep_alive_delay_is_checked() -> None:
    """A bad duration raises (H-005)."""
    with pytest.raises(net.OutOfRangeError):
        net.Socket().set_keep_alive(True, -1)
    with pytest.raises(net.OutOfRangeError):
        net.create_server(keep_alive_initial_delay=float("nan"))

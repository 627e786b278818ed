"""A receiver takes a socket's bytes past the stream: `consume`, `release`, `send`."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headrace import net
from headrace.events import once
from headrace.events.loop import checkpoint
from headrace.net.testing import closed, connected, port_of, record, socket_pair


class Recorder:
    """A receiver that writes down what it is told."""

    def __init__(self, calls: list[Any] | None = None) -> None:
        self.calls: list[Any] = [] if calls is None else calls
        self.received = bytearray()

    def data_received(self, data: memoryview) -> None:
        self.received += data
        self.calls.append("data")

    def eof_received(self) -> None:
        self.calls.append("eof")

    def flushed(self) -> None:
        self.calls.append("flushed")

    def connection_lost(self, error: Exception | None) -> None:
        self.calls.append(("lost", error))


@pytest.fixture(params=["tcp", "memory"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Two connected sockets, once through the system and once in memory."""
    if request.param == "memory":
        yield socket_pair()
    else:
        async with connected() as both:
            yield both


Pair = tuple[net.Socket, net.Socket]


async def until(condition: Any) -> None:
    while not condition():
        await checkpoint()


async def test_net_receiver_gets_bytes_end_and_loss(pair: Pair) -> None:
    """Bytes as they come, the end, then the loss, before ``close``."""
    one, other = pair
    receiver = Recorder()
    other.on("close", lambda: receiver.calls.append("close"))
    stream = record(other, "data", "readable", "end")
    other.consume(receiver)
    one.end("hello")
    await until(lambda: "eof" in receiver.calls)
    other.destroy()
    await closed(other)
    assert receiver.received == b"hello"
    assert receiver.calls == ["data", "eof", ("lost", None), "close"]
    assert stream == []


async def test_net_receiver_that_is_ended_closes_by_itself(pair: Pair) -> None:
    """Both directions done: the socket closes, also with a receiver."""
    one, other = pair
    receiver = Recorder()
    other.consume(receiver)
    other.end("bye")
    await once(one.resume(), "end")
    await closed(other)
    assert receiver.calls == ["eof", ("lost", None)]


async def test_net_receiver_gets_what_the_stream_has_buffered(pair: Pair) -> None:
    """Unread data come first, with the next tick, then the end that was seen."""
    one, other = pair
    one.end("early")
    await until(lambda: other.readable_length == 5)
    await checkpoint()
    receiver = Recorder()
    other.consume(receiver)
    assert receiver.calls == []
    await until(lambda: len(receiver.calls) == 2)
    assert receiver.received == b"early"
    assert receiver.calls == ["data", "eof"]
    other.destroy()
    one.destroy()


async def test_net_release_goes_back_to_the_stream(pair: Pair) -> None:
    """What the receiver has not used comes first; the stream reads on."""
    one, other = pair
    receiver = Recorder()
    other.consume(receiver)
    one.write("head body")
    await until(lambda: receiver.received == b"head body")
    other.release(unread=b"body")
    one.end(" more")
    assert b"".join([chunk async for chunk in other]) == b"body more"
    assert receiver.calls == ["data"]


async def test_net_release_after_the_end(pair: Pair) -> None:
    """An end that the receiver has seen is the stream's end, too."""
    one, other = pair
    receiver = Recorder()
    other.consume(receiver)
    one.end("x")
    await until(lambda: "eof" in receiver.calls)
    other.release(unread=b"rest")
    assert [chunk async for chunk in other] == [b"rest"]
    await closed(one.resume())


async def test_net_release_inside_a_call_and_consume_again(pair: Pair) -> None:
    """A receiver may hand over in the middle of its calls."""
    one, other = pair

    class Handing(Recorder):
        def data_received(self, data: memoryview) -> None:
            super().data_received(data)
            other.release(unread=b"<" + bytes(data) + b">")

    other.consume(Handing())
    one.write("a")
    await once(other, "readable")
    last = Recorder()
    other.consume(last)
    one.write("b")
    await until(lambda: last.received == b"<a>b")
    one.destroy()
    other.destroy()


async def test_net_pause_receiving(pair: Pair) -> None:
    """Nothing comes between `pause_receiving` and `resume_receiving`."""
    one, other = pair
    receiver = Recorder()
    other.consume(receiver)
    other.pause_receiving()
    one.write("x")
    for _ in range(20):
        await checkpoint()
    assert receiver.calls == []
    other.resume_receiving()
    await until(lambda: receiver.received == b"x")
    one.destroy()
    other.destroy()


async def test_net_send_and_flushed(pair: Pair) -> None:
    """`send` tells whether all went out; `flushed` comes only after a False."""
    one, other = pair
    other.pause()
    receiver = Recorder()
    one.consume(receiver)
    assert one.send([b"small, ", memoryview(b"smaller, ")]) is True
    total, sent_at_once = 16, True
    while sent_at_once:
        sent_at_once = one.send([b"x" * 500_000, b"y" * 10])
        total += 500_010
    assert one.bytes_written == total
    assert receiver.calls == []
    received = 0

    def count(chunk: bytes) -> None:
        nonlocal received
        received += len(chunk)

    other.on("data", count)
    other.resume()
    await until(lambda: received == total)
    await until(lambda: receiver.calls)
    assert receiver.calls == ["flushed"]
    one.destroy()
    other.destroy()


async def test_net_send_and_write_share_one_queue(pair: Pair) -> None:
    """Bytes leave in the order of the calls, whichever way they were given."""
    one, other = pair
    one.consume(Recorder())
    blocked = False
    total = 0
    while not blocked:
        blocked = not one.send([b"a" * 1_000_000])
        total += 1_000_000
    one.write(b"b" * 10)
    one.send([b"c" * 10])
    one.end(b"d" * 10)
    received = b"".join([chunk async for chunk in other])
    assert received == b"a" * total + b"b" * 10 + b"c" * 10 + b"d" * 10


async def test_net_receiver_hears_of_a_reset() -> None:
    """The error goes to `connection_lost`, and to nobody else if nobody listens."""
    async with connected() as (client, accepted):
        receiver = Recorder()
        client.consume(receiver)
        accepted.reset_and_destroy()
        await until(lambda: client.closed)
        ((lost, error),) = receiver.calls
        assert lost == "lost"
        assert isinstance(error, ConnectionResetError)
        assert client.errored is error


async def test_net_error_listener_beside_a_receiver() -> None:
    """With a listener of ``error`` both hear of it."""
    async with connected() as (client, accepted):
        receiver = Recorder()
        client.consume(receiver)
        errors = record(client, "error")
        accepted.reset_and_destroy()
        await until(lambda: client.closed)
        assert [error for _, error in errors] == [client.errored]
        assert receiver.calls == [("lost", client.errored)]


async def test_net_consume_a_destroyed_socket(pair: Pair) -> None:
    """The receiver is told at once, with the next tick."""
    one, other = pair
    receiver = Recorder()
    one.destroy()
    one.consume(receiver)
    assert receiver.calls == []
    await closed(one)
    await until(lambda: receiver.calls)
    assert receiver.calls == [("lost", None)]
    other.destroy()


async def test_net_consume_while_connecting() -> None:
    """A receiver given early reads from the connection on."""
    async with connected() as (_, accepted):
        server = accepted._server
        assert server is not None
        arrival = once(server, "connection")
        client = net.Socket().connect(port_of(server), "127.0.0.1")
        receiver = Recorder()
        client.consume(receiver)
        (other,) = await arrival
        other.write("hello")
        await until(lambda: receiver.received == b"hello")
        client.destroy()
        await closed(other.resume())


async def test_net_receivers_view_ends_with_the_call() -> None:
    """The view is of a buffer shared by all connections: what is kept is copied."""
    async with connected() as (client, accepted):
        views: list[memoryview] = []

        class Keeping(Recorder):
            def data_received(self, data: memoryview) -> None:
                super().data_received(data)
                views.append(data)

        receiver = Keeping()
        accepted.consume(receiver)
        client.write("first")
        await until(lambda: len(views) == 1)
        client.write("other")
        await until(lambda: len(views) == 2)
        assert receiver.received == b"firstother"
        assert bytes(views[0]) == b"other"

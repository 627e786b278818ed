"""To and from anyio's streams (X-122)."""

import math
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream
from anyio.streams.stapled import StapledByteStream, StapledObjectStream

from headrace.events import loop
from headrace.streams import (
    Duplex,
    InvalidArgTypeError,
    PassThrough,
    PrematureCloseError,
    Readable,
    Writable,
    as_byte_stream,
    as_object_receive_stream,
    as_object_send_stream,
    as_receive_stream,
    as_send_stream,
    duplex_pair,
    finished,
    from_byte_stream,
    from_object_stream,
)
from headrace.streams.testing import EventLog, closed

Done = Callable[..., None]


def pushed(*chunks: bytes | None) -> Readable:
    stream = Readable(read=lambda size: None)
    for chunk in chunks:
        stream.push(chunk)
    return stream


class Slow(Writable):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.got: list[Any] = []
        self.waiting: list[Done] = []

    def _write(self, chunk: Any, encoding: str, callback: Done) -> None:
        self.got.append(chunk)
        self.waiting.append(callback)


# Ours for anyio


async def test_receive_gives_data_and_the_end() -> None:
    """At most `max_bytes`, then EndOfStream, again and again (X-122)."""
    receiver = as_receive_stream(pushed(b"abc", b"def", None))
    assert await receiver.receive(2) == b"ab"
    assert await receiver.receive(3) == b"cde"
    assert await receiver.receive() == b"f"
    for _ in range(2):
        with pytest.raises(anyio.EndOfStream):
            await receiver.receive()


async def test_receive_waits_for_data() -> None:
    """It returns as soon as there is something (X-122)."""
    stream = pushed()
    receiver = as_receive_stream(stream)
    loop.call_soon(stream.push, b"abc")
    assert await receiver.receive(2) == b"ab"
    await receiver.aclose()
    assert stream.destroyed
    assert stream.event_names() == []


async def test_cancelled_receive_loses_nothing() -> None:
    """Before, while waiting, or when data are there: the next call gets them."""
    stream = pushed(b"a")
    receiver = as_receive_stream(stream)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await receiver.receive()
    assert scope.cancelled_caught
    assert await receiver.receive() == b"a"
    with anyio.move_on_after(0):
        await receiver.receive()
    stream.push(b"b")
    assert await receiver.receive() == b"b"
    assert not stream.destroyed
    await receiver.aclose()


async def test_receive_of_a_broken_stream() -> None:
    """The error comes as BrokenResourceError with its cause (X-122)."""
    stream, error = pushed(), OSError("no")
    receiver = as_receive_stream(stream)
    stream.destroy(error)
    with pytest.raises(anyio.BrokenResourceError) as caught:
        await receiver.receive()
    assert caught.value.__cause__ is error


async def test_receive_after_close() -> None:
    """ClosedResourceError, also for one that was waiting (X-122)."""
    receiver = as_receive_stream(pushed())
    async with anyio.create_task_group() as tasks:

        @tasks.start_soon
        async def wait() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await receiver.receive()

        await anyio.wait_all_tasks_blocked()
        with pytest.raises(anyio.BusyResourceError):
            await receiver.receive()
        await receiver.aclose()
    with pytest.raises(anyio.ClosedResourceError):
        await receiver.receive()


async def test_send_waits_for_room() -> None:
    """`send` returns when more may be written (X-122)."""
    stream = Slow(high_water_mark=1)
    sender = as_send_stream(stream)
    done: list[str] = []
    async with anyio.create_task_group() as tasks:

        @tasks.start_soon
        async def send() -> None:
            await sender.send(b"abc")
            done.append("sent")

        await anyio.wait_all_tasks_blocked()
        assert (stream.got, done) == ([b"abc"], [])
        with pytest.raises(anyio.BusyResourceError):
            await sender.send(b"x")
        stream.waiting.pop()()
    assert done == ["sent"]
    stream.destroy()


async def test_cancelled_send_has_sent() -> None:
    """Cancelled while it waits for room: the item is written, once (X-122)."""
    stream = Slow(high_water_mark=1)
    sender = as_send_stream(stream)
    with anyio.move_on_after(0.01):
        await sender.send(b"abc")
    assert stream.got == [b"abc"]
    assert stream.writable_length == 3
    stream.destroy()


async def test_send_after_trouble() -> None:
    """Broken, with the cause; closed after `aclose` (X-122)."""
    broken, error = Slow(), OSError("no")
    sender = as_send_stream(broken)
    broken.destroy(error)
    with pytest.raises(anyio.BrokenResourceError) as caught:
        await sender.send(b"a")
    assert caught.value.__cause__ is error
    await sender.aclose()
    with pytest.raises(anyio.ClosedResourceError):
        await sender.send(b"a")


async def test_error_while_sending() -> None:
    """It wakes the one who waits for room (X-122)."""
    stream, error = Slow(high_water_mark=1), OSError("no")
    sender = as_send_stream(stream)
    loop.call_soon(stream.destroy, error)
    with pytest.raises(anyio.BrokenResourceError) as caught:
        await sender.send(b"abc")
    assert caught.value.__cause__ is error


async def test_closing_the_sender_flushes() -> None:
    """`aclose` ends the stream and waits until all is written (X-122)."""
    stream = Slow()
    sender = as_send_stream(stream)
    await sender.send(b"abc")
    loop.call_soon(lambda: stream.waiting.pop()())
    await sender.aclose()
    assert stream.writable_finished


async def test_cancelled_close_destroys() -> None:
    """`aclose` under cancellation does not wait and leaves nothing open (X-122)."""
    stream = Slow()
    sender = as_send_stream(stream)
    await sender.send(b"abc")
    with anyio.move_on_after(0):
        await sender.aclose()
    assert stream.destroyed
    await loop.checkpoint()


async def test_objects() -> None:
    """Streams in object mode are anyio's object streams (X-122)."""
    stream = PassThrough(object_mode=True)
    sender, receiver = as_object_send_stream(stream), as_object_receive_stream(stream)
    await sender.send({"a": 1})
    await sender.send("text")
    assert await receiver.receive() == {"a": 1}
    assert await receiver.receive() == "text"
    await sender.aclose()
    await receiver.aclose()
    assert stream.destroyed


async def test_byte_stream_over_a_duplex() -> None:
    """Both directions, `send_eof`, `aclose` (X-122)."""
    near, far = duplex_pair()
    stream = as_byte_stream(near)
    await stream.send(b"ping")
    await stream.send_eof()
    assert b"".join([chunk async for chunk in far.iterator()]) == b"ping"
    far.end(b"pong")
    assert [chunk async for chunk in stream] == [b"pong"]
    await stream.aclose()
    await closed(near)
    assert near.errored is None


async def test_wrong_streams_for_the_adapters() -> None:
    """Of another kind or mode: they raise at once (H-011)."""
    objects = PassThrough(object_mode=True)
    plain = PassThrough()
    wrong: list[tuple[Any, Any]] = [
        (as_receive_stream, objects),
        (as_receive_stream, PassThrough(encoding="utf8")),
        (as_receive_stream, Writable()),
        (as_send_stream, objects),
        (as_send_stream, Readable()),
        (as_byte_stream, objects),
        (as_object_receive_stream, plain),
        (as_object_send_stream, plain),
        (from_byte_stream, plain),
        (from_object_stream, plain),
    ]
    for adapt, stream in wrong:
        with pytest.raises(InvalidArgTypeError):
            adapt(stream)


# anyio's for us


class Wire(ByteStream):
    """A byte stream over memory object streams, which counts its calls."""

    def __init__(self) -> None:
        self.sender, self._theirs = anyio.create_memory_object_stream[bytes](10)
        self._ours, self.feed = anyio.create_memory_object_stream[bytes](10)[::-1]
        self.sent: list[bytes] = []
        self.calls: list[str] = []
        self.error: Exception | None = None

    async def receive(self, max_bytes: int = 65536) -> bytes:
        self.calls.append("receive")
        if self.error is not None:
            raise self.error
        return await self._ours.receive()

    async def send(self, item: bytes) -> None:
        self.calls.append("send")
        if self.error is not None:
            raise self.error
        await loop.checkpoint()
        self.sent.append(item)

    async def send_eof(self) -> None:
        self.calls.append("send_eof")

    async def aclose(self) -> None:
        self.calls.append("aclose")
        for part in (self.sender, self._theirs, self._ours, self.feed):
            part.close()


async def test_duplex_over_a_byte_stream() -> None:
    """Reads, writes, half-closes, and closes it when both sides are done (X-122)."""
    wire = Wire()
    stream = from_byte_stream(wire)
    stream.write(b"a")
    stream.write(b"b")
    stream.end(b"c")
    await wire.feed.send(b"answer")
    wire.feed.close()
    assert b"".join([chunk async for chunk in stream]) == b"answer"
    await closed(stream)
    assert b"".join(wire.sent) == b"abc"
    assert len(wire.sent) == 2  # what waited behind the first was sent together
    assert wire.calls[-1] == "aclose"
    assert "send_eof" in wire.calls


async def test_destroying_cancels_the_receive() -> None:
    """A stream that waits for data closes at once, and its byte stream too (X-122)."""
    wire = Wire()
    stream = from_byte_stream(wire)
    log = EventLog(stream, "end", "error", "close")
    stream.resume()
    await anyio.wait_all_tasks_blocked()
    stream.destroy()
    await closed(stream)
    assert log.names == ["close"]
    assert wire.calls == ["receive", "aclose"]


@pytest.mark.parametrize("kind", [anyio.BrokenResourceError, anyio.ClosedResourceError])
@pytest.mark.parametrize("way", ["read", "write"])
async def test_broken_byte_stream(kind: type[Exception], way: str) -> None:
    """It is a premature close, with the cause kept (X-122)."""
    wire = Wire()
    wire.error = kind()
    stream = from_byte_stream(wire)
    if way == "read":
        stream.resume()
    else:
        stream.write(b"x")
    with pytest.raises(PrematureCloseError) as caught:
        await finished(stream)
    assert caught.value.__cause__ is wire.error
    await closed(stream)
    assert wire.calls[-1] == "aclose"


async def test_other_errors_come_as_they_are() -> None:
    """What is not anyio's own is not translated (X-122)."""
    wire = Wire()
    wire.error = OSError("no")
    stream = from_byte_stream(wire)
    stream.resume()
    with pytest.raises(OSError, match="no") as caught:
        await finished(stream)
    assert caught.value is wire.error
    await closed(stream)


async def test_one_sided_streams() -> None:
    """A side that is not there is absent (X-122)."""
    sender, receiver = anyio.create_memory_object_stream[Any](math.inf)
    source, sink = from_object_stream(receiver), from_object_stream(sender)
    assert (source.readable, source.writable) == (True, False)
    assert (sink.readable, sink.writable) == (False, True)
    sink.write({"a": 1})
    sink.end(2)
    assert [item async for item in source] == [{"a": 1}, 2]
    await closed(sink)


async def test_back_pressure_of_a_byte_stream() -> None:
    """Nothing is received while nobody reads (H-161)."""
    wire = Wire()
    stream = from_byte_stream(wire)
    stream._make_readable_state(4)
    for _ in range(6):
        await wire.feed.send(b"abc")
    stream.read(0)
    for _ in range(10):
        await loop.checkpoint()
    assert wire.calls.count("receive") == 2
    assert stream.readable_length == 6
    stream.destroy()
    await closed(stream)


async def test_there_and_back_again() -> None:
    """A Duplex of ours, through anyio, is a Duplex of ours (X-122)."""
    near, far = duplex_pair()
    again = from_byte_stream(as_byte_stream(near))
    assert isinstance(again, Duplex)
    again.end(b"ping")
    assert b"".join([chunk async for chunk in far.iterator()]) == b"ping"
    far.end(b"pong")
    assert b"".join([chunk async for chunk in again]) == b"pong"
    await closed(again)
    await closed(near)


async def test_stapled_streams() -> None:
    """anyio's own combinations work in both directions (X-122)."""
    one, two = PassThrough(), PassThrough()
    stapled = StapledByteStream(as_send_stream(one), as_receive_stream(two))
    duplex = from_byte_stream(stapled)
    two.end(b"in")
    duplex.end(b"out")
    assert b"".join([chunk async for chunk in duplex]) == b"in"
    assert b"".join([chunk async for chunk in one]) == b"out"
    await closed(duplex)
    sender, receiver = anyio.create_memory_object_stream[Any](1)
    objects = from_object_stream(StapledObjectStream(sender, receiver))
    objects.end("echo")
    assert [item async for item in objects] == ["echo"]
    await closed(objects)

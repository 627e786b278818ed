"""To and from anyio's streams, bytes and objects, in both directions.

Source: X-122.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from anyio import (
    BrokenResourceError,
    BusyResourceError,
    ClosedResourceError,
    EndOfStream,
)
from anyio.abc import (
    ByteReceiveStream,
    ByteSendStream,
    ByteStream,
    ObjectReceiveStream,
    ObjectSendStream,
)
from anyio.lowlevel import checkpoint

from headrace.streams._duplex import Duplex
from headrace.streams._end_of_stream import finished, watch
from headrace.streams._errors import InvalidArgTypeError, PrematureCloseError
from headrace.streams._iterate import Reader
from headrace.streams._readable import Readable
from headrace.streams._writable import Writable

__all__ = [
    "as_byte_stream",
    "as_object_receive_stream",
    "as_object_send_stream",
    "as_receive_stream",
    "as_send_stream",
    "from_byte_stream",
    "from_object_stream",
]

T = TypeVar("T")


# Ours, for those who work with anyio ------------------------------------------------


class _Source:
    """Receives from a Readable as anyio promises it."""

    def __init__(self, readable: Readable) -> None:
        self._readable = readable
        self._reader = Reader(readable, destroys=True, gives_up=False)
        self._reader.start()
        self._busy = False
        self._closed = False

    async def take(self, most: int | None) -> Any:
        """Return the next data; a cancelled call has taken nothing."""
        if self._busy:
            raise BusyResourceError("reading from")
        self._busy = True
        try:
            await checkpoint()
            if self._closed:
                raise ClosedResourceError
            return await self._reader.next(most)
        except StopAsyncIteration:
            raise (ClosedResourceError if self._closed else EndOfStream) from None
        except (ClosedResourceError, BusyResourceError):
            raise
        except Exception as error:
            raise BrokenResourceError from error
        finally:
            self._busy = False

    def close(self) -> None:
        self._closed = True
        self._reader.close()


class _Sink:
    """Sends to a Writable as anyio promises it."""

    def __init__(self, writable: Writable) -> None:
        self._writable = writable
        self._busy = False
        self._closed = False
        # An error between two sends is told by the next one: it has a listener here.
        self._stop = watch(writable, self._on_done, readable=False)

    def _on_done(self, error: BaseException | None) -> None:
        """Count as a listener; `send` looks at the stream itself."""

    async def send(self, item: Any) -> None:
        """Write and wait for room; when cancelled meanwhile, the item is written."""
        if self._busy:
            raise BusyResourceError("writing to")
        self._busy = True
        writable = self._writable
        try:
            await checkpoint()
            if self._closed:
                raise ClosedResourceError
            if not writable.writable:
                raise BrokenResourceError from writable.errored
            writable.write(item)
            await self._drain()
        finally:
            self._busy = False

    async def _drain(self) -> None:
        try:
            await self._writable.drain()
        except Exception as error:
            raise (
                ClosedResourceError if self._closed else BrokenResourceError
            ) from error

    async def end(self) -> None:
        """End the writable side and wait until all is written."""
        self._writable.end()
        try:
            await finished(self._writable, readable=False)
        except Exception as error:
            raise BrokenResourceError from error

    async def close(self) -> None:
        """End and flush; when cancelled, or broken, destroy."""
        self._closed = True
        try:
            if not self._writable.destroyed:
                await self.end()
        except BrokenResourceError:
            return  # it is closed all the same
        finally:
            self._stop()
            if not self._writable.writable_finished:
                self._writable.destroy()


class _ReceiveStream(ByteReceiveStream):
    def __init__(self, readable: Readable) -> None:
        self._source = _Source(readable)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        data: bytes = await self._source.take(max_bytes)
        return data

    async def aclose(self) -> None:
        self._source.close()
        await checkpoint()


class _SendStream(ByteSendStream):
    def __init__(self, writable: Writable) -> None:
        self._sink = _Sink(writable)

    async def send(self, item: bytes) -> None:
        await self._sink.send(item)

    async def aclose(self) -> None:
        await self._sink.close()


class _ByteStream(ByteStream):
    def __init__(self, duplex: Duplex) -> None:
        self._source = _Source(duplex)
        self._sink = _Sink(duplex)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        data: bytes = await self._source.take(max_bytes)
        return data

    async def send(self, item: bytes) -> None:
        await self._sink.send(item)

    async def send_eof(self) -> None:
        await self._sink.end()

    async def aclose(self) -> None:
        try:
            await self._sink.close()
        finally:
            self._source.close()


class _ObjectReceiveStream(ObjectReceiveStream[Any]):
    def __init__(self, readable: Readable) -> None:
        self._source = _Source(readable)

    async def receive(self) -> Any:
        return await self._source.take(None)

    async def aclose(self) -> None:
        self._source.close()
        await checkpoint()


class _ObjectSendStream(ObjectSendStream[Any]):
    def __init__(self, writable: Writable) -> None:
        self._sink = _Sink(writable)

    async def send(self, item: Any) -> None:
        await self._sink.send(item)

    async def aclose(self) -> None:
        await self._sink.close()


def as_receive_stream(readable: Readable) -> ByteReceiveStream:
    """Return an anyio stream that receives the bytes of `readable`.

    Its `aclose` destroys the stream. Cancelling `receive` loses nothing. The stream's
    error comes as `BrokenResourceError`, with the error as its cause.

    Raises:
        InvalidArgTypeError: If `readable` is no Readable of bytes.

    Source: X-122.
    """
    _check_readable(readable, objects=False)
    return _ReceiveStream(readable)


def as_send_stream(writable: Writable) -> ByteSendStream:
    """Return an anyio stream that sends bytes to `writable`.

    `send` returns when there is room for more; cancelled meanwhile, it has sent. Its
    `aclose` ends the stream and waits until all is written; cancelled, it destroys it.

    Raises:
        InvalidArgTypeError: If `writable` is no Writable of bytes.

    Source: X-122.
    """
    _check_writable(writable, objects=False)
    return _SendStream(writable)


def as_byte_stream(duplex: Duplex) -> ByteStream:
    """Return an anyio stream over both sides of `duplex`; `send_eof` is `end()`.

    Raises:
        InvalidArgTypeError: If `duplex` is no Duplex of bytes.

    Source: X-122.
    """
    _check_readable(duplex, objects=False)
    _check_writable(duplex, objects=False)
    return _ByteStream(duplex)


def as_object_receive_stream(readable: Readable) -> ObjectReceiveStream[Any]:
    """Return an anyio stream that receives the chunks of an object mode `readable`.

    Raises:
        InvalidArgTypeError: If `readable` is no Readable in object mode.

    Source: X-122.
    """
    _check_readable(readable, objects=True)
    return _ObjectReceiveStream(readable)


def as_object_send_stream(writable: Writable) -> ObjectSendStream[Any]:
    """Return an anyio stream that sends objects to an object mode `writable`.

    Raises:
        InvalidArgTypeError: If `writable` is no Writable in object mode.

    Source: X-122.
    """
    _check_writable(writable, objects=True)
    return _ObjectSendStream(writable)


def _check_readable(stream: object, *, objects: bool) -> None:
    kind = "objects" if objects else "bytes"
    if (
        not isinstance(stream, Readable)
        or stream.readable_object_mode is not objects
        or (stream.readable_encoding is not None and not objects)
    ):
        raise InvalidArgTypeError("readable", f"a Readable of {kind}", stream)


def _check_writable(stream: object, *, objects: bool) -> None:
    kind = "objects" if objects else "bytes"
    if not isinstance(stream, Writable) or stream.writable_object_mode is not objects:
        raise InvalidArgTypeError("writable", f"a Writable of {kind}", stream)


# Theirs, for those who work with ours -------------------------------------------------


class _AnyioDuplex(Duplex):
    """Reads and writes an anyio stream; it is closed with this one."""

    def __init__(self, stream: Any, *, object_mode: bool) -> None:
        super().__init__(
            object_mode=object_mode,
            readable=hasattr(stream, "receive"),
            writable=hasattr(stream, "send"),
        )
        self._stream = stream

    async def _read(self, size: int) -> None:
        arguments = () if self.readable_object_mode else (size or 1,)
        try:
            chunk = await self._stream.receive(*arguments)
        except EndOfStream:
            self.push(None)
        except (BrokenResourceError, ClosedResourceError) as error:
            raise PrematureCloseError from error
        else:
            self.push(chunk)

    async def _write(
        self, chunk: Any, encoding: str, callback: Callable[..., None]
    ) -> None:
        try:
            await self._stream.send(chunk)
        except (BrokenResourceError, ClosedResourceError) as error:
            raise PrematureCloseError from error

    async def _final(self, callback: Callable[..., None]) -> None:
        # Only a stream with two sides has `send_eof`; another one is closed soon.
        send_eof = getattr(self._stream, "send_eof", None)
        if send_eof is not None:
            try:
                await send_eof()
            except (BrokenResourceError, ClosedResourceError) as error:
                raise PrematureCloseError from error

    async def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        await self._stream.aclose()
        if error is not None:
            raise error


class _AnyioByteDuplex(_AnyioDuplex):
    """The same for bytes: what has been written meanwhile is sent together."""

    async def _writev(
        self, chunks: list[tuple[Any, str]], callback: Callable[..., None]
    ) -> None:
        data = b"".join(chunk for chunk, _ in chunks)
        await self._write(data, "buffer", callback)


def from_byte_stream(stream: ByteReceiveStream | ByteSendStream) -> Duplex:
    """Return a Duplex over an anyio byte stream.

    A side that the stream does not have is absent. `end()` is `send_eof()`, and the
    stream is closed when both sides are done or the Duplex is destroyed. A broken
    stream gives `PrematureCloseError`.

    Raises:
        InvalidArgTypeError: If `stream` is no byte stream of anyio.

    Source: X-122.
    """
    if not isinstance(stream, ByteReceiveStream | ByteSendStream):
        raise InvalidArgTypeError("stream", "an anyio byte stream", stream)
    return _AnyioByteDuplex(stream, object_mode=False)


def from_object_stream(
    stream: ObjectReceiveStream[Any] | ObjectSendStream[Any],
) -> Duplex:
    """Return a Duplex in object mode over an anyio object stream.

    Raises:
        InvalidArgTypeError: If `stream` is no object stream of anyio.

    Source: X-122.
    """
    if not isinstance(stream, ObjectReceiveStream | ObjectSendStream):
        raise InvalidArgTypeError("stream", "an anyio object stream", stream)
    return _AnyioDuplex(stream, object_mode=True)

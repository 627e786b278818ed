"""`finished`: learn that a stream is done, however it came to that.

Source: X-111.
"""

from collections.abc import Callable, Coroutine
from typing import Any, overload

from headrace.streams._errors import InvalidArgTypeError, PrematureCloseError
from headrace.streams._stream import Stream

__all__ = ["finished", "watch"]

FinishedCallback = Callable[[Exception | None], object]


class Watch:
    """Listens to one stream until it is done, then calls back once.

    Works through public properties and events only, so that it serves streams which
    override everything else.
    """

    __slots__ = ("_callback", "_readable", "_writable", "stream")

    def __init__(
        self,
        stream: Any,
        callback: FinishedCallback,
        readable: bool | None,
        writable: bool | None,
    ) -> None:
        if not isinstance(stream, Stream):
            raise InvalidArgTypeError("stream", "a stream", stream)
        if not callable(callback):
            raise InvalidArgTypeError("callback", "callable", callback)
        self.stream: Any = stream
        self._callback: FinishedCallback | None = callback
        self._readable = stream._is_readable_side() if readable is None else readable
        self._writable = stream._is_writable_side() if writable is None else writable

    def start(self) -> None:
        """Listen; call back with the next tick if it has happened already."""
        stream = self.stream
        stream.on("end", self._on_progress)
        stream.on("finish", self._on_progress)
        stream.on("error", self._on_error)
        stream.on("close", self._on_close)
        failed = stream.errored is not None and not stream.destroyed
        if failed or stream.closed or (self._is_complete() and not self._will_close()):
            stream.loop().next_tick_for(stream._owner, self._on_close)

    def stop(self) -> None:
        """Remove the listeners; the callback will not be called."""
        self._callback = None
        stream = self.stream
        stream.off("end", self._on_progress)
        stream.off("finish", self._on_progress)
        stream.off("error", self._on_error)
        stream.off("close", self._on_close)

    def _is_complete(self) -> bool:
        stream = self.stream
        return (
            stream.errored is None
            and (not self._readable or stream.readable_ended)
            and (not self._writable or stream.writable_finished)
        )

    def _settle(self, error: Any) -> None:
        callback = self._callback
        if callback is not None:
            self.stop()
            callback(error)

    def _will_close(self) -> bool:
        """Return whether ``close`` follows by itself, and so is worth waiting for.

        What the stream holds, a file perhaps, is free then. Not so if only one of two
        sides is watched, or if the stream does without our machinery.
        """
        stream = self.stream
        if stream._closes_by_itself:
            return not stream.closed
        return (
            stream._auto_destroy
            and not stream.closed
            and self._readable == (stream._readable_state is not None)
            and self._writable == (stream._writable_state is not None)
            and self._readable == stream._is_readable_side()
            and self._writable == stream._is_writable_side()
        )

    def _on_progress(self) -> None:
        if self._is_complete() and not self._will_close():
            self._settle(None)

    def _on_error(self, error: BaseException) -> None:
        self._settle(error)

    def _on_close(self, *_: object) -> None:
        if self._is_complete():
            self._settle(None)
        else:
            self._settle(self.stream.errored or PrematureCloseError())


def watch(
    stream: Any,
    callback: FinishedCallback,
    readable: bool | None = None,
    writable: bool | None = None,
) -> Callable[[], None]:
    """Call back when `stream` is done; return the function that stops listening."""
    watching = Watch(stream, callback, readable, writable)
    watching.start()
    return watching.stop


@overload
def finished(
    stream: Stream, *, readable: bool | None = None, writable: bool | None = None
) -> Coroutine[Any, Any, None]: ...
@overload
def finished(
    stream: Stream,
    callback: FinishedCallback,
    *,
    readable: bool | None = None,
    writable: bool | None = None,
) -> Callable[[], None]: ...
def finished(
    stream: Stream,
    callback: FinishedCallback | None = None,
    *,
    readable: bool | None = None,
    writable: bool | None = None,
) -> Coroutine[Any, Any, None] | Callable[[], None]:
    """Wait until a stream has ended, finished, failed or closed.

    Works also when that has happened already. No listener stays behind.

    Args:
        stream: The stream.
        callback: Called once, with None or the error. Without it, await the result.
        readable: Whether the readable side must end; by default, if there is one.
        writable: Whether the writable side must finish; by default, if there is one.

    Returns:
        With a callback, a function that removes the listeners. Else an awaitable that
        raises the error; cancelling it only stops the waiting.

    Raises:
        PrematureCloseError: (or to the callback) If the stream closed before its end.
        InvalidArgTypeError: If `stream` is no stream, or `callback` not callable.

    Source: X-111.
    """
    if callback is None:
        return _finished(stream, readable, writable)
    return watch(stream, callback, readable, writable)


async def _finished(
    stream: Stream, readable: bool | None, writable: bool | None
) -> None:
    waiter = stream.loop().waiter()

    def done(error: BaseException | None) -> None:
        if error is None:
            waiter.set()
        else:
            waiter.fail(error)

    stop = watch(stream, done, readable, writable)
    try:
        await waiter.wait()
    finally:
        stop()

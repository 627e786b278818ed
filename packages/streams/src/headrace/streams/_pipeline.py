"""`pipeline`: join streams, and destroy all of them when one fails.

Source: X-110.
"""

import inspect
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from typing import Any

from headrace.streams._destroy import fail
from headrace.streams._end_of_stream import watch
from headrace.streams._errors import (
    InvalidArgTypeError,
    MissingArgsError,
    StreamDestroyedError,
)
from headrace.streams._hooks import adopt
from headrace.streams._readable import Readable
from headrace.streams._stream import Stream
from headrace.streams._writable import Writable

__all__ = ["pipeline"]

PipelineCallback = Callable[[BaseException | None], object]


def pipeline(
    *stages: Any, callback: PipelineCallback | None = None, end: bool = True
) -> Any:
    """Join `stages` from the first to the last and forward errors.

    A stage is a stream; the first may be an iterable or async iterable, or a function
    that returns one. A later one may be a function of the chunks before it (an async
    iterable): an async generator function, or for the last one a coroutine function,
    whose value is the result.

    The first error destroys all stages.

    Args:
        *stages: Two or more. A plain function in the last place is the callback.
        callback: Called once, with None or the first error.
        end: Whether to end the last stage.

    Returns:
        With a callback, the last stream. Else an awaitable; cancelling it destroys all
        stages.

    Raises:
        MissingArgsError: If there are fewer than two stages.
        InvalidArgTypeError: If something is no stage.

    Source: X-110.
    """
    if callback is None and stages and _is_callback(stages[-1]):
        *rest, callback = stages
        stages = tuple(rest)
    if len(stages) == 1 and isinstance(stages[0], list | tuple):
        stages = tuple(stages[0])
    if callback is not None and not callable(callback):
        raise InvalidArgTypeError("callback", "callable", callback)
    if len(stages) < 2:
        raise MissingArgsError("at least two stages")
    if callback is None:
        return _pipeline(stages, end=end)
    return Pipeline(stages, callback, end=end).start()


def _is_callback(stage: Any) -> bool:
    return (
        callable(stage)
        and not isinstance(stage, Stream)
        and not inspect.iscoroutinefunction(stage)
        and not inspect.isasyncgenfunction(stage)
        and not inspect.isgeneratorfunction(stage)
    )


async def _pipeline(stages: tuple[Any, ...], *, end: bool) -> Any:
    from headrace.events import loop

    waiter: loop.Waiter[None] = loop.current().waiter()

    def done(error: BaseException | None) -> None:
        if error is None:
            waiter.set()
        else:
            waiter.fail(error)

    running = Pipeline(stages, done, end=end)
    running.start()
    try:
        await waiter.wait()
    except BaseException:
        running.abort()
        raise
    return running.value


class Pipeline:
    """A pipeline at work.

    Attributes:
        value: What the last stage returned, if it is a coroutine function.
    """

    __slots__ = ("_callback", "_end", "_pending", "_streams", "stages", "value")

    def __init__(
        self, stages: tuple[Any, ...], callback: PipelineCallback, *, end: bool
    ) -> None:
        self.stages = stages
        self.value: Any = None
        self._callback: PipelineCallback | None = callback
        self._end = end
        self._streams: list[Any] = []
        self._pending = 0

    def start(self) -> Any:
        """Join the stages; return the last stream."""
        before: Any = None
        last = len(self.stages) - 1
        joined: list[tuple[Any, Any, bool]] = []
        for index, stage in enumerate(self.stages):
            stream = self._stream_of(stage, before, index == last)
            if before is not None and isinstance(stage, Stream):
                joined.append((before, stream, self._end or index < last))
            before = stream
        for index, stream in enumerate(self._streams):
            self._watch(stream, index)
        for source, destination, end in joined:
            source.pipe(destination, end=end)
        return before

    def _stream_of(self, stage: Any, before: Any, is_last: bool) -> Any:
        if isinstance(stage, Stream):
            stream: Any = stage
        elif before is None:
            source = stage() if callable(stage) else stage
            if not isinstance(source, Iterable | AsyncIterable):
                raise InvalidArgTypeError("source", "a stream or an iterable", source)
            stream = Readable.from_(source)
        elif callable(stage):
            stream = self._apply(stage, before, is_last)
        else:
            raise InvalidArgTypeError("stage", "a stream or a function", stage)
        self._streams.append(stream)
        return stream

    def _apply(self, function: Any, before: Any, is_last: bool) -> Any:
        result = function(before.iterator())
        if inspect.iscoroutine(result):
            if not is_last:
                result.close()
                raise InvalidArgTypeError("stage", "an async generator", function)
            return _Consumer(result, self)
        if not isinstance(result, AsyncIterable | Iterable):
            raise InvalidArgTypeError("stage", "a function of chunks", function)
        stream = Readable.from_(result)
        return stream.resume() if is_last else stream

    def _watch(self, stream: Any, index: int) -> None:
        self._pending += 1
        is_first, is_last = index == 0, index == len(self._streams) - 1
        readable = stream._is_readable_side() and (not is_last or index == 0)
        writable = stream._is_writable_side() and not is_first
        if is_last and not self._end:
            writable = False
        if is_last and not writable:
            readable = stream._is_readable_side() and not isinstance(stream, Writable)
        watch(stream, self._on_done, readable, writable)

    def _on_done(self, error: BaseException | None) -> None:
        self._pending -= 1
        if error is not None:
            self._settle(error)
        elif not self._pending:
            self._settle(None)

    def _settle(self, error: BaseException | None) -> None:
        callback, self._callback = self._callback, None
        if callback is None:
            return
        if error is not None:
            self._destroy_all(error)
        callback(error)

    def _destroy_all(self, error: BaseException) -> None:
        for stream in self._streams:
            if not stream.destroyed:
                _guard(stream)
                stream.destroy(error)

    def abort(self) -> None:
        """Destroy everything: nobody waits for the result any more."""
        self._callback = None
        self._destroy_all(StreamDestroyedError("go on"))


def _guard(stream: Any) -> None:
    """Take the error with which a stage is destroyed: it was told elsewhere."""

    def ignore(error: BaseException) -> None:
        """Do nothing."""

    def closed(*_: object) -> None:
        stream.off("error", ignore)
        stream.off("close", closed)

    stream.on("error", ignore)
    stream.on("close", closed)


class _Consumer(Writable):
    """Stands for a last stage that is a coroutine: finishes when it returns."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], owner: Pipeline) -> None:
        super().__init__()
        self._pipeline = owner
        adopt(self, coroutine, self._returned)

    def _returned(self, error: BaseException | None, value: Any = None) -> None:
        if error is not None:
            fail(self, error)
        else:
            self._pipeline.value = value
            self.end()

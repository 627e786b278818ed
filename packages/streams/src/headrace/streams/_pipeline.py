"""`pipeline`: join streams, and destroy all of them when one fails.

Source: X-110.
"""

import inspect
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from typing import Any

from headrace.events import loop
from headrace.streams._destroy import fail
from headrace.streams._end_of_stream import watch
from headrace.streams._errors import (
    AbortError,
    InvalidArgTypeError,
    MissingArgsError,
    PrematureCloseError,
    StreamDestroyedError,
    WriteAfterEndError,
)
from headrace.streams._hooks import adopt
from headrace.streams._readable import Readable
from headrace.streams._stream import Stream
from headrace.streams._writable import Writable

__all__ = ["Pipeline", "is_stage_function", "pipeline"]

PipelineCallback = Callable[[Exception | None], object]


def pipeline(
    *stages: Any, callback: PipelineCallback | None = None, end: bool = True
) -> Any:
    """Join `stages` from the first to the last and forward errors.

    A stage is a stream. The first may also be an iterable, an async iterable, or a
    function that returns one. A later one may be a function of the chunks before it (an
    async iterable): an async generator function, or in the last place a coroutine
    function, whose value is the result.

    The first error destroys all stages. A function that returns before its source has
    ended destroys what stands before it, and that is no error.

    Args:
        *stages: Two or more, or one list of them. A plain function in the last place is
            the callback.
        callback: Called once, with None or the first error.
        end: Whether to end the last stage.

    Returns:
        With a callback, the last stream. Else an awaitable, which starts the work;
        cancelling it destroys all stages.

    Raises:
        MissingArgsError: If there are fewer than two stages.
        InvalidArgTypeError: If something is no stage.

    Source: X-110.
    """
    if callback is None and stages and _is_callback(stages[-1]):
        *rest, callback = stages
        stages = tuple(rest)
    if callback is not None and not callable(callback):
        raise InvalidArgTypeError("callback", "callable", callback)
    if len(stages) == 1 and isinstance(stages[0], list | tuple):
        stages = tuple(stages[0])
    _check(stages)
    if callback is None:
        return _run(stages, end=end)
    return Pipeline(stages, callback, end=end).start()


def is_stage_function(stage: object) -> bool:
    """Return whether `stage` is a generator, async generator or coroutine function."""
    return (
        inspect.iscoroutinefunction(stage)
        or inspect.isasyncgenfunction(stage)
        or inspect.isgeneratorfunction(stage)
    )


def _is_callback(stage: Any) -> bool:
    return (
        callable(stage)
        and not isinstance(stage, Stream | Iterable | AsyncIterable)
        and not is_stage_function(stage)
    )


def _check(stages: tuple[Any, ...]) -> None:
    if len(stages) < 2:
        raise MissingArgsError("at least two stages")
    last = len(stages) - 1
    for index, stage in enumerate(stages):
        if isinstance(stage, Stream):
            if index < last and not isinstance(stage, Readable):
                raise InvalidArgTypeError("stage", "a stream to read from", stage)
            if index > 0 and not isinstance(stage, Writable):
                raise InvalidArgTypeError("stage", "a stream to write to", stage)
        elif not callable(stage) and (
            index > 0 or not isinstance(stage, Iterable | AsyncIterable)
        ):
            raise InvalidArgTypeError("stage", "a stream or a function", stage)


async def _run(stages: tuple[Any, ...], *, end: bool) -> Any:
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


class _Stage:
    """One stream of a pipeline.

    Attributes:
        stream: The stream.
        piped_from: The stream that is piped into it.
        feeds_function: Whether a function reads it.
        must_end: Whether the pipeline waits for it.
        stop: Stops watching it; None when it is done.
    """

    __slots__ = ("feeds_function", "must_end", "piped_from", "stop", "stream")

    def __init__(self, stream: Any, piped_from: Any = None) -> None:
        self.stream = stream
        self.piped_from = piped_from
        self.feeds_function = False
        self.must_end = True
        self.stop: Callable[[], None] | None = None

    def find_fault(self, *, is_last: bool) -> BaseException | None:
        """Return what makes it impossible to begin."""
        stream = self.stream
        if self.piped_from is not None and not stream.writable:
            if stream.errored is not None or stream.destroyed:
                return stream.errored or StreamDestroyedError("pipe")
            return WriteAfterEndError()
        if not is_last and not stream.readable and not stream.readable_ended:
            return stream.errored or PrematureCloseError()
        return None


class Pipeline:
    """A pipeline at work.

    Attributes:
        value: What the last stage returned, if it is a coroutine function.
    """

    __slots__ = ("_callback", "_end", "_functions", "_stages", "value")

    def __init__(
        self, functions: tuple[Any, ...], callback: PipelineCallback, *, end: bool
    ) -> None:
        self.value: Any = None
        self._functions = functions
        self._callback: PipelineCallback | None = callback
        self._end = end
        self._stages: list[_Stage] = []

    def start(self) -> Any:
        """Join the stages; return the last stream."""
        last = len(self._functions) - 1
        for index, function in enumerate(self._functions):
            self._stages.append(self._make(function, is_last=index == last))
        stages = self._stages
        for index, stage in enumerate(stages):
            fault = stage.find_fault(is_last=index == last)
            if fault is not None:
                loop.current().next_tick(self._settle, fault)
                return stages[-1].stream
        for index, stage in enumerate(stages):
            self._watch(index, stage, is_last=index == last)
        for index, stage in enumerate(stages):
            if stage.piped_from is not None:
                end = self._end or index < last
                stage.piped_from.pipe(stage.stream, end=end)
        return stages[-1].stream

    def _make(self, function: Any, *, is_last: bool) -> _Stage:
        before = self._stages[-1] if self._stages else None
        if isinstance(function, Stream):
            return _Stage(function, before and before.stream)
        if before is None:
            source = function() if callable(function) else function
            return _Stage(Readable.from_(source))
        before.feeds_function = True
        result = function(before.stream.iterator())
        if inspect.iscoroutine(result) and is_last:
            return _Stage(_Consumer(result, self))
        if inspect.iscoroutine(result):
            result.close()
        elif isinstance(result, AsyncIterable | Iterable):
            stream = Readable.from_(result)
            return _Stage(stream.resume() if is_last else stream)
        raise InvalidArgTypeError("stage", "an async generator function", function)

    def _watch(self, index: int, stage: _Stage, *, is_last: bool) -> None:
        stream = stage.stream
        reads = not is_last or not isinstance(stream, Writable)
        writes = index > 0 and isinstance(stream, Writable)
        # One that is not ended has only to go on working until its source has ended.
        stage.must_end = not (is_last and writes) or self._end

        def done(error: BaseException | None) -> None:
            stage.stop = None
            self._on_done(index, error)

        stage.stop = watch(stream, done, reads, writes)

    def _on_done(self, index: int, error: BaseException | None) -> None:
        stage = self._stages[index]
        if error is not None:
            if not stage.feeds_function or not isinstance(error, PrematureCloseError):
                self._settle(error)
                return
            self._give_up_before(index)  # the function has let go of its source
        elif stage.piped_from is not None and not stage.piped_from.readable_ended:
            self._settle(PrematureCloseError())
            return
        if not any(one.stop is not None and one.must_end for one in self._stages):
            self._settle(None)

    def _give_up_before(self, index: int) -> None:
        """Destroy what nobody reads any more because a function has returned."""
        for stage in self._stages[:index]:
            if stage.stop is not None:
                stage.stop()
                stage.stop = None
            _destroy_quietly(stage.stream, None)

    def _settle(self, error: Any) -> None:
        callback, self._callback = self._callback, None
        if callback is None:
            return
        if error is not None:
            self._destroy_all(error)
        self._stop_watching()
        # In a tick: what the callback raises is not the fault of who emits here.
        loop.current().next_tick(callback, error)

    def _stop_watching(self) -> None:
        for stage in self._stages:
            if stage.stop is not None:
                stage.stop()
                stage.stop = None

    def _destroy_all(self, error: BaseException) -> None:
        for stage in self._stages:
            _destroy_quietly(stage.stream, error)

    def abort(self) -> None:
        """Destroy everything: nobody waits for the result any more."""
        if self._callback is not None:
            self._callback = None
            self._destroy_all(AbortError())
            self._stop_watching()


def _destroy_quietly(stream: Any, error: BaseException | None) -> None:
    """Destroy a stage with an error that was told elsewhere."""
    if stream.destroyed:
        return

    def ignore(_: BaseException) -> None:
        """Count as a listener."""

    def closed(*_: object) -> None:
        stream.off("error", ignore)
        stream.off("close", closed)

    stream.on("error", ignore)
    stream.on("close", closed)
    stream.destroy(error)


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

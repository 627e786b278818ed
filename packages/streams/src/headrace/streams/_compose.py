"""`compose` and `Duplex.from_`: one Duplex over several things.

Source: X-115.
"""

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import Any

from headrace.streams._destroy import fail
from headrace.streams._duplex import Duplex
from headrace.streams._end_of_stream import watch
from headrace.streams._errors import InvalidArgTypeError, MissingArgsError
from headrace.streams._pipeline import Pipeline, is_stage_function
from headrace.streams._readable import Readable
from headrace.streams._transform import PassThrough
from headrace.streams._writable import Writable

__all__ = ["compose", "duplex_from"]


def compose(*stages: Any) -> Duplex:
    """Return one Duplex that stands for `stages` joined by `pipeline`.

    What is written to it goes to the first, what it gives comes from the last; an error
    or the end of one is that of the whole.

    Args:
        *stages: What `Duplex.from_` takes, one or more.

    Raises:
        MissingArgsError: If there is no stage.
        InvalidArgTypeError: If something is no stage.

    Source: X-115.
    """
    if not stages:
        raise MissingArgsError("at least one stage")
    streams = [duplex_from(stage) for stage in stages]
    if len(streams) == 1:
        return streams[0]
    first, last = streams[0], streams[-1]
    whole = _Joined(
        last if last._is_readable_side() else None,
        first if first._is_writable_side() else None,
        sink=None if last._is_readable_side() else last,
    )

    def done(error: BaseException | None) -> None:
        if error is not None:
            fail(whole, error)

    Pipeline(tuple(streams), done, end=True).start()
    return whole


def duplex_from(source: Any) -> Duplex:
    """Return a Duplex over `source`; see `Duplex.from_`."""
    if isinstance(source, Duplex):
        return source
    if isinstance(source, Readable):
        return _Joined(source, None)
    if isinstance(source, Writable):
        return _Joined(None, source)
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if is_stage_function(source):
        return _from_function(source)
    if isinstance(source, Iterable | AsyncIterable):
        return _Joined(Readable.from_(source), None)
    raise InvalidArgTypeError("source", "a stream, an iterable or a function", source)


def _from_mapping(sides: Mapping[Any, Any]) -> Duplex:
    output, entry = sides.get("readable"), sides.get("writable")
    if (
        not sides.keys() <= {"readable", "writable"}
        or not isinstance(output, Readable | None)
        or not isinstance(entry, Writable | None)
    ):
        raise InvalidArgTypeError("source", "a Readable and a Writable", sides)
    return _Joined(output, entry)


def _from_function(function: Any) -> Duplex:
    """Return a Duplex whose chunks `function` reads and, if a generator, makes."""
    entry = PassThrough(object_mode=True)
    result = function(entry.iterator())
    if inspect.iscoroutine(result):
        return _Joined(None, _Sink(entry, result))
    return _Joined(Readable.from_(result), entry)


class _Joined(Duplex):
    """Reads from one stream and writes to another.

    Args:
        output: Where to read from.
        entry: Where to write to.
        sink: What must have finished for this to finish; by default the entry.
    """

    def __init__(
        self,
        output: Readable | None,
        entry: Writable | None,
        *,
        sink: Writable | None = None,
    ) -> None:
        super().__init__(
            readable=output is not None,
            writable=entry is not None,
            readable_object_mode=output is not None and output.readable_object_mode,
            writable_object_mode=entry is not None and entry.writable_object_mode,
        )
        self._output = output
        self._entry = entry
        self._sink = sink
        self._wanted = False
        self._held: Callable[..., None] | None = None
        self._stops = [
            watch(part, self._on_part_done, part is output, part is entry)
            for part in dict.fromkeys((output, entry))
            if part is not None
        ]
        if output is not None:
            output.on("readable", self._pull)
            output.on("end", self._on_end)
        if entry is not None:
            entry.on("drain", self._go_on)

    def _on_part_done(self, error: BaseException | None) -> None:
        if error is not None:
            fail(self, error)

    def _read(self, size: int) -> None:
        self._wanted = True
        self._pull()

    def _pull(self) -> None:
        output = self._output
        while self._wanted and output is not None:
            chunk = output.read()
            if chunk is None:
                break
            self._wanted = self.push(chunk)

    def _on_end(self) -> None:
        self.push(None)

    def _write(self, chunk: Any, encoding: str, callback: Callable[..., None]) -> None:
        entry = self._entry
        name = None if encoding == "buffer" else encoding
        if entry is None or entry.write(chunk, name):
            callback(None)
        else:
            self._held = callback

    def _go_on(self) -> None:
        callback, self._held = self._held, None
        if callback is not None:
            callback(None)

    def _final(self, callback: Callable[..., None]) -> None:
        if self._entry is None:
            callback(None)
        elif self._sink is None:
            self._entry.end(callback)
        else:
            self._entry.end()
            self._stops.append(watch(self._sink, callback, False, True))

    def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        for stop in self._stops:
            stop()
        # A part that is done is left alone: its other side may be somebody else's.
        if self._output is not None:
            self._output.off("readable", self._pull)
            self._output.off("end", self._on_end)
            if not self._output.readable_ended:
                self._output.destroy()
        if self._entry is not None:
            self._entry.off("drain", self._go_on)
            if not self._entry.writable_finished:
                self._entry.destroy()
        callback(error)


class _Sink(Writable):
    """Feeds a coroutine through a PassThrough and finishes when it returns."""

    def __init__(self, entry: PassThrough, coroutine: Any) -> None:
        super().__init__(object_mode=True)
        self._entry = entry
        self._outcome: Any = self.loop().waiter()
        self.loop().spawn(self._consume(coroutine), on_error=self._failed)
        entry.on("drain", self._go_on)
        self._held: Callable[..., None] | None = None

    async def _consume(self, coroutine: Any) -> None:
        await coroutine
        self._outcome.set()

    def _failed(self, error: Exception) -> None:
        self._outcome.set()
        fail(self, error)

    def _write(self, chunk: Any, encoding: str, callback: Callable[..., None]) -> None:
        if self._entry.destroyed or self._entry.write(chunk):
            callback(None)
        else:
            self._held = callback

    def _go_on(self) -> None:
        callback, self._held = self._held, None
        if callback is not None:
            callback(None)

    async def _final(self, callback: Callable[..., None]) -> None:
        if not self._entry.destroyed:
            self._entry.end()
        await self._outcome.wait()

    def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        self._entry.destroy()
        callback(error)

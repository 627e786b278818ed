"""Transform: a Duplex whose output is made from its input; PassThrough.

Source: H-165.
"""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import iscoroutine
from typing import Any

from headrace.streams._destroy import fail
from headrace.streams._duplex import Duplex
from headrace.streams._errors import MethodNotImplementedError, MultipleCallbackError
from headrace.streams._hooks import adopt, run_hook
from headrace.streams._options import TRANSFORM_OPTIONS, apply_options, merge_options
from headrace.streams._state import Writing
from headrace.streams._stream import Stream

__all__ = ["PassThrough", "Transform"]


class Transform(Duplex):
    """Gives, changed, what is written to it.

    Args:
        options: The keywords as one mapping; keywords win.
        **keywords: Those of Duplex, and the hooks `transform` and `flush`.
    """

    __slots__ = ()

    def __init__(self, options: Mapping[str, Any] | None = None, /, **keywords: Any):
        Stream.__init__(self)
        if options is not None or keywords:
            apply_options(self, merge_options(TRANSFORM_OPTIONS, options, keywords))

    #: The callback of a write that waits until somebody reads.
    _waiting: Callable[..., None] | None = None

    def _transform(
        self, chunk: Any, encoding: str, callback: Callable[..., None]
    ) -> object:
        """Turn one chunk into any number of others.

        May be an `async def`; what it returns is pushed.

        Args:
            chunk: As for `_write`.
            encoding: As for `_write`.
            callback: To be called once with the error or None, and optionally the
                result; more results are given to `push`.
        """
        raise MethodNotImplementedError("_transform()")

    def _flush(self, callback: Callable[..., None]) -> object:
        """Push what is left after the last chunk. May be an `async def`.

        Args:
            callback: As for `_transform`.
        """
        callback(None)
        return None

    def _write(
        self, chunk: Any, encoding: str, callback: Callable[..., None]
    ) -> object:
        done = partial(self._transformed, callback)
        result = self._transform(chunk, encoding, done)
        if result is not None and iscoroutine(result):
            adopt(self, result, done)
        return None

    def _transformed(
        self,
        callback: Callable[..., None],
        error: BaseException | None = None,
        value: Any = None,
    ) -> None:
        state = self._writable_state
        if error is not None or state is None or not state.writing or self._waiting:
            callback(error)  # after the first time it tells of the second
            return
        readable = self._readable_state or self._make_readable_state()
        before = readable.buffer.length
        if value is not None:
            self.push(value)
        length = readable.buffer.length
        # Writing goes on while there is room. A chunk that gave nothing always goes on:
        # nobody would read and call `_read` because of it.
        if (
            length < readable.high_water_mark
            or length == before
            or state.side is not Writing.OPEN
        ):
            callback(None)
        else:
            self._waiting = callback

    def _read(self, size: int) -> object:
        callback, self._waiting = self._waiting, None
        if callback is not None:
            callback(None)
        return None

    def _final(self, callback: Callable[..., None]) -> object:
        run_hook(self, self._flush, partial(self._flushed, callback))
        return None

    def _flushed(
        self,
        callback: Callable[..., None],
        error: BaseException | None = None,
        value: Any = None,
    ) -> None:
        state = self._writable_state
        if error is None and state is not None and state.side is Writing.FINISHED:
            fail(self, MultipleCallbackError())
        elif error is not None or self.destroyed:
            callback(error)
        else:
            if value is not None:
                self.push(value)
            self.push(None)
            callback(None)


class PassThrough(Transform):
    """Gives what is written to it, unchanged."""

    __slots__ = ()

    def _transform(
        self, chunk: Any, encoding: str, callback: Callable[..., None]
    ) -> object:
        callback(None, chunk)
        return None

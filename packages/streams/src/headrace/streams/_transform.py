"""Transform: a Duplex whose output is made from its input; PassThrough.

Source: H-165.
"""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import iscoroutine
from typing import Any, Final, Unpack

from headrace.streams._destroy import fail
from headrace.streams._duplex import Duplex
from headrace.streams._errors import MethodNotImplementedError, MultipleCallbackError
from headrace.streams._hooks import adopt, run_hook
from headrace.streams._options import (
    TRANSFORM_OPTIONS,
    TransformOptions,
    apply_options,
    merge_options,
)
from headrace.streams._state import Writing
from headrace.streams._stream import Stream

__all__ = ["PassThrough", "Transform"]

_OPEN: Final = Writing.OPEN


class Transform(Duplex):
    """Gives, changed, what is written to it.

    Args:
        options: The keywords as one mapping; keywords win.
        **keywords: Those of Duplex, and the hooks `transform` and `flush`.
    """

    __slots__ = ()

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        /,
        **keywords: Unpack[TransformOptions],
    ) -> None:
        Stream.__init__(self)
        if options is not None or keywords:
            apply_options(self, merge_options(TRANSFORM_OPTIONS, options, keywords))

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
        state = self._writable_state or self._make_writable_state()
        state.transforming = callback
        done = state.transformed
        if done is None:
            done = state.transformed = self._transformed
        result = self._transform(chunk, encoding, done)
        if result is not None and iscoroutine(result):
            adopt(self, result, done)
        return None

    def _transformed(
        self, error: BaseException | None = None, value: Any = None
    ) -> None:
        """Be the callback of `_transform`."""
        state = self._writable_state or self._make_writable_state()
        callback = state.transforming
        if callback is None:
            fail(self, MultipleCallbackError())
            return
        state.transforming = None
        if error is not None:
            callback(error)
            return
        if value is not None:
            self.push(value)
        readable = self._readable_state or self._make_readable_state()
        # When there is no room the writer waits for the next `_read`. There is one only
        # if something was pushed since the last: what gives nothing goes on.
        if (
            readable.buffer.length < readable.high_water_mark
            or readable.reading
            or state.side is not _OPEN
        ):
            callback(None)
        else:
            state.unread = callback

    def _read(self, size: int) -> object:
        state = self._writable_state
        if state is not None and state.unread is not None:
            callback, state.unread = state.unread, None
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
        if error is not None or self.destroyed:
            callback(error)
            return
        if value is not None:
            self.push(value)
        callback(None)
        self.push(None)  # after the callback: ``finish`` comes before ``end``


class PassThrough(Transform):
    """Gives what is written to it, unchanged."""

    __slots__ = ()

    def _transform(
        self, chunk: Any, encoding: str, callback: Callable[..., None]
    ) -> object:
        callback(None, chunk)
        return None

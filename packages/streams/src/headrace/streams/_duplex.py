"""Duplex: a stream with two independent sides.

Source: H-165.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from headrace.streams._options import (
    DUPLEX_OPTIONS,
    DuplexOptions,
    apply_options,
    merge_options,
)
from headrace.streams._readable import Readable
from headrace.streams._stream import Stream
from headrace.streams._writable import Writable

if TYPE_CHECKING:
    from headrace.streams._events import DuplexEvents
else:
    DuplexEvents = Readable

__all__ = ["Duplex"]


class Duplex(DuplexEvents, Writable):
    """A Readable and a Writable in one, such as a socket.

    Args:
        options: The keywords as one mapping; keywords win.
        **keywords: Those of Readable and of Writable, and: `allow_half_open` (False:
            the end of reading ends writing), `readable` and `writable` (False: without
            that side), and `object_mode` and `high_water_mark` for one side, with
            `readable_` or `writable_` in front.

    Events:
        close (): after both sides are done.
    """

    __slots__ = ()

    #: Whether writing goes on after the end of reading.
    allow_half_open: bool = True

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        /,
        **keywords: Unpack[DuplexOptions],
    ) -> None:
        Stream.__init__(self)
        if options is not None or keywords:
            apply_options(self, merge_options(DUPLEX_OPTIONS, options, keywords))

    @classmethod
    def from_(cls, source: Any, *_: Any, **__: Any) -> "Duplex":
        """Return a Duplex over something that is none.

        Args:
            source: A Readable or an iterable (nothing to write), a Writable or a
                coroutine function (nothing to read), an async generator function of the
                written chunks, or a mapping with `readable` and `writable`.

        Raises:
            InvalidArgTypeError: If `source` is nothing of that.

        Source: X-115.
        """
        from headrace.streams._compose import duplex_from

        return duplex_from(source)

    def pipe(self, destination: Any, *, end: bool = True) -> Any:
        """Write everything to `destination`, at its pace, as `Readable.pipe` does."""
        return Readable.pipe(self, destination, end=end)

    def _after_end(self) -> None:
        if not self.allow_half_open and self.writable:
            self.loop().next_tick_for(self._owner, self._end_too)
        elif self._auto_destroy and (
            self.writable_finished or not self._is_writable_side()
        ):
            self.destroy()

    def _end_too(self) -> None:
        if self.writable:
            self.end()

    def _after_finish(self) -> None:
        if self._auto_destroy and (self.readable_ended or not self._is_readable_side()):
            self.destroy()

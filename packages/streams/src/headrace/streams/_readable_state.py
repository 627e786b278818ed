"""What the readable side of a stream remembers."""

from typing import TYPE_CHECKING, Final

from headrace.streams._buffer_list import NOTHING, BufferList
from headrace.streams._state import Flow, Reading

if TYPE_CHECKING:
    from headrace.streams._encoding import TextDecoder
    from headrace.streams._pipe import Pipe

__all__ = ["ReadableState"]

_UNDECIDED: Final = Flow.UNDECIDED
_OPEN: Final = Reading.OPEN


class ReadableState:
    """The buffer, the two states, and what is under way.

    Attributes:
        buffer: What was pushed and not read; only to be looked at, see `filled`.
        high_water_mark: `_read` rests while as much as this is buffered.
        object_mode: Whether chunks are objects, each counting one.
        side: How far the side has come.
        flow: Who decides when data are given away.
        encoding: The name for `set_encoding`, or None.
        decoder: Turns bytes into text, if there is an encoding.
        only_pipe: The one ``data`` listener, if it is a pipe: it is called directly.
        pipes: The destinations, in the order of `pipe()`.
        plain: The stream is open, the end has not come, and bytes stay as they are: no
            decoder, no objects.
        reading: `_read` was called and nothing was pushed since.
        calling: `_read` is on the stack: what it pushes must wait in the buffer.
        need_readable: The consumer found too little and wants ``readable``.
        readable_due: A tick will emit ``readable``, or has, and nobody has read since.
        resume_due: A tick will start the flow.
        more_due: A tick will call `_read` until the buffer is full.
        swallowed: What was pushed last was a part of a character.
        did_read: Data have left the buffer.
    """

    __slots__ = (
        "buffer",
        "calling",
        "decoder",
        "did_read",
        "encoding",
        "flow",
        "high_water_mark",
        "more_due",
        "need_readable",
        "object_mode",
        "only_pipe",
        "pipes",
        "plain",
        "readable_due",
        "reading",
        "resume_due",
        "side",
        "swallowed",
    )

    def __init__(self, high_water_mark: int, *, object_mode: bool) -> None:
        self.buffer = NOTHING
        self.high_water_mark = high_water_mark
        self.object_mode = object_mode
        self.side = _OPEN
        self.plain = True
        self.flow = _UNDECIDED
        self.encoding: str | None = None
        self.decoder: TextDecoder | None = None
        self.pipes: list[Pipe] = []
        self.only_pipe: Pipe | None = None
        self.reading = False
        self.calling = False
        self.need_readable = False
        self.readable_due = False
        self.resume_due = False
        self.more_due = False
        self.swallowed = False
        self.did_read = False

    def filled(self) -> BufferList:
        """Return the buffer, to be appended to."""
        if self.buffer is NOTHING:
            self.buffer = BufferList(object_mode=self.object_mode)
        return self.buffer

    def __str__(self) -> str:
        return (
            f"{self.side.name.lower()}/{self.flow.name.lower()}"
            f" {self.buffer.length}/{self.high_water_mark}"
        )

"""What the writable side of a stream remembers."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from headrace.streams._state import Writing

__all__ = ["Entry", "WritableState", "WriteCallback", "forgotten"]

_OPEN: Final = Writing.OPEN


def forgotten(*_: object) -> None:
    """Take the place of a callback when the stream is gone."""


WriteCallback = Callable[[Exception | None], object]
#: A chunk that waits: the chunk, its encoding, its length, the user's callback.
Entry = tuple[Any, str, int, WriteCallback | None]


class WritableState:
    """The queue, the state, and what is under way.

    Attributes:
        queue: What waits behind the chunk that is being written.
        high_water_mark: `write()` returns False from this length on.
        length: What was accepted and not written: bytes or objects.
        object_mode: Whether chunks are objects, each counting one.
        quiet: The stream is open, takes bytes, and at most one chunk is on its way that
            nothing waits for: no queue, cork, callback, ``drain`` or end. Then writing
            is short.
        side: How far the side has come.
        decode_strings: Whether text is turned into bytes before `_write`.
        default_encoding: Of text written without an encoding.
        callback: What `_write` and `_writev` call back, bound once.
        corked: How many `uncork()` are owed.
        writing: `_write` was called and has not called back.
        calling: `_write` is on the stack: its callback must not call the user's.
        writing_length: The length of what is being written.
        in_flight: The user's callbacks for what is being written.
        written: The user's callbacks that are due.
        written_due: A tick will call them.
        need_drain: `write()` returned False and ``drain`` was not emitted since.
        on_finish: The callbacks of `end()`.
        transformed: What `_transform` calls back, bound once; None at first.
        transforming: The callback of the `_write` of a Transform that is at work.
        unread: The same, of one that waits until its result is read.
        clearing: The queue is being worked off further down the stack.
    """

    __slots__ = (
        "callback",
        "calling",
        "clearing",
        "corked",
        "decode_strings",
        "default_encoding",
        "high_water_mark",
        "in_flight",
        "length",
        "need_drain",
        "object_mode",
        "on_finish",
        "queue",
        "quiet",
        "side",
        "transformed",
        "transforming",
        "unread",
        "writing",
        "writing_length",
        "written",
        "written_due",
    )

    def __init__(
        self, high_water_mark: int, callback: Callable[..., None], *, object_mode: bool
    ) -> None:
        self.callback = callback
        self.queue: deque[Entry] = deque()
        self.high_water_mark = high_water_mark
        self.length = 0
        self.object_mode = object_mode
        self.quiet = True
        self.side = _OPEN
        self.decode_strings = True
        self.default_encoding = "utf-8"
        self.corked = 0
        self.writing = False
        self.calling = False
        self.writing_length = 0
        self.in_flight: list[WriteCallback] | WriteCallback | None = None
        self.written: list[WriteCallback] = []
        self.written_due = False
        self.need_drain = False
        self.on_finish: list[WriteCallback] = []
        self.clearing = False
        self.transformed: Callable[..., None] | None = None
        self.transforming: Callable[..., None] | None = None
        self.unread: Callable[..., None] | None = None

    def __str__(self) -> str:
        return f"{self.side.name.lower()} {self.length}/{self.high_water_mark}"

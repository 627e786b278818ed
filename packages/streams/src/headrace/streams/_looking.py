"""Questions about any stream.

Source: X-119.
"""

from headrace.streams._readable import Readable
from headrace.streams._stream import Stream
from headrace.streams._writable import Writable

__all__ = ["is_disturbed", "is_errored", "is_readable", "is_writable"]


def is_readable(stream: Stream) -> bool:
    """Return whether data may still be read from `stream`."""
    return isinstance(stream, Readable) and stream.readable


def is_writable(stream: Stream) -> bool:
    """Return whether data may still be written to `stream`."""
    return isinstance(stream, Writable) and stream.writable


def is_errored(stream: Stream) -> bool:
    """Return whether `stream` has failed."""
    return stream.errored is not None


def is_disturbed(stream: Stream) -> bool:
    """Return whether `stream` was read from, or broke off before its end."""
    return isinstance(stream, Readable) and (
        stream.readable_did_read or stream.readable_aborted
    )

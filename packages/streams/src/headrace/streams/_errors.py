"""The errors of this package, each with the `code` that Node gives it.

Source: H-011.
"""

from typing import ClassVar

__all__ = [
    "AbortError",
    "AlreadyFinishedError",
    "CannotPipeError",
    "ContentTooLargeError",
    "InvalidArgTypeError",
    "InvalidArgValueError",
    "MethodNotImplementedError",
    "MissingArgsError",
    "MultipleCallbackError",
    "NullValuesError",
    "OutOfRangeError",
    "PrematureCloseError",
    "PushAfterEOFError",
    "StreamDestroyedError",
    "StreamError",
    "UnknownEncodingError",
    "UnshiftAfterEndEventError",
    "WriteAfterEndError",
]


class StreamError(Exception):
    """The root of the errors of this package.

    Attributes:
        code: The stable name of the kind of error, Node's own.
    """

    code: ClassVar[str] = "ERR_STREAM"


class InvalidArgTypeError(StreamError, TypeError):
    """An argument had the wrong type."""

    code: ClassVar[str] = "ERR_INVALID_ARG_TYPE"

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name} must be {expected}; got {got!r}")
        self.name, self.expected, self.got = name, expected, got


class NullValuesError(StreamError, TypeError):
    """None was written: it means the end of reading and cannot be data."""

    code: ClassVar[str] = "ERR_STREAM_NULL_VALUES"

    def __init__(self) -> None:
        super().__init__("None cannot be written to a stream")


class UnknownEncodingError(StreamError, TypeError):
    """No text encoding has this name."""

    code: ClassVar[str] = "ERR_UNKNOWN_ENCODING"

    def __init__(self, encoding: object) -> None:
        super().__init__(f"unknown encoding: {encoding!r}")
        self.encoding = encoding


class MissingArgsError(StreamError, TypeError):
    """A call needs more arguments."""

    code: ClassVar[str] = "ERR_MISSING_ARGS"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} must be given")
        self.name = name


class OutOfRangeError(StreamError, ValueError):
    """An argument was outside its allowed range."""

    code: ClassVar[str] = "ERR_OUT_OF_RANGE"

    def __init__(self, name: str, allowed: str, got: object) -> None:
        super().__init__(f"{name} must be {allowed}; got {got!r}")
        self.name, self.allowed, self.got = name, allowed, got


class InvalidArgValueError(StreamError, ValueError):
    """An argument had the right type and a wrong value."""

    code: ClassVar[str] = "ERR_INVALID_ARG_VALUE"

    def __init__(self, name: str, reason: str, got: object) -> None:
        super().__init__(f"{name} {reason}; got {got!r}")
        self.name, self.reason, self.got = name, reason, got


class ContentTooLargeError(StreamError, ValueError):
    """A stream gave more than the caller wanted to hold in memory.

    Attributes:
        limit: The limit.
        unit: What it counts.
        status_hint: The HTTP status that says the same.
    """

    code: ClassVar[str] = "ERR_CONTENT_TOO_LARGE"
    status_hint: ClassVar[int] = 413

    def __init__(self, limit: int, unit: str = "bytes") -> None:
        super().__init__(f"the stream gave more than {limit} {unit}")
        self.limit, self.unit = limit, unit


class StreamDestroyedError(StreamError, RuntimeError):
    """A stream was used after it was destroyed."""

    code: ClassVar[str] = "ERR_STREAM_DESTROYED"

    def __init__(self, operation: str) -> None:
        super().__init__(f"cannot {operation}: the stream was destroyed")
        self.operation = operation


class WriteAfterEndError(StreamError, RuntimeError):
    """Data were written after `end()`."""

    code: ClassVar[str] = "ERR_STREAM_WRITE_AFTER_END"

    def __init__(self) -> None:
        super().__init__("write after end")


class AlreadyFinishedError(StreamError, RuntimeError):
    """`end()` was called on a stream that has finished."""

    code: ClassVar[str] = "ERR_STREAM_ALREADY_FINISHED"

    def __init__(self) -> None:
        super().__init__("cannot end: the stream has already finished")


class PrematureCloseError(StreamError, RuntimeError):
    """A stream closed before its end or its finish."""

    code: ClassVar[str] = "ERR_STREAM_PREMATURE_CLOSE"

    def __init__(self) -> None:
        super().__init__("the stream closed before it was complete")


class CannotPipeError(StreamError, RuntimeError):
    """`pipe` was called on a stream that cannot be read."""

    code: ClassVar[str] = "ERR_STREAM_CANNOT_PIPE"

    def __init__(self) -> None:
        super().__init__("cannot pipe: the stream is not readable")


class PushAfterEOFError(StreamError, RuntimeError):
    """An implementation pushed data after `push(None)`."""

    code: ClassVar[str] = "ERR_STREAM_PUSH_AFTER_EOF"

    def __init__(self) -> None:
        super().__init__("push after the end of the data")


class UnshiftAfterEndEventError(StreamError, RuntimeError):
    """Data were put back after ``end`` was emitted."""

    code: ClassVar[str] = "ERR_STREAM_UNSHIFT_AFTER_END_EVENT"

    def __init__(self) -> None:
        super().__init__("unshift after the 'end' event")


class MultipleCallbackError(StreamError, RuntimeError):
    """An implementation called the callback of one operation more than once."""

    code: ClassVar[str] = "ERR_MULTIPLE_CALLBACK"

    def __init__(self) -> None:
        super().__init__("a callback was called more than once")


class MethodNotImplementedError(StreamError, RuntimeError):
    """A stream class lacks a method that its kind must define."""

    code: ClassVar[str] = "ERR_METHOD_NOT_IMPLEMENTED"

    def __init__(self, method: str) -> None:
        super().__init__(f"the method {method} is not implemented")
        self.method = method


class AbortError(StreamError, RuntimeError):
    """An operation was given up by the one who had started it."""

    code: ClassVar[str] = "ABORT_ERR"

    def __init__(self, message: str = "the operation was aborted") -> None:
        super().__init__(message)

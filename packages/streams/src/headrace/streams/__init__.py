"""Streams with back-pressure after Node's."""

from headrace.streams._anyio import (
    as_byte_stream,
    as_object_receive_stream,
    as_object_send_stream,
    as_receive_stream,
    as_send_stream,
    from_byte_stream,
    from_object_stream,
)
from headrace.streams._compose import compose
from headrace.streams._duplex import Duplex
from headrace.streams._encoding import encode_text
from headrace.streams._end_of_stream import finished
from headrace.streams._errors import (
    AbortError,
    AlreadyFinishedError,
    CannotPipeError,
    ContentTooLargeError,
    InvalidArgTypeError,
    InvalidArgValueError,
    MethodNotImplementedError,
    MissingArgsError,
    MultipleCallbackError,
    NullValuesError,
    OutOfRangeError,
    PrematureCloseError,
    PushAfterEOFError,
    StreamDestroyedError,
    StreamError,
    UnknownEncodingError,
    UnshiftAfterEndEventError,
    WriteAfterEndError,
)
from headrace.streams._files import (
    FileReadStream,
    FileWriteStream,
    create_read_stream,
    create_write_stream,
)
from headrace.streams._high_water_mark import (
    get_default_high_water_mark,
    set_default_high_water_mark,
)
from headrace.streams._looking import (
    is_disturbed,
    is_errored,
    is_readable,
    is_writable,
)
from headrace.streams._pair import duplex_pair
from headrace.streams._pipeline import pipeline
from headrace.streams._readable import Readable
from headrace.streams._readable_state import ReadableState
from headrace.streams._state import Life
from headrace.streams._stream import Stream
from headrace.streams._transform import PassThrough, Transform
from headrace.streams._version import __version__
from headrace.streams._writable import Writable
from headrace.streams._writable_state import WritableState

__all__ = [
    "AbortError",
    "AlreadyFinishedError",
    "CannotPipeError",
    "ContentTooLargeError",
    "Duplex",
    "FileReadStream",
    "FileWriteStream",
    "InvalidArgTypeError",
    "InvalidArgValueError",
    "Life",
    "MethodNotImplementedError",
    "MissingArgsError",
    "MultipleCallbackError",
    "NullValuesError",
    "OutOfRangeError",
    "PassThrough",
    "PrematureCloseError",
    "PushAfterEOFError",
    "Readable",
    "ReadableState",
    "Stream",
    "StreamDestroyedError",
    "StreamError",
    "Transform",
    "UnknownEncodingError",
    "UnshiftAfterEndEventError",
    "Writable",
    "WritableState",
    "WriteAfterEndError",
    "__version__",
    "as_byte_stream",
    "as_object_receive_stream",
    "as_object_send_stream",
    "as_receive_stream",
    "as_send_stream",
    "compose",
    "create_read_stream",
    "create_write_stream",
    "duplex_pair",
    "encode_text",
    "finished",
    "from_byte_stream",
    "from_object_stream",
    "get_default_high_water_mark",
    "is_disturbed",
    "is_errored",
    "is_readable",
    "is_writable",
    "pipeline",
    "set_default_high_water_mark",
]

"""A strict HTTP/1.1 parser without I/O: bytes go in, message events come out."""

from headrace.http_parser._engine import EngineName
from headrace.http_parser._errors import (
    EngineChoiceError,
    HTTPParserError,
    IllegalMoveError,
)
from headrace.http_parser._fields import distinct_headers, merge_headers
from headrace.http_parser._limits import MAX_HEADER_SIZE, MAX_HEADERS_COUNT, Limits
from headrace.http_parser._messages import (
    END_OF_MESSAGE,
    NEED_DATA,
    PAUSED,
    EndOfMessage,
    HostError,
    RequestHead,
    ResponseHead,
    Signal,
)
from headrace.http_parser._methods import METHODS
from headrace.http_parser._request import RequestParser
from headrace.http_parser._response import ResponseParser
from headrace.http_parser._state import State
from headrace.http_parser._status import STATUS_CODES
from headrace.http_parser._version import __version__

__all__ = [
    "END_OF_MESSAGE",
    "MAX_HEADERS_COUNT",
    "MAX_HEADER_SIZE",
    "METHODS",
    "NEED_DATA",
    "PAUSED",
    "STATUS_CODES",
    "EndOfMessage",
    "EngineChoiceError",
    "EngineName",
    "HTTPParserError",
    "HostError",
    "IllegalMoveError",
    "Limits",
    "RequestHead",
    "RequestParser",
    "ResponseHead",
    "ResponseParser",
    "Signal",
    "State",
    "__version__",
    "distinct_headers",
    "merge_headers",
]

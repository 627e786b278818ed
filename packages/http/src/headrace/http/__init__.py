"""Node's http for Python: a server and a client that share one model of messages."""

from headrace.http._agent import Agent, AgentOptions
from headrace.http._api import create_client, get, global_agent, request
from headrace.http._client_request import ClientRequest
from headrace.http._errors import (
    AbortError,
    BadPortError,
    BodyDiscardedError,
    BodyNotAllowedError,
    BodyTooLargeError,
    ContentLengthMismatchError,
    DeadlineError,
    HeadersSentError,
    HTTPError,
    InvalidArgTypeError,
    InvalidArgValueError,
    InvalidCharError,
    InvalidHeaderValueError,
    InvalidProtocolError,
    InvalidProxyError,
    InvalidStatusCodeError,
    InvalidTokenError,
    InvalidURLError,
    OutOfRangeError,
    PeerGoneError,
    ProxyError,
    RequestTimeoutError,
    SocketEncodingError,
    TooManyInterimError,
    TrailerInvalidError,
    UnescapedCharactersError,
    UnknownOptionError,
)
from headrace.http._headers import validate_header_name, validate_header_value
from headrace.http._incoming import IncomingMessage
from headrace.http._information import Information
from headrace.http._outgoing import OutgoingMessage
from headrace.http._request_options import RequestOptions
from headrace.http._server import MAX_HEADER_SIZE as max_header_size
from headrace.http._server import (
    Server,
    create_server,
)
from headrace.http._server_options import ServerOptions
from headrace.http._server_response import ServerResponse
from headrace.http._version import __version__
from headrace.http_parser import METHODS, STATUS_CODES, HTTPParserError
from headrace.net import run

__all__ = [
    "METHODS",
    "STATUS_CODES",
    "AbortError",
    "Agent",
    "AgentOptions",
    "BadPortError",
    "BodyDiscardedError",
    "BodyNotAllowedError",
    "BodyTooLargeError",
    "ClientRequest",
    "ContentLengthMismatchError",
    "DeadlineError",
    "HTTPError",
    "HTTPParserError",
    "HeadersSentError",
    "IncomingMessage",
    "Information",
    "InvalidArgTypeError",
    "InvalidArgValueError",
    "InvalidCharError",
    "InvalidHeaderValueError",
    "InvalidProtocolError",
    "InvalidProxyError",
    "InvalidStatusCodeError",
    "InvalidTokenError",
    "InvalidURLError",
    "OutOfRangeError",
    "OutgoingMessage",
    "PeerGoneError",
    "ProxyError",
    "RequestOptions",
    "RequestTimeoutError",
    "Server",
    "ServerOptions",
    "ServerResponse",
    "SocketEncodingError",
    "TooManyInterimError",
    "TrailerInvalidError",
    "UnescapedCharactersError",
    "UnknownOptionError",
    "__version__",
    "create_client",
    "create_server",
    "get",
    "global_agent",
    "max_header_size",
    "request",
    "run",
    "validate_header_name",
    "validate_header_value",
]

"""The errors that headrace.http raises or emits, each with a stable ``code``."""

from __future__ import annotations

import errno
import re
from typing import ClassVar, Final

#: User and password of a URL, however badly it is written.
_USER_INFO: Final = re.compile(r"^([^@:/]*://)?.*@", re.DOTALL)


class HTTPError(Exception):
    """Base of every error that this package creates itself."""

    code: ClassVar[str]


class InvalidArgTypeError(HTTPError, TypeError):
    """An argument has a type that the function cannot use."""

    code: ClassVar[str] = "ERR_INVALID_ARG_TYPE"

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name} must be {expected}; got {type(got).__name__}")
        self.name, self.expected, self.got = name, expected, got


class InvalidArgValueError(HTTPError, ValueError):
    """An argument has the right type and an impossible value."""

    code: ClassVar[str] = "ERR_INVALID_ARG_VALUE"

    def __init__(self, name: str, reason: str, got: object) -> None:
        super().__init__(f"{name} {reason}; got {got!r}")
        self.name, self.reason, self.got = name, reason, got


class OutOfRangeError(HTTPError, ValueError):
    """A number is outside its allowed range."""

    code: ClassVar[str] = "ERR_OUT_OF_RANGE"

    def __init__(self, name: str, allowed: str, got: object) -> None:
        super().__init__(f"{name} must be {allowed}; got {got!r}")
        self.name, self.allowed, self.got = name, allowed, got


class InvalidTokenError(HTTPError, TypeError):
    """A method or a header name is not an HTTP token (RFC 9110 section 5.6.2)."""

    code: ClassVar[str] = "ERR_INVALID_HTTP_TOKEN"

    def __init__(self, what: str, got: object) -> None:
        super().__init__(f"{what} must be a valid HTTP token; got {got!r}")
        self.what, self.got = what, got


class InvalidHeaderValueError(HTTPError, TypeError):
    """A header has no value, or one that contradicts the message's framing."""

    code: ClassVar[str] = "ERR_HTTP_INVALID_HEADER_VALUE"

    def __init__(self, name: str, got: object, reason: str = "is not allowed") -> None:
        super().__init__(f"the value {got!r} of header {name!r} {reason}")
        self.name, self.got = name, got


class InvalidCharError(HTTPError, TypeError):
    """A text that goes into a head holds a character that must not be there."""

    code: ClassVar[str] = "ERR_INVALID_CHAR"

    def __init__(self, what: str, got: str) -> None:
        super().__init__(f"{what} holds a character that is not allowed: {got!r}")
        self.what, self.got = what, got


class UnescapedCharactersError(HTTPError, TypeError):
    """A request target holds a character that must be percent-encoded."""

    code: ClassVar[str] = "ERR_UNESCAPED_CHARACTERS"

    def __init__(self, path: str) -> None:
        super().__init__(f"the path holds unescaped characters: {path!r}")
        self.path = path


class InvalidProtocolError(HTTPError, TypeError):
    """The URL's scheme is not the one that the agent speaks."""

    code: ClassVar[str] = "ERR_INVALID_PROTOCOL"

    def __init__(self, got: str, expected: str) -> None:
        super().__init__(f"protocol {got!r} is not supported; expected {expected!r}")
        self.got, self.expected = got, expected


class InvalidURLError(HTTPError, TypeError):
    """The text is not an absolute URL."""

    code: ClassVar[str] = "ERR_INVALID_URL"

    def __init__(self, got: str, reason: str = "not an absolute URL") -> None:
        super().__init__(f"invalid URL {got!r}: {reason}")
        self.got, self.reason = got, reason


class InvalidProxyError(InvalidURLError):
    """The URL of a proxy is none (X-064). It is told without its password."""

    code: ClassVar[str] = "ERR_PROXY_INVALID_CONFIG"

    def __init__(self, got: str, reason: str) -> None:
        super().__init__(_USER_INFO.sub(r"\1", got), reason)


class InvalidStatusCodeError(HTTPError, ValueError):
    """A status code is not an integer from 100 to 999."""

    code: ClassVar[str] = "ERR_HTTP_INVALID_STATUS_CODE"

    def __init__(self, got: object) -> None:
        super().__init__(f"invalid status code: {got!r}")
        self.got = got


class HeadersSentError(HTTPError, RuntimeError):
    """The head is fixed already, so it cannot be changed or written again."""

    code: ClassVar[str] = "ERR_HTTP_HEADERS_SENT"

    def __init__(self, action: str) -> None:
        super().__init__(f"cannot {action} after the head was sent")
        self.action = action


class TrailerInvalidError(HTTPError, RuntimeError):
    """A trailer is impossible: the message is not chunked, or the name not allowed."""

    code: ClassVar[str] = "ERR_HTTP_TRAILER_INVALID"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class ContentLengthMismatchError(HTTPError, RuntimeError):
    """The body is longer or shorter than its Content-Length says."""

    code: ClassVar[str] = "ERR_HTTP_CONTENT_LENGTH_MISMATCH"

    def __init__(self, written: int, declared: int) -> None:
        super().__init__(
            f"the body has {written} bytes, but Content-Length says {declared}"
        )
        self.written, self.declared = written, declared


class BodyNotAllowedError(HTTPError, RuntimeError):
    """A body was written where the message must not have one."""

    code: ClassVar[str] = "ERR_HTTP_BODY_NOT_ALLOWED"

    def __init__(self) -> None:
        super().__init__("this message must not have a body")


class SocketEncodingError(HTTPError, RuntimeError):
    """The encoding of a socket that carries HTTP was to be changed (H-022)."""

    code: ClassVar[str] = "ERR_HTTP_SOCKET_ENCODING"

    def __init__(self) -> None:
        super().__init__("a socket that carries HTTP has no text encoding")


class RequestTimeoutError(HTTPError, RuntimeError):
    """A request's head or body did not arrive in time (X-001, X-002)."""

    code: ClassVar[str] = "ERR_HTTP_REQUEST_TIMEOUT"

    def __init__(self) -> None:
        super().__init__("the request did not arrive in time")


class BodyTooLargeError(HTTPError, ValueError):
    """A body that was collected whole exceeds the caller's limit (DESIGN 3).

    Attributes:
        limit: How many bytes were allowed.
        message: Whose body it is. A server answers 413 if it is the request's.
    """

    code: ClassVar[str] = "ERR_HTTP_BODY_TOO_LARGE"

    def __init__(self, limit: int, message: object = None) -> None:
        super().__init__(f"the body is larger than {limit} bytes")
        self.limit, self.message = limit, message


class PeerGoneError(HTTPError, ConnectionResetError):
    """The peer went away in the middle of an exchange (H-011).

    The message is ``socket hang up`` before a response and ``aborted`` in a body.
    """

    code: ClassVar[str] = "ECONNRESET"

    def __init__(self, message: str) -> None:
        super().__init__(errno.ECONNRESET, message)

    def __str__(self) -> str:
        return str(self.strerror)


class BadPortError(HTTPError, ValueError):
    """A port is not an integer from 0 to 65535 (H-060)."""

    code: ClassVar[str] = "ERR_SOCKET_BAD_PORT"

    def __init__(self, got: object) -> None:
        super().__init__(f"port must be an integer from 0 to 65535; got {got!r}")
        self.got = got


class UnknownOptionError(HTTPError, TypeError):
    """An option was given that does not exist (H-002)."""

    code: ClassVar[str] = "ERR_INVALID_ARG_TYPE"

    def __init__(self, name: object) -> None:
        super().__init__(f"unknown option {name!r}")
        self.name = name


class AbortError(HTTPError, RuntimeError):
    """A request was cancelled through its ``cancel`` option (X-052)."""

    code: ClassVar[str] = "ABORT_ERR"

    def __init__(self) -> None:
        super().__init__("the request was cancelled")


class DeadlineError(HTTPError, TimeoutError):
    """A request took longer than one of its time limits allows (X-054).

    Attributes:
        limit: The option that set the limit.
        seconds: Its value.
    """

    code: ClassVar[str] = "ETIMEDOUT"

    def __init__(self, limit: str, seconds: float) -> None:
        super().__init__(errno.ETIMEDOUT, f"{limit} of {seconds:g} s exceeded")
        self.limit, self.seconds = limit, seconds

    def __str__(self) -> str:
        return str(self.strerror)


class TooManyInterimError(HTTPError, ValueError):
    """A server sent more informational responses than one request may get."""

    code: ClassVar[str] = "ERR_HTTP_TOO_MANY_INTERIM"

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} informational responses to one request")
        self.limit = limit


class BodyDiscardedError(HTTPError, RuntimeError):
    """A response was awaited when its body had been thrown away (H-072).

    A body that is larger than the high-water mark is, if there is neither a listener of
    ``response`` nor an ``await`` when it comes.
    """

    code: ClassVar[str] = "ERR_HTTP_BODY_DISCARDED"

    def __init__(self) -> None:
        super().__init__("nobody had asked for the body when it came")


class ProxyError(HTTPError, ConnectionError):
    """A proxy did not open the tunnel that was asked for (X-064).

    Attributes:
        status_code: What the proxy answered to CONNECT; None if that was no answer:
            `__cause__` tells what it was.
        authority: Where the tunnel was to lead.
    """

    code: ClassVar[str] = "ERR_PROXY_TUNNEL"

    def __init__(self, status_code: int | None, authority: str) -> None:
        answered = "did not answer" if status_code is None else f"said {status_code} to"
        super().__init__(f"the proxy {answered} CONNECT {authority}")
        self.status_code, self.authority = status_code, authority

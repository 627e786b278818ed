"""The errors of this package, each with the `code` that Node gives it.

Source: H-011.
"""

import errno
from typing import ClassVar

__all__ = [
    "AgentDestroyedError",
    "AgentError",
    "IllegalMoveError",
    "InvalidArgTypeError",
    "InvalidArgValueError",
    "InvalidReturnValueError",
    "OutOfRangeError",
    "RequestPendingError",
    "SocketClosedError",
    "UnknownOptionError",
]


class AgentError(Exception):
    """The root of the errors of this package.

    Attributes:
        code: The stable name of the kind of error, Node's where Node has one.
    """

    code: ClassVar[str] = "ERR_AGENT"


class InvalidArgTypeError(AgentError, TypeError):
    """An argument had the wrong type."""

    code: ClassVar[str] = "ERR_INVALID_ARG_TYPE"

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name} must be {expected}; got {got!r}")
        self.name, self.expected, self.got = name, expected, got


class UnknownOptionError(AgentError, TypeError):
    """An option was given that does not exist."""

    code: ClassVar[str] = "ERR_INVALID_ARG_TYPE"

    def __init__(self, name: object) -> None:
        super().__init__(f"unknown option {name!r}")
        self.name = name


class InvalidArgValueError(AgentError, ValueError):
    """An argument had the right type and a wrong value."""

    code: ClassVar[str] = "ERR_INVALID_ARG_VALUE"

    def __init__(self, name: str, reason: str, got: object) -> None:
        super().__init__(f"{name} {reason}; got {got!r}")
        self.name, self.reason, self.got = name, reason, got


class OutOfRangeError(AgentError, ValueError):
    """An argument was outside its allowed range."""

    code: ClassVar[str] = "ERR_OUT_OF_RANGE"

    def __init__(self, name: str, allowed: str, got: object) -> None:
        super().__init__(f"{name} must be {allowed}; got {got!r}")
        self.name, self.allowed, self.got = name, allowed, got


class InvalidReturnValueError(AgentError, TypeError):
    """`create_connection` gave something that cannot be pooled."""

    code: ClassVar[str] = "ERR_INVALID_RETURN_VALUE"

    def __init__(self, expected: str, got: object) -> None:
        super().__init__(f"create_connection must give {expected}; got {got!r}")
        self.expected, self.got = expected, got


class RequestPendingError(AgentError, RuntimeError):
    """A request was added while the agent still holds it from before."""

    code: ClassVar[str] = "ERR_INVALID_STATE"

    def __init__(self, request: object) -> None:
        super().__init__(f"{request!r} waits for a socket already")
        self.request = request


class IllegalMoveError(AgentError, RuntimeError):
    """This package made a move that its own table does not have: a bug in it."""

    code: ClassVar[str] = "ERR_INVALID_STATE"

    def __init__(self, state: str, move: str) -> None:
        super().__init__(f"no move {move} from {state}")
        self.state, self.move = state, move


class SocketClosedError(AgentError, ConnectionResetError):
    """The socket for a request closed before the request could have it."""

    code: ClassVar[str] = "ECONNRESET"

    def __init__(self) -> None:
        super().__init__("socket hang up")
        self.errno = errno.ECONNRESET


class AgentDestroyedError(AgentError, ConnectionResetError):
    """`Agent.destroy()` was called while the request waited for a socket."""

    code: ClassVar[str] = "ECONNRESET"

    def __init__(self) -> None:
        super().__init__("socket hang up")
        self.errno = errno.ECONNRESET

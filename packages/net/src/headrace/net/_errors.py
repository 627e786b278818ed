"""The errors of this package: one small tree, each with Node's `code` (spec H-011).

What the system reports arrives as an `OSError` of the class that a Python caller
expects (`ConnectionRefusedError`, `FileNotFoundError`, ...), which also is a
`SocketError` and knows the call that failed and the address it was made for.
"""

import builtins
import errno as errno_names
import os
import socket
import ssl
from enum import Enum
from typing import ClassVar, Self

AddressLike = str | bytes | None


class NetError(Exception):
    """Base of every error that headrace.net itself raises or emits.

    Attributes:
        code: Stable name of the kind of error, Node's where Node has one.
    """

    code: str = ""


class SocketError(NetError, OSError):
    """The operating system refused or ended something.

    Attributes:
        code: The name of the errno: `ECONNRESET`, `EADDRINUSE`, ...
        syscall: What was being done: `connect`, `listen`, `read`, `write`, ...
        address: IP address or `None`.
        port: Port or `None`.
        path: Path of a Unix socket or `None`.
    """

    def __init__(
        self,
        number: int,
        syscall: str,
        *,
        address: str | None = None,
        port: int | None = None,
        path: AddressLike = None,
        message: str | None = None,
    ) -> None:
        self.code = errno_names.errorcode.get(number, "UNKNOWN")
        self.syscall, self.address, self.port, self.path = syscall, address, port, path
        super().__init__(number, message or self._describe())

    def _describe(self) -> str:
        words = [self.syscall, self.code]
        if self.path is not None:
            words.append(os.fsdecode(self.path))
        elif self.address is not None:
            known = self.port is not None
            words.append(f"{self.address}:{self.port}" if known else self.address)
        return " ".join(words)

    def __str__(self) -> str:
        return str(self.strerror)

    def __reduce__(self) -> tuple[object, ...]:
        keywords = (self.address, self.port, self.path, self.strerror)
        return _rebuild, (self.errno, self.syscall, *keywords)

    @classmethod
    def of(
        cls,
        number: int,
        syscall: str,
        *,
        address: str | None = None,
        port: int | None = None,
        path: AddressLike = None,
        message: str | None = None,
    ) -> "SocketError":
        """Return an error of the builtin class that Python uses for this errno."""
        kind = _CLASSES.get(type(OSError(number, "")), SocketError)
        return kind(
            number, syscall, address=address, port=port, path=path, message=message
        )

    @classmethod
    def from_exception(
        cls,
        error: OSError,
        syscall: str,
        *,
        address: str | None = None,
        port: int | None = None,
        path: AddressLike = None,
    ) -> "SocketError":
        """Translate what a system call raised; the original becomes the cause.

        A `SocketError` comes back as it is.
        """
        if isinstance(error, SocketError):
            return error
        # Python refuses a too long Unix path by itself, without an errno.
        number = error.errno or errno_names.EINVAL
        result = cls.of(number, syscall, address=address, port=port, path=path)
        result.__cause__ = error
        return result


class _BlockingIOError(SocketError, builtins.BlockingIOError):
    pass


class _BrokenPipeError(SocketError, builtins.BrokenPipeError):
    pass


class _ConnectionAbortedError(SocketError, builtins.ConnectionAbortedError):
    pass


class _ConnectionRefusedError(SocketError, builtins.ConnectionRefusedError):
    pass


class _ConnectionResetError(SocketError, builtins.ConnectionResetError):
    pass


class _FileExistsError(SocketError, builtins.FileExistsError):
    pass


class _FileNotFoundError(SocketError, builtins.FileNotFoundError):
    pass


class _InterruptedError(SocketError, builtins.InterruptedError):
    pass


class _IsADirectoryError(SocketError, builtins.IsADirectoryError):
    pass


class _NotADirectoryError(SocketError, builtins.NotADirectoryError):
    pass


class _PermissionError(SocketError, builtins.PermissionError):
    pass


class _TimeoutError(SocketError, builtins.TimeoutError):
    pass


_CLASSES: dict[type, type[SocketError]] = {
    kind.__bases__[1]: kind for kind in SocketError.__subclasses__()
}
for _builtin, _kind in _CLASSES.items():
    # A traceback shows the name that the caller would write in `except`.
    _kind.__name__ = _kind.__qualname__ = _builtin.__name__


def _rebuild(
    number: int,
    syscall: str,
    address: str | None,
    port: int | None,
    path: AddressLike,
    message: str,
) -> SocketError:
    return SocketError.of(
        number, syscall, address=address, port=port, path=path, message=message
    )


class LookupFailedError(NetError, socket.gaierror):
    """A host name could not be resolved.

    Attributes:
        code: `ENOTFOUND`, `EAI_AGAIN`, ...
        hostname: The name.
        syscall: `getaddrinfo`.
    """

    syscall: ClassVar[str] = "getaddrinfo"

    def __init__(self, hostname: str, number: int, code: str) -> None:
        super().__init__(number, f"getaddrinfo {code} {hostname}")
        self.hostname, self.code = hostname, code

    def __str__(self) -> str:
        return str(self.strerror)

    @classmethod
    def from_exception(cls, hostname: str, error: Exception) -> Self:
        """Translate what the resolver raised; the original becomes the cause."""
        number = getattr(error, "errno", None) or socket.EAI_NONAME
        code = _LOOKUP_CODES.get(number, "EAI_FAIL")
        if not isinstance(error, OSError):  # UnicodeError: not a legal host name
            number, code = socket.EAI_NONAME, "ENOTFOUND"
        result = cls(hostname, number, code)
        result.__cause__ = error
        return result


_LOOKUP_CODES = {
    getattr(socket, name): name
    for name in ("EAI_AGAIN", "EAI_BADFLAGS", "EAI_FAIL", "EAI_FAMILY", "EAI_MEMORY")
    if hasattr(socket, name)
}
# The two ways of a resolver to say that there is no such host.
_LOOKUP_CODES |= {
    getattr(socket, name): "ENOTFOUND"
    for name in ("EAI_NONAME", "EAI_NODATA")
    if hasattr(socket, name)
}


class InvalidArgTypeError(NetError, TypeError):
    """An argument had a type that cannot be used."""

    code = "ERR_INVALID_ARG_TYPE"

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name} must be {expected}; got {got!r}")
        self.name, self.expected, self.got = name, expected, got


class InvalidArgValueError(NetError, ValueError):
    """An argument, or a combination of them, had a value that makes no sense."""

    code = "ERR_INVALID_ARG_VALUE"

    def __init__(self, name: str, reason: str, got: object) -> None:
        super().__init__(f"{name} {reason}; got {got!r}")
        self.name, self.got = name, got


class MissingArgsError(NetError, TypeError):
    """Arguments without which the call has no meaning were not given."""

    code = "ERR_MISSING_ARGS"


class OutOfRangeError(NetError, ValueError):
    """A number was outside its allowed range."""

    code = "ERR_OUT_OF_RANGE"

    def __init__(self, name: str, allowed: str, got: object) -> None:
        super().__init__(f"{name} must be {allowed}; got {got!r}")
        self.name, self.allowed, self.got = name, allowed, got


class BadPortError(NetError, ValueError):
    """A port was not an integer from 0 to 65535."""

    code = "ERR_SOCKET_BAD_PORT"

    def __init__(self, got: object) -> None:
        super().__init__(f"port must be an integer from 0 to 65535; got {got!r}")
        self.got = got


class InvalidHandleTypeError(NetError, TypeError):
    """This kind of socket cannot do what was asked (a reset needs TCP)."""

    code = "ERR_INVALID_HANDLE_TYPE"


class IllegalMoveError(NetError, RuntimeError):
    """Something was told to do what its state does not allow."""

    code = "ERR_INVALID_STATE"

    def __init__(self, state: Enum, move: Enum) -> None:
        kind = type(state).__name__
        super().__init__(f"no move {move.name} from {kind}.{state.name}")
        self.state, self.move = state, move


class AlreadyListeningError(NetError, RuntimeError):
    """`listen` was called on a server that listens or is about to."""

    code = "ERR_SERVER_ALREADY_LISTEN"

    def __init__(self) -> None:
        super().__init__("listen was called more than once without close")


class ServerNotRunningError(NetError, RuntimeError):
    """`close` was called on a server that does not listen."""

    code = "ERR_SERVER_NOT_RUNNING"

    def __init__(self) -> None:
        super().__init__("the server is not running")


class SocketClosedError(NetError, RuntimeError):
    """The socket is closed, so the operation is impossible."""

    code = "ERR_SOCKET_CLOSED"

    def __init__(self) -> None:
        super().__init__("the socket is closed")


class SocketClosedBeforeConnectionError(NetError, RuntimeError):
    """The socket was destroyed before its connection was made."""

    code = "ERR_SOCKET_CLOSED_BEFORE_CONNECTION"

    def __init__(self) -> None:
        super().__init__("the socket was closed before the connection was made")


class TLSError(NetError, OSError):
    """The handshake failed, or the peer broke the rules of TLS.

    Attributes:
        code: `ERR_TLS_CERT_ALTNAME_INVALID`, `CERT_HAS_EXPIRED`,
            `SELF_SIGNED_CERT_IN_CHAIN` and the like for a certificate that does not
            hold; `ERR_SSL_` and OpenSSL's reason for everything else.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code

    @classmethod
    def from_exception(cls, error: ssl.SSLError) -> "TLSError":
        """Translate what `ssl` raised; the original becomes the cause."""
        if isinstance(error, ssl.SSLCertVerificationError):
            code = _VERIFY_CODES.get(error.verify_code, "ERR_TLS_CERT_INVALID")
            message = f"the peer's certificate does not hold: {error.verify_message}"
        else:
            reason = (error.reason or "PROTOCOL_ERROR").replace(" ", "_").upper()
            code, message = (
                f"ERR_SSL_{reason}",
                f"TLS failed: {error.strerror or error}",
            )
        result = cls(message, code)
        result.__cause__ = error
        return result


#: OpenSSL's X509_V_ERR numbers and the names that Node gives them.
_VERIFY_CODES = {
    2: "UNABLE_TO_GET_ISSUER_CERT",
    3: "UNABLE_TO_GET_CRL",
    7: "CERT_SIGNATURE_FAILURE",
    9: "CERT_NOT_YET_VALID",
    10: "CERT_HAS_EXPIRED",
    18: "DEPTH_ZERO_SELF_SIGNED_CERT",
    19: "SELF_SIGNED_CERT_IN_CHAIN",
    20: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    21: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    22: "CERT_CHAIN_TOO_LONG",
    23: "CERT_REVOKED",
    24: "INVALID_CA",
    25: "PATH_LENGTH_EXCEEDED",
    26: "INVALID_PURPOSE",
    27: "CERT_UNTRUSTED",
    28: "CERT_REJECTED",
    62: "ERR_TLS_CERT_ALTNAME_INVALID",
    64: "ERR_TLS_CERT_ALTNAME_INVALID",
}


class TLSHandshakeTimeoutError(TLSError, TimeoutError):
    """The handshake took longer than it may."""

    def __init__(self) -> None:
        super().__init__("the TLS handshake timed out", "ERR_TLS_HANDSHAKE_TIMEOUT")

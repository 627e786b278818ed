"""From options to an `ssl.SSLContext`."""

import logging
import os
import ssl
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

from headrace.net._errors import InvalidArgTypeError, InvalidArgValueError
from headrace.net._options import (
    CONNECT_NAMES,
    SERVER_NAMES,
    SOCKET_NAMES,
    ConnectOptions,
    ServerOptions,
    SocketOptions,
    check_duration,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

#: PEM text (`str` or `bytes`), or the path of a file with it.
Pem = str | bytes | os.PathLike[str]
#: Gets the server name that a client asks for, and may give another context for it.
SniCallback = Callable[[str | None], ssl.SSLContext | None]


class TLSOptions(TypedDict, total=False):
    """Options of TLS sockets and servers."""

    cert: Pem | None
    key: Pem | None
    passphrase: str | bytes | None
    ca: Pem | Iterable[Pem] | None
    ssl_context: ssl.SSLContext | None
    server_hostname: str | None
    alpn_protocols: Iterable[str] | None
    sni_callback: SniCallback | None
    request_cert: bool | None
    reject_unauthorized: bool | None
    session: ssl.SSLSession | None
    handshake_timeout: float | None


class TLSConnectOptions(ConnectOptions, SocketOptions, TLSOptions, total=False):
    """Options of `connect_tls`."""

    socket: Any


class TLSServerOptions(ServerOptions, TLSOptions, total=False):
    """Options of `TLSServer`."""


TLS_NAMES: Final = frozenset(TLSOptions.__annotations__)
TLS_CONNECT_NAMES: Final = CONNECT_NAMES | SOCKET_NAMES | TLS_NAMES | {"socket"}
TLS_SERVER_NAMES: Final = SERVER_NAMES | TLS_NAMES

#: Node's default: enough for the slowest honest peer.
HANDSHAKE_TIMEOUT: Final = 120.0

_CONTEXT_NAMES: Final = (
    "cert",
    "key",
    "passphrase",
    "ca",
    "alpn_protocols",
    "sni_callback",
    "request_cert",
)
_PEM_MARK: Final = b"-----BEGIN"
_NAME_KEY: Final = "_headrace_server_name"

logger = logging.getLogger("headrace.net")


def handshake_timeout(options: Mapping[str, Any]) -> float:
    """Return how long a handshake may take, checked; 0: for ever."""
    given = options.get("handshake_timeout", HANDSHAKE_TIMEOUT)
    return check_duration("handshake_timeout", given)


def create_secure_context(
    options: Mapping[str, Any] | None = None,
    /,
    *,
    server_side: bool = False,
    **keywords: Any,
) -> ssl.SSLContext:
    """Return the settings for many connections; making them costs milliseconds.

    Args:
        options: The keywords as one mapping; keywords win.
        server_side: For a server rather than for clients.
        **keywords: `cert` and `key`: PEM text or the path of a file, with `passphrase`;
            `ca`: whom to trust instead of the system's list, one or several;
            `alpn_protocols`: names, the preferred first; `request_cert` (server): ask
            for a certificate; `reject_unauthorized` (True): refuse a peer whose
            certificate does not hold; `sni_callback` (server); or `ssl_context`: a
            finished one, instead of these.

    Raises:
        InvalidArgValueError: If `ssl_context` comes with what it already contains.
        ssl.SSLError: If certificate and key do not fit, or are none.
        OSError: If a file cannot be read.
    """
    merged = {**(options or {}), **keywords}
    given = {name: value for name, value in merged.items() if value is not None}
    context = given.get("ssl_context")
    if context is not None:
        return _check_context(context, given)
    if server_side:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = _server_mode(given)
    else:
        context = _client_context(given)
    _load(context, given)
    return context


def _check_context(context: object, options: Mapping[str, Any]) -> ssl.SSLContext:
    if not isinstance(context, ssl.SSLContext):
        raise InvalidArgTypeError("ssl_context", "an ssl.SSLContext", context)
    for name in _CONTEXT_NAMES:
        if name in options:
            reason = f"excludes {name!r}: it is part of the context"
            raise InvalidArgValueError("ssl_context", reason, context)
    return context


def _server_mode(options: Mapping[str, Any]) -> ssl.VerifyMode:
    if not options.get("request_cert"):
        return ssl.CERT_NONE
    if options.get("reject_unauthorized", True):
        return ssl.CERT_REQUIRED
    return ssl.CERT_OPTIONAL


def _client_context(options: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not options.get("reject_unauthorized", True):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if "ca" not in options:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def _load(context: ssl.SSLContext, options: Mapping[str, Any]) -> None:
    for pem in _several(options.get("ca")):
        content = _read(pem)
        context.load_verify_locations(cadata=content.decode("ascii", "replace"))
    if "cert" in options:
        _load_chain(context, options)
    if "alpn_protocols" in options:
        context.set_alpn_protocols(list(options["alpn_protocols"]))
    if context.protocol is ssl.PROTOCOL_TLS_SERVER:
        _set_sni_callback(context, options.get("sni_callback"))


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str | bytes | os.PathLike):
        return [value]
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise InvalidArgTypeError("ca", "PEM text, a path, or several", value)
    return list(value)


def _read(pem: object) -> bytes:
    """Return PEM text that was given as such or as the path of a file."""
    if isinstance(pem, str):
        encoded = pem.encode()
        return encoded if _PEM_MARK in encoded else Path(pem).read_bytes()
    if isinstance(pem, bytes):
        return pem
    if isinstance(pem, os.PathLike):
        return Path(pem).read_bytes()
    raise InvalidArgTypeError("certificate or key", "PEM text or a path", pem)


def _load_chain(context: ssl.SSLContext, options: Mapping[str, Any]) -> None:
    content = _read(options["cert"])
    if "key" in options:
        content += b"\n" + _read(options["key"])
    # Without a passphrase OpenSSL would ask for one on the terminal.
    passphrase = options.get("passphrase", "")
    with _as_file(content) as path:
        context.load_cert_chain(path, password=passphrase)


@contextmanager
def _as_file(content: bytes) -> "Iterator[str]":
    """Give `ssl` the file it insists on; readable by this user only, and soon gone."""
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        path = Path(folder) / "chain.pem"
        path.touch(mode=0o600)
        path.write_bytes(content)
        yield str(path)


def _set_sni_callback(context: ssl.SSLContext, callback: SniCallback | None) -> None:
    """Keep the name that the client asks for, and let the user's callback choose."""
    if callback is not None and not callable(callback):
        raise InvalidArgTypeError("sni_callback", "callable", callback)

    def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        setattr(tls, _NAME_KEY, name)
        if callback is None:
            return None
        try:
            chosen = callback(name)
        except Exception:
            # It cannot leave through OpenSSL, and it concerns this connection only.
            logger.exception("sni_callback failed for %r", name)
            return int(ssl.ALERT_DESCRIPTION_INTERNAL_ERROR)
        if chosen is not None:
            tls.context = chosen
        return None

    context.sni_callback = choose


def requested_name(tls: ssl.SSLObject) -> str | None:
    """Return the server name that the client has asked for; None if unknown."""
    name: str | None = getattr(tls, _NAME_KEY, None) or tls.server_hostname
    return name

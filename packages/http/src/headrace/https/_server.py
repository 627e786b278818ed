"""Server: an HTTP server whose connections are secured before they are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Unpack, overload

from headrace import http, net
from headrace.events.loop import current

if TYPE_CHECKING:
    import os
    import ssl
    from collections.abc import Callable, Iterable, Mapping

    from headrace.http._server import RequestListener

    Pem = str | bytes | os.PathLike[str]


class ServerOptions(http.ServerOptions, total=False):
    """What `create_server` takes as keywords or in one mapping; see `Server`."""

    cert: Pem | None
    key: Pem | None
    passphrase: str | bytes | None
    ca: Pem | Iterable[Pem] | None
    ssl_context: ssl.SSLContext | None
    alpn_protocols: Iterable[str] | None
    sni_callback: Callable[[str | None], ssl.SSLContext | None] | None
    request_cert: bool | None
    reject_unauthorized: bool | None
    handshake_timeout: float | None


#: Options of the `headrace.net.TLSServer` below, besides those of a plain one.
_TLS_NAMES: Final = (
    ServerOptions.__annotations__.keys() - http.ServerOptions.__annotations__.keys()
)
#: What the two sides agree on if the client asks: all that is spoken here.
_ALPN_PROTOCOLS: Final = ("http/1.1",)


class Server(http.Server, net.TLSServer):
    """Listens for connections with TLS; all else is as of `headrace.http.Server`.

    Args:
        options: Options as one mapping; see `ServerOptions`.
        request_listener: Added as a listener of ``request``.
        **keywords: The same options as keywords; they win. Those of
            `headrace.http.Server`, and `cert`, `key` (PEM text or paths), `passphrase`,
            `ca`, `alpn_protocols` (``http/1.1``), `sni_callback`, `request_cert`,
            `reject_unauthorized`, or a finished `ssl_context` instead of these; and
            `handshake_timeout` (120 seconds).

    Events:
        connection: ``(socket)`` was accepted; its handshake begins. Emitted by a
            program with a socket of its own, it secures that one.
        secure_connection: ``(socket)`` has completed its handshake; requests follow.
        tls_client_error: ``(error, socket)`` for a handshake that failed; the socket is
            destroyed, and no other connection is concerned.
        client_error: ``(error, socket)`` for bad input, as of `headrace.http.Server`,
            and after ``tls_client_error`` for the same.

    Source: X-071, H-148.
    """

    _net_options: ClassVar[frozenset[str]] = http.Server._net_options | _TLS_NAMES
    _connection_event: ClassVar[str] = "secure_connection"

    if TYPE_CHECKING:  # the same, with more options

        def __init__(
            self,
            options: Mapping[str, Any] | RequestListener | None = None,
            request_listener: RequestListener | None = None,
            /,
            **keywords: Unpack[ServerOptions],
        ) -> None: ...

    def set_secure_context(
        self, options: Mapping[str, Any] | None = None, /, **keywords: Any
    ) -> None:
        """Use another certificate, or other settings, for connections from now on.

        Args:
            options: The keywords as one mapping; keywords win.
            **keywords: The options of TLS.

        Source: X-071.
        """
        given = {**(options or {}), **keywords}
        if given.get("ssl_context") is None and given.get("alpn_protocols") is None:
            given["alpn_protocols"] = _ALPN_PROTOCOLS
        super().set_secure_context(given)

    # Connections

    def _connection_secured(self, connection: net.Socket) -> None:
        try:
            super()._connection_secured(connection)
        except Exception as error:  # of a listener of ``secure_connection``
            current().report(error, self, connection._owner)

    def _handshake_failed(self, error: BaseException, connection: net.Socket) -> None:
        super()._handshake_failed(error, connection)
        if self.listener_count("client_error"):
            next_tick_for = current().next_tick_for
            next_tick_for(connection, self.emit, "client_error", error, connection)

    # Closing

    def close_idle_connections(self) -> None:
        """Destroy connections without a request or a response under way (X-010).

        One whose handshake is not done has asked for nothing yet.
        """
        super().close_idle_connections()
        self._close_handshakes()

    def close_all_connections(self) -> None:
        """Destroy every HTTP connection, upgraded ones excepted (X-009).

        Connections whose handshake is not done belong to them.
        """
        super().close_all_connections()
        self._close_handshakes()

    def _close_handshakes(self) -> None:
        for connection in list(self._connections):
            if isinstance(connection, net.TLSSocket) and connection.secure_connecting:
                connection.destroy()


@overload
def create_server(
    request_listener: RequestListener | None = None,
    /,
    **options: Unpack[ServerOptions],
) -> Server: ...
@overload
def create_server(
    options: Mapping[str, Any],
    request_listener: RequestListener | None = None,
    /,
    **keywords: Unpack[ServerOptions],
) -> Server: ...
def create_server(
    options: Mapping[str, Any] | RequestListener | None = None,
    request_listener: RequestListener | None = None,
    /,
    **keywords: Unpack[ServerOptions],
) -> Server:
    """Return a server with TLS that does not listen yet.

    Args:
        options: Options as one mapping; see `ServerOptions`. May be left out.
        request_listener: Added as a listener of ``request``.
        **keywords: The same options as keywords; they win.

    Raises:
        TypeError: If an option is unknown.
        OutOfRangeError: If a duration is negative, or `headers_timeout` is longer than
            `request_timeout`.
        ssl.SSLError: If certificate and key do not fit, or are none.
        OSError: If a file cannot be read.

    Source: X-071, H-015.
    """
    return Server(options, request_listener, **keywords)

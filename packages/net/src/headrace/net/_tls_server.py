"""TLSServer: a server whose connections are secured before they are used."""

import logging
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headrace.events.loop import current
from headrace.net._options import SERVER_NAMES, merge
from headrace.net._server import Server, split_arguments
from headrace.net._tls_options import (
    TLS_NAMES,
    TLS_SERVER_NAMES,
    create_secure_context,
    handshake_timeout,
)
from headrace.net._tls_socket import TLSSocket

if TYPE_CHECKING:
    from typing import Unpack

    from headrace.net._socket import Socket
    from headrace.net._tls_options import TLSServerOptions

logger = logging.getLogger("headrace.net")


class TLSServer(Server):
    """A server with TLS.

    Args:
        options: The keywords as one mapping; keywords win.
        secure_connection_listener: Added as a listener of ``secure_connection``.
        **keywords: Those of `Server`, and `cert`, `key`, `passphrase`, `ca`,
            `alpn_protocols`, `request_cert`, `reject_unauthorized`, `sni_callback`, or
            `ssl_context` instead of these (see `create_secure_context`), and
            `handshake_timeout` (120 seconds).

    Events:
        connection (socket): a connection was accepted; its handshake begins. Emitted by
            a program with a connected socket of its own, it secures that one.
        secure_connection (socket): the handshake is done; the socket is a `TLSSocket`.
        tls_client_error (error, socket): the handshake failed, and the socket is
            destroyed; no other connection is concerned.

    Source: spec X-071.
    """

    _socket_class = TLSSocket

    def __init__(self, *args: Any, **keywords: "Unpack[TLSServerOptions]") -> None:
        options, listener = split_arguments(args)
        given = merge(TLS_SERVER_NAMES, options, keywords)
        super().__init__({name: given[name] for name in SERVER_NAMES & given.keys()})
        self.set_secure_context(
            {name: given[name] for name in TLS_NAMES & given.keys()}
        )
        self.on("connection", self._secure)
        if listener is not None:
            self.on("secure_connection", listener)

    def set_secure_context(
        self, options: Mapping[str, Any] | None = None, /, **keywords: Any
    ) -> None:
        """Use another certificate, or other settings, for connections from now on.

        Args:
            options: The keywords as one mapping; keywords win.
            **keywords: The options of TLS.
        """
        given = merge(TLS_NAMES, options, keywords)
        timeout = handshake_timeout(given)
        context = create_secure_context(given, server_side=True)
        self._tls_options = {"ssl_context": context, "handshake_timeout": timeout}

    @property
    def secure_context(self) -> ssl.SSLContext:
        """The settings of new connections."""
        context: ssl.SSLContext = self._tls_options["ssl_context"]
        return context

    def _secure(self, connection: "Socket") -> None:
        """Put TLS on a connection that somebody else has accepted."""
        if isinstance(connection, TLSSocket) and connection._is_handshaking_for(self):
            return  # our own
        secured = TLSSocket._put_over_for(self, connection)
        self._connections.add(secured)
        if self._options:
            self._configure(secured)

    def _connection_secured(self, connection: "Socket") -> None:
        self.emit("secure_connection", connection)

    def _handshake_failed(self, error: BaseException, connection: "Socket") -> None:
        logger.debug("handshake with %r failed: %r", connection, error)
        if self.listener_count("tls_client_error"):
            # On behalf of the connection: a bug in a listener harms nobody else.
            next_tick_for = current().next_tick_for
            next_tick_for(connection, self.emit, "tls_client_error", error, connection)


def create_tls_server(*args: Any, **options: "Unpack[TLSServerOptions]") -> TLSServer:
    """Return a new `TLSServer`, not listening yet; the arguments are the same.

    Source: spec X-071.
    """
    return TLSServer(*args, **options)

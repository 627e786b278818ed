"""Out of HTTP: a CONNECT request, or an Upgrade that is taken up.

The socket becomes the listener's, with nothing of ours left on it but the owner that
logs what goes wrong (H-010). Answers to earlier requests go out before that. A body of
the request comes through the request; the socket's own data begin behind it (H-026).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from headrace.http._ending import BODY_FULL, NOT_SERVING
from headrace.http._exchange import SERVICE, ServiceMove

if TYPE_CHECKING:
    from headrace.http._connection import ServerConnection
    from headrace.http._incoming import IncomingMessage
    from headrace.http_parser import EndOfMessage


class Switch:
    """One request that takes its socket out of HTTP.

    Source: H-025, H-026.
    """

    __slots__ = ("_connection", "_has_body", "has_begun", "request")

    def __init__(self, connection: ServerConnection, request: IncomingMessage) -> None:
        self._connection = connection
        self._has_body = request._lacks_body and request.method != "CONNECT"
        #: Whether the socket is the listener's now.
        self.has_begun = False
        #: The request, whose body may still be arriving.
        self.request = request
        request.upgrade = True
        connection.parser.accept_upgrade()

    def start(self) -> None:
        """Emit ``connect`` or ``upgrade``; destroy the connection if nobody listens."""
        connection, request = self._connection, self.request
        server = connection.server
        event = "connect" if request.method == "CONNECT" else "upgrade"
        if not server.listener_count(event):
            connection.destroy()
            return
        self._clear_socket()
        head = b""
        if not self._has_body:
            head = self._leave()
            connection.socket.release()
            request._finish()
        try:
            server.emit(event, request, connection.net_socket, head)
        except Exception as error:
            connection.take_exception(error, connection)

    def body(self, data: bytes) -> None:
        """Deliver a part of the request's body."""
        request = self.request
        if not request.push(data) and not request.destroyed:
            self._connection._wait(BODY_FULL)

    def end(self, event: EndOfMessage) -> None:
        """Let go of the socket behind the request's body."""
        leftover = self._leave()
        self._connection.socket.release(unread=leftover)
        self.request._finish(event.raw_trailers)

    def fail(self, error: Exception) -> None:
        """Close the socket over a body that is not HTTP."""
        self.request._source = None
        self.request._abort()
        self._connection.socket.destroy(error)

    def _clear_socket(self) -> None:
        """Take from the socket what HTTP has put there."""
        connection = self._connection
        connection.deadline = inf
        self.has_begun = True
        is_plain = connection.socket is connection.net_socket
        if is_plain:
            connection.net_socket.set_timeout(0)
        else:
            vars(connection.net_socket).pop("set_encoding", None)

    def _leave(self) -> bytes:
        """End the connection's service; return the bytes that are not parsed."""
        connection = self._connection
        connection._switch = None
        connection._service = SERVICE[connection._service, ServiceMove.SWITCH]
        connection._hold |= NOT_SERVING
        connection.server.forget(connection)
        return connection.parser.take_leftover()

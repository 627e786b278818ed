"""What a server's settings mean for each of its connections, worked out once."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from headrace.http._server_response import KEEP_ALIVE_LINE

if TYPE_CHECKING:
    from headrace.http._server import Server
    from headrace.http_parser import RequestParser

#: As many connections as come and go between two turns of a busy server.
MAX_PARSERS: Final = 64


class Terms:
    """The settings of a server as its new connections use them.

    Attributes:
        has_message_options: Requests and responses have to be told something.
        idle_promise: The header lines that promise a next request a place.
        usual_promise: The same, or None if the number of requests is limited.
        parsers: Those of ended connections, for new ones.
        idle_time: Seconds that a connection may rest between requests; 0: any time.
        head_time: Seconds that a head may take.
        request_time: Seconds that a whole request may take.
    """

    __slots__ = (
        "has_message_options",
        "head_time",
        "idle_promise",
        "idle_time",
        "parsers",
        "request_time",
        "usual_promise",
    )

    def __init__(self, server: Server) -> None:
        self.has_message_options = bool(
            server.join_duplicate_headers
            or server.unique_headers
            or server.reject_non_standard_body_writes
            or server.high_water_mark is not None
        )
        self.idle_promise = _keep_alive_lines(server)
        is_limited = bool(server.max_requests_per_socket)
        self.usual_promise = None if is_limited else self.idle_promise
        self.parsers: list[RequestParser] = []
        self.idle_time = 0.0
        if server.keep_alive_timeout:
            self.idle_time = (
                server.keep_alive_timeout + server.keep_alive_timeout_buffer
            )
        self.request_time = server.request_timeout or inf
        self.head_time = min(server.headers_timeout or inf, self.request_time)

    def keep_parser(self, parser: RequestParser) -> None:
        """Keep the parser of an ended connection, if it can be used again."""
        if len(self.parsers) < MAX_PARSERS and parser.renew():
            self.parsers.append(parser)


def _keep_alive_lines(server: Server) -> str:
    if not server.keep_alive_timeout:
        return KEEP_ALIVE_LINE
    limit = server.max_requests_per_socket
    largest = f", max={limit}" if limit else ""
    seconds = int(server.keep_alive_timeout)
    return f"{KEEP_ALIVE_LINE}Keep-Alive: timeout={seconds}{largest}\r\n"

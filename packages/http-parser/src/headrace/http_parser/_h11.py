"""The engine h11, in plain Python and always installed."""

import sys
from typing import Final, Literal

import h11

from headrace.http_parser._engine import disagreement

# Makes h11 ready to read an answer that may have a body.
_ANY_REQUEST: Final = h11.Request(method="GET", target="/", headers=[("Host", "")])


class H11Engine:
    """h11 connections, a new one for each message (H-180)."""

    __slots__ = ("_complete", "_connection", "_role")

    name = "h11"

    def __init__(self, reads: Literal["requests", "responses"]) -> None:
        self._role = h11.SERVER if reads == "requests" else h11.CLIENT
        self._complete = False
        self._connection = self._connect()

    def _connect(self) -> h11.Connection:
        # The limits are the parser's: h11 knows one that does not always hold (H-181).
        connection = h11.Connection(self._role, max_incomplete_event_size=sys.maxsize)
        if self._role is h11.CLIENT:
            connection.send(_ANY_REQUEST)
            connection.send(h11.EndOfMessage())
        return connection

    def read_head(self, head: bytes, has_body: bool | None) -> None:
        """Judge a head and get ready for its body."""
        self._complete = False
        self._connection = connection = self._connect()
        try:
            connection.receive_data(head)
            event = connection.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                raise disagreement(self.name, "the head is not complete")
            if has_body is False:
                ended = isinstance(connection.next_event(), h11.EndOfMessage)
            else:
                ended = has_body is True and connection.next_event() is h11.NEED_DATA
        except h11.RemoteProtocolError as error:
            raise disagreement(self.name, str(error)) from error
        if has_body is not None and not ended:
            raise disagreement(self.name, "the body is framed in another way")

    def decode(self, pieces: list[bytes]) -> bytes:
        """Return the content in some more bytes of a chunked body."""
        connection = self._connection
        content: list[bytes] = []
        try:
            for piece in pieces:
                connection.receive_data(piece)
                while isinstance(event := connection.next_event(), h11.Data):
                    content.append(event.data)
                self._complete = isinstance(event, h11.EndOfMessage)
        except h11.RemoteProtocolError as error:
            raise disagreement(self.name, str(error)) from error
        return b"".join(content)

    def renew(self) -> None:
        """Do nothing: every message has a connection of its own."""

    def is_complete(self) -> bool:
        """Tell whether the engine saw the end of a chunked body."""
        return self._complete

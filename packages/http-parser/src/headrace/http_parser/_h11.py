"""The engine h11, in plain Python and always installed."""

import sys

import h11

from headrace.http_parser._engine import disagreement


class H11Engine:
    """h11 connections, a new one for each message (H-180)."""

    __slots__ = ("_complete", "_connection", "_role")

    name = "h11"

    def __init__(self, role: type[h11.CLIENT] | type[h11.SERVER]) -> None:
        self._role = role
        self._complete = False
        self._connection = self._open()

    def _open(self) -> h11.Connection:
        # The limits are the parser's own, h11 holds its limit not always (H-181).
        connection = h11.Connection(self._role, max_incomplete_event_size=sys.maxsize)
        if self._role is h11.CLIENT:
            connection.send(
                h11.Request(method="GET", target="/", headers=[("Host", "")])
            )
            connection.send(h11.EndOfMessage())
        return connection

    def read_head(self, head: bytes, has_body: bool) -> None:
        """Judge a head and get ready for its body."""
        self._connection = connection = self._open()
        self._complete = False
        try:
            connection.receive_data(head)
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            raise disagreement(self.name, str(error)) from error
        if event is h11.NEED_DATA or event is h11.PAUSED:
            raise disagreement(self.name, "the head is not complete")

    def decode(self, data: bytes) -> bytes:
        """Return the content in a part of a chunked body."""
        connection = self._connection
        pieces: list[bytes] = []
        try:
            connection.receive_data(data)
            while isinstance(event := connection.next_event(), h11.Data):
                pieces.append(event.data)
        except h11.RemoteProtocolError as error:
            raise disagreement(self.name, str(error)) from error
        self._complete = isinstance(event, h11.EndOfMessage)
        return b"".join(pieces)

    def is_complete(self) -> bool:
        """Tell whether the engine saw the end of the chunked body."""
        return self._complete


def request_engine() -> H11Engine:
    """Return an engine for the messages of a client."""
    return H11Engine(h11.SERVER)


def response_engine() -> H11Engine:
    """Return an engine for the messages of a server."""
    return H11Engine(h11.CLIENT)

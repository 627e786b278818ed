"""The engine llhttp, the parser that Node itself uses, by way of httptools."""

from typing import Literal

from httptools import HttpParserError, HttpRequestParser, HttpResponseParser

from headrace.http_parser._engine import disagreement
from headrace.http_parser._limits import MAX_ENGINE_BYTES


class _Sink:
    """Takes the callbacks; apart from the engine, so that no references form a ring."""

    __slots__ = ("complete", "pieces", "read_head")

    def __init__(self) -> None:
        self.read_head = False
        self.complete = False
        self.pieces: list[bytes] = []

    def on_headers_complete(self) -> None:
        self.read_head = True

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        self.complete = True


class LlhttpEngine:
    """One llhttp parser for all messages of a connection."""

    __slots__ = ("_kind", "_parser", "_sink", "_used")

    name = "llhttp"

    def __init__(self, reads: Literal["requests", "responses"]) -> None:
        self._sink = _Sink()
        self._kind = HttpRequestParser if reads == "requests" else HttpResponseParser
        self._parser = self._kind(self._sink)
        self._used = False  # has to be reset before the next head

    def read_head(self, head: bytes, has_body: bool | None) -> None:
        """Judge a head and get ready for its body."""
        sink = self._sink
        if self._used:
            self._kind.__init__(self._parser, sink)
        self._used = True
        sink.read_head = sink.complete = False
        try:
            self._parser.feed_data(head)
        except HttpParserError as error:
            raise disagreement(self.name, str(error)) from error
        if not sink.read_head:
            raise disagreement(self.name, "the head is not complete")
        if has_body is None:
            return
        if sink.complete is has_body:
            raise disagreement(self.name, "the body is framed in another way")
        self._used = has_body  # it will not see the end of a body of known length

    def decode(self, pieces: list[bytes]) -> bytes:
        """Return the content in some more bytes of a chunked body."""
        feed = self._parser.feed_data
        content = self._sink.pieces
        try:
            for piece in pieces:
                if len(piece) <= MAX_ENGINE_BYTES:
                    feed(piece)
                    continue
                view = memoryview(piece)
                for start in range(0, len(piece), MAX_ENGINE_BYTES):
                    feed(view[start : start + MAX_ENGINE_BYTES])
        except HttpParserError as error:
            raise disagreement(self.name, str(error)) from error
        joined = content[0] if len(content) == 1 else b"".join(content)
        content.clear()
        return joined

    def is_complete(self) -> bool:
        """Tell whether the engine saw the end of a chunked body."""
        return self._sink.complete

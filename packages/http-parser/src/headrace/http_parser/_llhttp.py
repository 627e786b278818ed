"""The engine llhttp, the parser Node itself uses, by way of httptools."""

from httptools import (
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
    HttpResponseParser,
)

from headrace.http_parser._engine import disagreement
from headrace.http_parser._limits import MAX_ENGINE_BYTES


class _Sink:
    """Takes the callbacks; apart from the engine, so that no reference goes in a ring."""

    __slots__ = ("complete", "pieces")

    def __init__(self) -> None:
        self.complete = False
        self.pieces: list[bytes] = []

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        self.complete = True


class LlhttpEngine:
    """One llhttp parser, used for every message of a connection."""

    __slots__ = ("_parser", "_reset", "_sink", "_used")

    name = "llhttp"

    def __init__(self, kind: type[HttpRequestParser | HttpResponseParser]) -> None:
        self._sink = _Sink()
        self._parser = kind(self._sink)
        self._reset = kind.__init__
        self._used = False  # in the middle of a message that it will not see the end of

    def read_head(self, head: bytes, has_body: bool) -> None:
        """Judge a head and get ready for its body."""
        sink = self._sink
        if self._used:
            self._reset(self._parser, sink)
        sink.complete = False
        try:
            self._parser.feed_data(head)
        except HttpParserUpgrade:
            sink.complete = True
        except HttpParserError as error:
            raise disagreement(self.name, str(error)) from error
        self._used = not sink.complete

    def decode(self, data: bytes) -> bytes:
        """Return the content in a part of a chunked body."""
        pieces = self._sink.pieces
        try:
            if len(data) <= MAX_ENGINE_BYTES:
                self._parser.feed_data(data)
            else:
                self._decode_long(data)
        except HttpParserError as error:
            raise disagreement(self.name, str(error)) from error
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return content

    def _decode_long(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(data), MAX_ENGINE_BYTES):
            self._parser.feed_data(view[start : start + MAX_ENGINE_BYTES])

    def is_complete(self) -> bool:
        """Tell whether the engine saw the end of the chunked body."""
        self._used = not self._sink.complete
        return self._sink.complete


def request_engine() -> LlhttpEngine:
    """Return an engine for the messages of a client."""
    return LlhttpEngine(HttpRequestParser)


def response_engine() -> LlhttpEngine:
    """Return an engine for the messages of a server."""
    return LlhttpEngine(HttpResponseParser)

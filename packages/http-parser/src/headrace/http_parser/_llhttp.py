"""The engine llhttp, the parser that Node itself uses, by way of httptools."""

from typing import Final, Literal

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserInvalidURLError,
    HttpParserUpgrade,
    HttpRequestParser,
    HttpResponseParser,
)

from headrace.http_parser._engine import disagreement
from headrace.http_parser._limits import MAX_ENGINE_BYTES

# What llhttp has rules of its own about: a shorter list of methods in old versions,
# letters only in the scheme of an absolute target, and upgrades in HTTP/1.0 or asked
# for in Proxy-Connection.
_KNOWN_DIFFERENCES: Final = (
    HttpParserInvalidMethodError,
    HttpParserInvalidURLError,
    HttpParserUpgrade,
)


class _Sink:
    """Takes the callbacks; apart from the engine, so that no references form a ring."""

    __slots__ = ("complete", "pieces")

    def __init__(self) -> None:
        self.complete = False
        self.pieces: list[bytes] = []

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
        self._used = True  # has to be reset before the next head

    def _reset(self) -> None:
        self._kind.__init__(self._parser, self._sink)
        # Whether a message was the last one is the parser's to judge: llhttp counts
        # Proxy-Connection among the fields that say so.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def read_head(self, head: bytes, has_body: bool | None) -> bool:
        """Judge a head and get ready for its body."""
        if self._used:
            self._reset()
        self._used = True
        sink = self._sink
        sink.complete = False
        try:
            self._parser.feed_data(head)
        except _KNOWN_DIFFERENCES:
            return False
        except HttpParserError as error:
            raise disagreement(self.name, str(error)) from error
        if has_body is None:
            return True
        if sink.complete is has_body:
            raise disagreement(self.name, "the body is framed in another way")
        self._used = has_body  # it will not see the end of a body of known length
        return True

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

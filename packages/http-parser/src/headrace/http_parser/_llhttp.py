"""The engine llhttp, the parser that Node itself uses, by way of httptools."""

from types import SimpleNamespace
from typing import Literal

from httptools import HttpParserError, HttpRequestParser, HttpResponseParser

from headrace.http_parser._engine import disagreement
from headrace.http_parser._limits import MAX_ENGINE_BYTES


class LlhttpEngine:
    """One llhttp parser for all messages of a connection."""

    __slots__ = (
        "_content",
        "_end_due",
        "_head_due",
        "_kind",
        "_parser",
        "_sink",
        "_used",
    )

    name = "llhttp"

    def __init__(self, reads: Literal["requests", "responses"]) -> None:
        # Each holds something until the parser is there. What the parser calls are the
        # lists' own methods: functions of ours would cost as much as its work.
        self._head_due = [True]
        self._end_due = [True]
        self._content: list[bytes] = []
        self._sink = SimpleNamespace(
            on_headers_complete=self._head_due.clear,
            on_body=self._content.append,
            on_message_complete=self._end_due.clear,
        )
        self._kind = HttpRequestParser if reads == "requests" else HttpResponseParser
        self._parser = self._kind(self._sink)
        self._used = False  # has to be reset before the next head

    def read_head(self, head: bytes, has_body: bool | None) -> None:
        """Judge a head and get ready for its body."""
        if self._used:
            self._kind.__init__(self._parser, self._sink)
        self._used = True
        head_due, end_due = self._head_due, self._end_due
        if not head_due:
            head_due.append(True)
        if not end_due:
            end_due.append(True)
        try:
            self._parser.feed_data(head)
        except HttpParserError as error:
            raise disagreement(self.name, str(error)) from error
        if head_due:
            raise disagreement(self.name, "the head is not complete")
        if has_body is None:
            return
        if (not end_due) is has_body:
            raise disagreement(self.name, "the body is framed in another way")
        self._used = has_body  # it will not see the end of a body of known length

    def decode(self, pieces: list[bytes]) -> bytes:
        """Return the content in some more bytes of a chunked body."""
        feed = self._parser.feed_data
        content = self._content
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

    def renew(self) -> None:
        """Forget that a message may have been the last one of its connection."""
        self._used = True

    def is_complete(self) -> bool:
        """Tell whether the engine saw the end of a chunked body."""
        return not self._end_due

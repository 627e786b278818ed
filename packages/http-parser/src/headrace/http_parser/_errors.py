"""The one error of this package: the peer sent something that is not HTTP/1.1."""

from typing import Final

# The answer a server gives when nobody decides otherwise. Every other code is a plain
# 400 (spec entry H-027).
_STATUS_HINTS: Final = {
    "HPE_HEADER_OVERFLOW": 431,
    "HPE_CHUNK_EXTENSIONS_OVERFLOW": 413,
}


class HTTPParserError(ValueError):
    """The bytes of the peer break the rules of HTTP/1.1 or a limit.

    Attributes:
        code: What is wrong, as one of Node's names (``"HPE_INVALID_METHOD"``).
        reason: The same for a human reader.
        bytes_parsed: Where in `raw_packet` the fault was found.
        raw_packet: The bytes at fault, from the first one that had not yet been
            delivered in an event.
        status_hint: The status a server would answer: 400, 413 or 431.

    Source: H-011, H-027, H-130.
    """

    def __init__(
        self, code: str, reason: str, *, bytes_parsed: int = 0, raw_packet: bytes = b""
    ) -> None:
        super().__init__(f"Parse Error: {reason}")
        self.code = code
        self.reason = reason
        self.bytes_parsed = bytes_parsed
        self.raw_packet = raw_packet

    @property
    def status_hint(self) -> int:
        """The status code that answers this error: 400, 413 or 431."""
        return _STATUS_HINTS.get(self.code, 400)


class EngineChoiceError(ValueError):
    """The engine asked for does not exist or is not installed."""

    code: Final = "ERR_INVALID_ARG_VALUE"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"the parser engine {name!r} {problem}")
        self.name = name

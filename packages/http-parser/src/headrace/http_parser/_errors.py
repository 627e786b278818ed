"""The errors of this package: what the peer did wrong, and what the caller did."""

from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from headrace.http_parser._state import Move, State

# The answer a server gives when nobody decides otherwise. Every other code is a plain
# 400 (H-027).
_STATUS_HINTS: Final = {
    "HPE_HEADER_OVERFLOW": 431,
    "HPE_CHUNK_EXTENSIONS_OVERFLOW": 413,
}


class HTTPParserError(ValueError):
    """The bytes of the peer break a rule of HTTP/1.1 or a limit.

    Attributes:
        code: What is wrong, as one of Node's names (``"HPE_INVALID_METHOD"``).
        reason: The same for a human reader.
        bytes_parsed: Where in `raw_packet` the fault was found.
        raw_packet: The bytes that no event had delivered when it was found.
        status_hint: The status that answers it: 400, 413 or 431.

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
        self.status_hint = _STATUS_HINTS.get(code, 400)


class IllegalMoveError(RuntimeError):
    """The caller asked for what the parser's state does not allow."""

    code: ClassVar[str] = "ERR_INVALID_STATE"

    def __init__(self, state: "State", move: "Move", reason: str = "") -> None:
        because = f": {reason}" if reason else ""
        super().__init__(f"{move.name} is not legal in {state.name}{because}")
        self.state = state
        self.move = move


class EngineChoiceError(ValueError):
    """The engine asked for does not exist or is not installed."""

    code: ClassVar[str] = "ERR_INVALID_ARG_VALUE"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"the parser engine {name!r} {problem}")
        self.name = name

"""The parsers of a client's connections: what they are asked for, who uses them next.

A connection that ends leaves its parser to the next one of the same loop: making one
costs as much as a small request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from headrace.http_parser import (
    MAX_HEADER_SIZE,
    MAX_HEADERS_COUNT,
    EngineName,
    ResponseParser,
)

if TYPE_CHECKING:
    from headrace.events.loop import Loop

# Where a loop keeps the parsers of ended connections, with the name of their engine.
_PARSERS: Final = "headrace.http parsers of responses"
#: As many connections as a busy client has at a time.
MAX_PARSERS: Final = 64


class ParserSettings(NamedTuple):
    """What requests may ask of the parser."""

    max_header_size: int = MAX_HEADER_SIZE
    max_headers_count: int = MAX_HEADERS_COUNT
    insecure: bool = False
    engine: EngineName = "auto"

    def make_parser(self, engine: EngineName = "auto") -> ResponseParser:
        """Return a parser with these settings.

        Args:
            engine: What "auto" is here.

        Raises:
            EngineChoiceError: If the engine does not exist or is not installed.
        """
        return ResponseParser(
            engine if self.engine == "auto" else self.engine,
            max_head_size=self.max_header_size,
            max_headers_count=self.max_headers_count,
            insecure=self.insecure,
        )


DEFAULT_SETTINGS: Final = ParserSettings()


def take_parser(
    loop: Loop, settings: ParserSettings, engine: EngineName
) -> tuple[ResponseParser, list[ResponseParser] | None]:
    """Return a parser, and where it goes behind its connection, if others can use it.

    Args:
        loop: The running loop.
        settings: What the first request of the connection asks for.
        engine: What "auto" is here.

    Raises:
        EngineChoiceError: If the engine does not exist or is not installed.
    """
    if settings is not DEFAULT_SETTINGS:
        return settings.make_parser(engine), None
    spares: list[ResponseParser]
    spares = loop.locals.setdefault((_PARSERS, engine), [])
    return (spares.pop() if spares else settings.make_parser(engine)), spares


def leave_parser(parser: ResponseParser, spares: list[ResponseParser]) -> None:
    """Let others use a parser, unless it ended inside a message or they have enough."""
    if len(spares) < MAX_PARSERS and parser.renew():
        spares.append(parser)

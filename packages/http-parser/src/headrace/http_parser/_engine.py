"""What an engine is, and how one is chosen.

The parser reads heads and chunk lines by its own strict rules. An engine is the
independent second opinion: it is given every head, and it decodes the chunked bodies. It
cannot make the parser accept anything; where it disagrees the message is refused.
"""

import importlib.util
import os
from typing import Literal, Protocol

from headrace.http_parser._errors import EngineChoiceError, HTTPParserError

EngineName = Literal["auto", "llhttp", "h11"]

#: Sets the engine where none is named.
ENVIRONMENT_VARIABLE = "HEADRACE_HTTP_PARSER"


class Engine(Protocol):
    """A parser of one message at a time."""

    name: str

    def read_head(self, head: bytes, has_body: bool) -> None:
        """Judge a head and get ready for its body.

        Raises:
            HTTPParserError: If the engine refuses it or frames it in another way.
        """

    def decode(self, data: bytes) -> bytes:
        """Return the content in a part of a chunked body.

        Raises:
            HTTPParserError: If the engine refuses it.
        """

    def is_complete(self) -> bool:
        """Tell whether the engine saw the end of the chunked body."""


def disagreement(engine: str, problem: str) -> HTTPParserError:
    """Return the error for a message that only one of the two readers accepts."""
    return HTTPParserError("HPE_INTERNAL", f"{engine} does not agree: {problem}")


def choose(name: EngineName | None) -> Literal["llhttp", "h11"]:
    """Return the engine to use for `name`, or for the environment's choice.

    Raises:
        EngineChoiceError: If it does not exist or is not installed.
    """
    wanted = name or os.environ.get(ENVIRONMENT_VARIABLE) or "auto"
    if wanted not in ("auto", "llhttp", "h11"):
        raise EngineChoiceError(wanted, "does not exist")
    if wanted == "h11":
        return "h11"
    if importlib.util.find_spec("httptools") is not None:
        return "llhttp"
    if wanted == "llhttp":
        raise EngineChoiceError(wanted, "needs the httptools package")
    return "h11"

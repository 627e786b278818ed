"""What an engine is, and which one is chosen.

The parser reads heads and chunk lines by its own strict rules. An engine is the second
opinion on them, by other people: it is given every head, and it takes the content out
of chunked bodies. It cannot make the parser accept anything; where it disagrees, the
message is refused.
"""

import importlib.util
import os
import re
from functools import cache
from typing import Final, Literal, Protocol

from headrace.http_parser._errors import EngineChoiceError, HTTPParserError

EngineName = Literal["auto", "llhttp", "h11"]

#: Says which engine ``"auto"`` is; without it llhttp when installed, else h11.
ENVIRONMENT_VARIABLE: Final = "HEADRACE_HTTP_PARSER"

# The fields that say where a message ends and whom it is for.
_SETTLED_FIELDS: Final = re.compile(
    rb"\r\n(?:host|connection|proxy-connection|upgrade|content-length"
    rb"|transfer-encoding):[^\r]*",
    re.IGNORECASE,
)


class Engine(Protocol):
    """A parser by other people, for one message after the other."""

    name: str

    def read_head(self, head: bytes, has_body: bool | None) -> None:
        """Judge a head and get ready for its body.

        Args:
            head: A whole head, or the `plain_head` of one that engines are known to
                read in different ways.
            has_body: Whether the engine must expect a body too. None says that it
                cannot know, as for the answer to a HEAD request.

        Raises:
            HTTPParserError: If the engine disagrees.
        """

    def decode(self, pieces: list[bytes]) -> bytes:
        """Return the content in some more bytes of a chunked body.

        Raises:
            HTTPParserError: If the engine disagrees.
        """

    def is_complete(self) -> bool:
        """Tell whether the engine saw the end of a chunked body."""

    def renew(self) -> None:
        """Forget that a message may have been the last one of its connection."""


def disagreement(engine: str, problem: str) -> HTTPParserError:
    """Return the error for a message that an engine does not read as we do."""
    return HTTPParserError("HPE_INTERNAL", f"{engine} disagrees: {problem}")


def plain_head(
    start_line: bytes, head: bytes, length: int | None, chunked: bool
) -> bytes:
    """Return a head whose framing no engine can take for another one.

    Args:
        start_line: What to put in the place of the start line.
        head: A head that has passed our rules.
        length: The length of its body if announced.
        chunked: Its body is chunked.
    """
    fields = head[head.index(b"\r\n") : -2]
    framing = b""
    if chunked:
        framing = b"Transfer-Encoding: chunked\r\n"
    elif length is not None:
        framing = b"Content-Length: %d\r\n" % length
    return b"%s\r\nHost: plain\r\n%s%s\r\n" % (
        start_line,
        framing,
        _SETTLED_FIELDS.sub(b"", fields)[2:],
    )


@cache
def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def choose(name: EngineName) -> Literal["llhttp", "h11"]:
    """Return the engine that `name` means here.

    Raises:
        EngineChoiceError: If it does not exist or is not installed.
    """
    wanted: str = name
    if wanted == "auto":
        wanted = os.environ.get(ENVIRONMENT_VARIABLE) or "auto"
    if wanted not in ("auto", "llhttp", "h11"):
        raise EngineChoiceError(wanted, "does not exist")
    if wanted == "h11":
        return "h11"
    if _is_installed("httptools"):
        return "llhttp"
    if wanted == "llhttp":
        raise EngineChoiceError(wanted, "needs the package httptools")
    return "h11"


def make_engine(name: EngineName, reads: Literal["requests", "responses"]) -> Engine:
    """Return a new engine for one connection.

    Raises:
        EngineChoiceError: If it does not exist or is not installed.
    """
    # Imported when needed: httptools may be absent, and h11 is slow to load.
    if choose(name) == "llhttp":
        from headrace.http_parser._llhttp import LlhttpEngine

        return LlhttpEngine(reads)
    from headrace.http_parser._h11 import H11Engine

    return H11Engine(reads)

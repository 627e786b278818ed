"""Which engine is chosen, and what happens when it disagrees."""

import subprocess
import sys

import pytest

from headrace.http_parser import (
    EngineChoiceError,
    EngineName,
    HTTPParserError,
    RequestParser,
    ResponseParser,
    _engine,
)
from headrace.http_parser._h11 import H11Engine
from headrace.http_parser._llhttp import LlhttpEngine
from headrace.http_parser.testing import trace

ENGINES = (LlhttpEngine, H11Engine)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_llhttp_is_used_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """``auto`` is the default and prefers it."""
    monkeypatch.delenv("HEADRACE_HTTP_PARSER", raising=False)
    assert RequestParser().engine == ResponseParser("auto").engine == "llhttp"


def test_h11_is_used_without_httptools(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is always there."""
    monkeypatch.delenv("HEADRACE_HTTP_PARSER", raising=False)
    monkeypatch.setattr(_engine, "_is_installed", lambda module: False)
    assert RequestParser().engine == "h11"
    with pytest.raises(EngineChoiceError, match="needs the package httptools"):
        RequestParser("llhttp")


def test_the_environment_sets_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument goes before it; empty is as good as not set."""
    monkeypatch.setenv("HEADRACE_HTTP_PARSER", "h11")
    assert RequestParser().engine == "h11"
    assert RequestParser("llhttp").engine == "llhttp"
    monkeypatch.setenv("HEADRACE_HTTP_PARSER", "")
    assert RequestParser().engine == "llhttp"


def test_an_unknown_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is an error that names it, from an argument and from the environment."""
    with pytest.raises(EngineChoiceError, match="'x' does not exist") as wrong:
        RequestParser("x")  # type: ignore[arg-type]
    assert (wrong.value.code, wrong.value.name) == ("ERR_INVALID_ARG_VALUE", "x")
    monkeypatch.setenv("HEADRACE_HTTP_PARSER", "y")
    with pytest.raises(EngineChoiceError, match="'y'"):
        ResponseParser()


def test_httptools_is_loaded_when_it_is_used() -> None:
    """The package works where it cannot be imported."""
    program = (
        "import sys; sys.modules['httptools'] = None\n"
        "from headrace.http_parser import RequestParser\n"
        "parser = RequestParser('h11'); parser.receive(b'GET / HTTP/1.0\\r\\n\\r\\n')\n"
        "print(parser.next_event())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "<RequestHead GET / HTTP/1.0>\n"


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_judges_heads(engine: type[LlhttpEngine | H11Engine]) -> None:
    """What it refuses is refused, with the reason kept as the cause."""
    with pytest.raises(HTTPParserError, match="disagrees") as refused:
        engine("requests").read_head(b"GET / HTTP/1.1\r\nHo st: a\r\n\r\n", False)
    assert refused.value.code == "HPE_INTERNAL"
    assert refused.value.__cause__ is not None


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_judges_the_framing(engine: type[LlhttpEngine | H11Engine]) -> None:
    """It must see a body where we see one."""
    with pytest.raises(HTTPParserError, match="framed in another way"):
        engine("requests").read_head(GET, True)
    with pytest.raises(HTTPParserError, match="framed in another way"):
        engine("requests").read_head(CHUNKED, False)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_judges_chunks(engine: type[LlhttpEngine | H11Engine]) -> None:
    """What it refuses in a body is refused too."""
    judge = engine("requests")
    judge.read_head(CHUNKED, True)
    assert judge.decode([b"1\r\nx", b"\r\n"]) == b"x"
    with pytest.raises(HTTPParserError, match="disagrees"):
        judge.decode([b"zz\r\n"])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_head_that_is_not_whole(engine: type[LlhttpEngine | H11Engine]) -> None:
    """An engine that waits for more has read something else."""
    with pytest.raises(HTTPParserError, match="disagrees"):
        engine("requests").read_head(b"GET / HTTP/1.1\r\nHost: a\r\n", True)


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
def test_an_engine_that_misses_the_end_of_a_body(
    engine: EngineName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is refused: one of the two readers is wrong."""
    for kind in ENGINES:
        monkeypatch.setattr(kind, "is_complete", lambda self: False)
    lines = trace(RequestParser(engine), [CHUNKED + b"0\r\n\r\n"])
    assert lines[-1] == "refuse HPE_INTERNAL at 0"


def test_long_pieces_are_cut_for_httptools() -> None:
    """More than 64 KiB at once would cost five times as much."""
    judge = LlhttpEngine("requests")
    judge.read_head(CHUNKED, True)
    assert judge.decode([b"30000\r\n" + b"x" * 0x30000]) == b"x" * 0x30000

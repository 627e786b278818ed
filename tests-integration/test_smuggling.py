"""A refused message never lets its tail be read as another request.

Every request of the parser's corpus that is refused, in whatever way, is sent to real
servers with a second request behind it. Source: the list of known advisories; H-027,
H-130; RFC 9112 section 11.2.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from headrace import http
from headrace.http.testing import RawClient
from headrace.http_parser import EngineName, RequestParser
from headrace.http_parser.testing import trace

CORPUS = Path(__file__).parents[1] / "packages/http-parser/tests/test_parser_corpus.py"
TAIL = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def corpus() -> list[Any]:
    """Return the cases of the parser's corpus."""
    spec = spec_from_file_location("test_parser_corpus", CORPUS)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return list(module.CASES)


def is_refused(data: bytes, engine: EngineName) -> bool:
    lines = trace(RequestParser(engine), [data])
    return any(line.startswith("refuse") for line in lines)


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
async def test_no_tail_of_a_refused_message_is_a_request(engine: EngineName) -> None:
    """The server answers what came before it and the message itself, then closes."""
    urls: list[str] = []

    async def listener(
        request: http.IncomingMessage, response: http.ServerResponse
    ) -> None:
        urls.append(request.url)
        response.end(str(len(await request.body())))

    requests = [case.data for case in corpus() if case.side == "request"]
    refused = [data for data in requests if is_refused(data, engine)]
    assert len(refused) > 250
    async with http.create_server(listener, engine=engine).listen(0, "127.0.0.1") as s:
        for data in refused:
            urls.clear()
            async with RawClient(s) as client:
                await client.send(data + TAIL)
                answer = await client.read_all()
            assert "/smuggled" not in urls, (data, answer)
            last = answer.rpartition(b"HTTP/1.1 ")[2]
            assert b"Connection: close" in last or not last, (data, answer)

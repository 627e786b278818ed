"""What others were broken by above the parser: one named test per advisory.

`test_parser_advisories.py` has those about parsing, `test_http_injection.py` tries all
ways out, and `tests-integration/test_memory_attacks.py` real servers.
Source: spec, advisories.
"""

import logging
from typing import Any

import anyio
import pytest

from headrace import http
from headrace.http import IncomingMessage, ServerResponse
from headrace.http.testing import HostileServer, RawClient, ok, served, stays


async def refusal(**options: Any) -> str:
    """Make a request that must raise before any byte; return its code."""
    async with HostileServer(stays(ok())) as server, http.Agent() as agent:
        with pytest.raises((ValueError, TypeError)) as raised:
            http.get(port=server.port, host="127.0.0.1", agent=agent, **options)
        assert server.connections == 0
        assert agent.requests == {}
    return str(getattr(raised.value, "code", None))


async def test_cve_2020_7694_logged_targets(caplog: pytest.LogCaptureFixture) -> None:
    """uvicorn: nothing that a client sends can steer a terminal through the log."""

    def listener(request: IncomingMessage, response: ServerResponse) -> None:
        request.on("data", lambda chunk: 1 / 0)

    async with http.create_server(listener).listen(0, "127.0.0.1") as server:
        for target in (b"/%1b[2J%0a", b"/\x1b[2J", b"/\xc2\x9b2J"):
            with caplog.at_level(logging.DEBUG):
                async with RawClient(server) as client:
                    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
                    await client.send(head % target)
                    await client.read_all()
    assert "/%1b[2J%0a" in caplog.text
    shown = "".join(record.getMessage() for record in caplog.records)
    assert shown.isprintable()


async def test_cve_2022_31150_line_end_in_a_path() -> None:
    """undici: CR LF in a path raises."""
    code = await refusal(path="/ HTTP/1.1\r\nEvil: 1\r\n\r\n")
    assert code == "ERR_UNESCAPED_CHARACTERS"


async def test_cve_2022_35948_line_end_in_a_content_type() -> None:
    """undici (also CVE-2022-31151): CR LF in a header's value raises."""
    code = await refusal(headers={"content-type": "application/json\r\nEvil: 1"})
    assert code == "ERR_INVALID_CHAR"


async def test_cve_2023_23936_line_end_in_host() -> None:
    """undici: CR LF in Host raises, in the header and in the option."""
    assert await refusal(headers={"host": "a\r\nEvil: 1"}) == "ERR_INVALID_CHAR"
    with pytest.raises(http.InvalidCharError):
        http.get(host="a\r\nEvil: 1")


async def test_cve_2023_49081_line_end_in_a_version() -> None:
    """aiohttp: there is no way to say a version at all."""
    assert await refusal(version="1.1\r\nEvil: 1") == "ERR_INVALID_ARG_TYPE"


async def test_cve_2023_49082_line_end_in_a_method() -> None:
    """aiohttp: CR LF in a method raises."""
    assert await refusal(method="GET / HTTP/1.1\r\nEvil") == "ERR_INVALID_HTTP_TOKEN"


async def test_cve_2026_22036_chains_of_codings() -> None:
    """undici: a body is handed on as it came, however many codings it names."""
    codings = ", ".join(["gzip"] * 2000)
    script = stays(ok(b"as it is", f"Content-Encoding: {codings}"))
    async with HostileServer(script) as server, http.Agent() as agent:
        response = await http.get(server.url(), agent=agent)
        assert await response.body() == b"as it is"


async def test_cve_2026_34519_reason_phrase() -> None:
    """aiohttp: CR in a reason phrase raises."""
    codes: list[str] = []

    def listener(request: IncomingMessage, response: ServerResponse) -> None:
        try:
            response.write_head(200, "OK\rEvil: 1")
        except http.InvalidCharError as error:
            codes.append(error.code)
        response.end()

    async with served(listener) as (_, client):
        assert (await client.ask("GET / HTTP/1.1")).head.startswith("HTTP/1.1 200 OK\r")
    assert codes == ["ERR_INVALID_CHAR"]


async def test_cve_2026_54273_requests_behind_a_slow_one() -> None:
    """aiohttp: of a pipeline only so many wait; the others are read when there is room.

    The socket is not read meanwhile, so a flood stays with its sender (X-025).
    """
    full, release = anyio.Event(), anyio.Event()
    urls: list[str] = []

    async def listener(request: IncomingMessage, response: ServerResponse) -> None:
        urls.append(request.url)
        if len(urls) == 8:
            full.set()
        await release.wait()
        response.end(request.url)

    async with served(listener, max_pipelined_requests=8) as (_, client):
        await client.send(
            b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(100))
        )
        await full.wait()
        await anyio.wait_all_tasks_blocked()
        assert len(urls) == 8
        release.set()
        for number in range(100):
            assert (await client.response()).body == b"/%d" % number

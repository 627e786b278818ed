"""Which engine parses the answers: an option of agents and of requests (DESIGN 6)."""

from typing import Any

import pytest

from headrace import http, https
from headrace.events.loop import current
from headrace.http._client_connection import ClientConnection
from headrace.http.testing import HostileServer, garbage, half_body, ok, stays


def engine_of(request: http.ClientRequest) -> str:
    """Return the engine that reads the answer to a request which has its socket."""
    connection = request._client_connection
    assert isinstance(connection, ClientConnection)
    return connection.parser.engine


@pytest.mark.parametrize(
    ("of_agent", "of_request", "used"),
    [
        ({}, {}, "llhttp"),
        ({"engine": "h11"}, {}, "h11"),
        ({"engine": "h11"}, {"engine": "auto"}, "h11"),
        ({"engine": "h11"}, {"engine": "llhttp"}, "llhttp"),
        ({"engine": "llhttp"}, {"max_headers_count": 3}, "llhttp"),
        ({}, {"engine": "h11"}, "h11"),
    ],
)
async def test_who_chooses_the_engine(
    of_agent: dict[str, Any],
    of_request: dict[str, Any],
    used: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The request before the agent, the agent before the environment."""
    monkeypatch.setenv("HEADRACE_HTTP_PARSER", "llhttp" if not of_agent else "h11")
    async with HostileServer(stays(ok())) as server, http.Agent(**of_agent) as agent:
        request = http.get(server.url(), agent=agent, **of_request)
        engines: list[str] = []
        request.on("socket", lambda socket: engines.append(engine_of(request)))
        assert await (await request).body() == b"ok"
    assert engines == [used]


async def test_requests_with_their_own_engine_share_a_socket() -> None:
    """The engine is no part of a connection's name (H-096)."""
    async with HostileServer(stays(ok(), ok())) as server:
        async with http.Agent(keep_alive=True, engine="h11") as agent:
            for engine in ("llhttp", "h11"):
                response = await http.get(server.url(), agent=agent, engine=engine)
                assert await response.body() == b"ok"
        assert server.connections == 1


@pytest.mark.parametrize("engine", ["h12", "", 5])
async def test_an_engine_that_is_not_there(engine: Any) -> None:
    """It raises where it is given."""
    for agent_class in (http.Agent, https.Agent):
        with pytest.raises(ValueError, match="engine"):
            agent_class(engine=engine)
    with pytest.raises(ValueError, match="engine"):
        http.get("http://127.0.0.1:9/", engine=engine)


def test_what_an_agent_was_told() -> None:
    """It can be read, and changed for later sockets."""
    assert http.Agent().engine == "auto"
    assert http.Agent({"engine": "h11"}).engine == "h11"


async def test_a_parser_serves_the_next_connection_too() -> None:
    """Made once for exchanges that end well; whatever came before it reads right."""
    cases = (stays(ok()), stays(ok()), stays(ok(b"other")))
    parsers: list[object] = []

    def note(socket: Any) -> None:
        parsers.append(ClientConnection.of(socket, current()).parser)

    for number, case in enumerate(cases):
        async with HostileServer(case) as server, http.Agent() as agent:
            request = http.get(server.url(), agent=agent)
            request.on("socket", note)
            assert await (await request).body() == (b"other" if number == 2 else b"ok")
    assert parsers[0] is parsers[1] is parsers[2]


async def test_a_parser_that_is_inside_a_message_serves_nobody_else() -> None:
    """One whose connection ended in the middle, or broke a rule, is dropped."""
    for broken in (half_body, garbage):
        async with HostileServer(broken) as server, http.Agent() as agent:
            with pytest.raises((OSError, http.HTTPParserError)):
                await (await http.get(server.url(), agent=agent)).body()
        async with HostileServer(stays(ok())) as server, http.Agent() as agent:
            assert await (await http.get(server.url(), agent=agent)).body() == b"ok"

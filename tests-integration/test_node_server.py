"""Our client against Node's http server, on both runtimes and with both engines."""

import json
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from peers import Program, needs_node, node_command, running

from headrace import http
from headrace.events import once
from headrace.net.testing import record

pytestmark = needs_node

PIECE = bytes(range(256)) * 256


@pytest.fixture(scope="module")
def node() -> Iterator[Program]:
    """One server for all tests of this file."""
    with running(node_command("server.js")) as program:
        yield program
        assert program.errors() == ""


@pytest.fixture(autouse=True, params=["llhttp", "h11"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine of our client's parser."""
    monkeypatch.setenv("HEADRACE_HTTP_PARSER", request.param)


async def page(url: str, agent: http.Agent) -> str:
    return await (await http.get(url, agent=agent)).text()


async def test_one_connection_for_many_requests(node: Program) -> None:
    """Requests one after the other use one connection of the pool (N-160)."""
    async with http.Agent(keep_alive=True) as agent:
        pages = [await page(f"{node.base}/hello", agent) for _ in range(3)]
        assert agent.total_socket_count == 1
    numbers, counts = zip(*map(str.split, pages), strict=True)
    assert len(set(numbers)) == 1
    assert counts == ("1", "2", "3")


async def test_never_more_connections_than_allowed(node: Program) -> None:
    """Twelve requests at once over two sockets: all are answered (H-093, N-158)."""
    seen: list[str] = []

    async def ask(agent: http.Agent) -> None:
        seen.append((await page(f"{node.base}/hello", agent)).split()[0])

    async with (
        http.Agent(keep_alive=True, max_sockets=2) as agent,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(12):
            tasks.start_soon(ask, agent)
    assert len(seen) == 12
    assert len(set(seen)) == 2


async def test_node_reads_the_headers_as_they_were_given(node: Program) -> None:
    """A list of headers arrives in its order and case (H-065, X-037)."""
    headers = ["X-One", "1", "host", "example.test", "X-TWO", "2", "x-one", "3"]
    async with http.Agent() as agent:
        response = await http.get(f"{node.base}/raw?a=b", agent=agent, headers=headers)
        found = await response.json()
    assert found == ["GET", "/raw?a=b", *headers, "Connection", "close"]


async def test_trailers_go_both_ways(node: Program) -> None:
    """Our trailers arrive there, Node's arrive here, repeats too (H-055, H-110)."""
    async with http.Agent() as agent:
        request = http.request(
            f"{node.base}/trailers", method="POST", agent=agent,
            headers={"Trailer": "X-Sent"},
        )  # fmt: skip
        request.write("body")
        request.add_trailers({"X-Sent": "from here"})
        request.end()
        response = await request
        assert await response.json() == {"x-sent": "from here"}
    assert response.raw_trailers == ["X-Sum", "1", "X-Sum", "2"]


async def test_informational_answers_come_first(node: Program) -> None:
    """102 and 103 are told in order, before the response (X-050, N-118)."""
    told: list[tuple[int, object]] = []
    async with http.Agent() as agent:
        request = http.get(f"{node.base}/hints", agent=agent)
        request.on(
            "information",
            lambda info: told.append((info.status_code, info.headers.get("link"))),
        )
        response = await request
        assert told == [(102, None), (103, "</style.css>; rel=preload; as=style")]
        assert await response.text() == "page"


async def test_the_body_waits_for_the_100(node: Program) -> None:
    """With Expect, the head goes first and the body after `continue` (H-068, H-077)."""
    async with http.Agent() as agent:
        request = http.request(
            f"{node.base}/count", method="POST", agent=agent,
            headers={"Expect": "100-continue", "Content-Length": 4},
        )  # fmt: skip
        await once(request, "continue")
        request.end("body")
        assert await (await request).text() == "4"


async def test_a_refused_body_is_never_sent(node: Program) -> None:
    """A final status instead of the 100: the connection is not kept (H-125)."""
    async with http.Agent(keep_alive=True) as agent:
        async with http.request(
            f"{node.base}/refuse", method="POST", agent=agent,
            headers={"Expect": "100-continue", "Content-Length": 4},
        ) as request:  # fmt: skip
            response = await request
            assert response.status_code == 413
            assert await response.text() == "too large"
        await anyio.lowlevel.checkpoint()
        assert agent.free_sockets == {}


@pytest.mark.parametrize("status", [204, 304, 200])
async def test_answers_without_a_body(node: Program, status: int) -> None:
    """204, 304 and an empty 200 end at once and keep the connection (H-120)."""
    async with http.Agent(keep_alive=True) as agent:
        for method in ("GET", "HEAD", "GET"):
            response = await http.get(
                f"{node.base}/status/{status}", agent=agent, method=method
            )
            assert response.status_code == status
            assert await response.body() == b""
        assert agent.total_socket_count == 1


async def test_upgrade(node: Program) -> None:
    """The socket is the listener's, with the first bytes beside it (H-076)."""
    async with http.Agent() as agent:
        request = http.get(
            node.base, agent=agent, headers={"Connection": "Upgrade", "Upgrade": "echo"}
        )
        response, socket, head = await once(request, "upgrade")
        assert response.status_code == 101
        assert agent.total_socket_count == 0
        socket.unshift(head)
        socket.end("ping")
        assert b"".join([chunk async for chunk in socket]) == b"hello ping"


async def test_connect(node: Program) -> None:
    """A GET through a tunnel, over a socket that the agent let go (H-075)."""
    authority = f"127.0.0.1:{node.port}"
    async with http.Agent() as agent:
        request = http.request(
            node.base, method="CONNECT", path=authority, agent=agent
        ).end()
        response, socket, _ = await once(request, "connect")
        assert response.status_code == 200
        inner = http.get(
            f"http://{authority}/count", create_connection=lambda options, made: socket
        )
        assert await (await inner).text() == "0"


async def test_a_body_that_breaks_off(node: Program) -> None:
    """A truncated response is `aborted`, has an error and no `end` (H-106, N-154)."""
    events: list[object] = []

    def watch(response: http.IncomingMessage) -> None:
        record(response, "end", "aborted", "close", into=events)

    async with http.Agent() as agent:
        request = http.get(f"{node.base}/half", agent=agent)
        request.on("response", watch)
        response = await request
        with pytest.raises(ConnectionResetError, match="aborted"):
            await response.body()
        assert not response.complete
    assert events == ["aborted", "close"]


async def test_no_answer_at_all(node: Program) -> None:
    """A server that hangs up is an ECONNRESET of the request (H-071, N-152)."""
    async with http.Agent() as agent:
        with pytest.raises(ConnectionResetError, match="socket hang up") as caught:
            await http.get(f"{node.base}/drop", agent=agent)
    assert getattr(caught.value, "code", None) == "ECONNRESET"


async def test_a_stale_connection_is_replaced(node: Program) -> None:
    """A GET that a reused connection does not answer is sent once more (X-056)."""
    async with http.Agent(keep_alive=True) as agent:
        first = await page(f"{node.base}/hello", agent)
        request = http.get(f"{node.base}/retry", agent=agent)
        second = await (await request).text()
        assert request.reused_socket is False
    assert int(second.split()[0]) > int(first.split()[0])


async def test_an_idle_connection_that_node_closes_leaves_the_pool(
    node: Program,
) -> None:
    """A FIN on a free socket empties the pool, in silence (H-100)."""
    async with http.Agent(keep_alive=True) as agent:
        response = await http.get(f"{node.base}/stale", agent=agent)
        socket = response.socket
        assert socket is not None
        assert await response.text() == "page"
        if not socket.closed:
            await once(socket, "close")
        assert agent.total_socket_count == 0


async def test_a_streamed_echo(node: Program) -> None:
    """The answer is read while the request is sent, byte-exact (N-171)."""
    async with http.Agent() as agent:
        request = http.request(f"{node.base}/echo", method="POST", agent=agent)

        async def send() -> None:
            for _ in range(64):
                request.write(PIECE)
                await request.drain()
            request.end()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            body = await (await request).body()
    assert body == PIECE * 64


async def test_a_destroyed_request_frees_the_server(node: Program) -> None:
    """Destroying a request that is not answered closes its connection (X-051)."""
    async with http.Agent() as agent:
        before = int(await page(f"{node.base}/gone", agent))
        request = http.get(f"{node.base}/never", agent=agent)
        await once(request, "finish")
        request.on("error", lambda error: None)
        request.destroy()
        while int(await page(f"{node.base}/gone", agent)) == before:
            pass  # each look is an exchange of its own: no busy waiting


async def test_unix_socket(tmp_path: Path) -> None:
    """A request over a socket file, with a Host of its own (H-062, N-170)."""
    path = str(tmp_path / "node.sock")
    with running(node_command("server.js", path)):
        async with http.Agent() as agent:
            response = await http.get(socket_path=path, path="/raw", agent=agent)
            found = json.loads(await response.body())
    assert found == ["GET", "/raw", "Host", "localhost", "Connection", "close"]

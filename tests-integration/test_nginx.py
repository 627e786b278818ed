"""nginx in front of our server and behind our client: the usual neighbour."""

from collections.abc import Iterator
from typing import NamedTuple

import anyio
import pytest
from peers import needs_nginx, running_nginx

from headrace import http
from headrace.net.testing import record
from headrace.streams import pipeline

pytestmark = needs_nginx

CONTENT = bytes(range(256)) * 8192  # 2 MiB

SITES = """
keepalive_requests 3;
upstream ours {{ server unix:{folder}/ours.sock max_fails=0; keepalive 4; }}
server {{
    listen 127.0.0.1:{port};
    location / {{ root {folder}; }}
    location = /count {{ return 200 "$connection $connection_requests"; }}
    location = /slow {{ alias {folder}/small; limit_rate 400k; }}
    location = /close {{ return 444; }}
    location /ours/ {{
        proxy_pass http://ours;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_request_buffering off;
        proxy_buffering off;
        client_max_body_size 0;
    }}
}}
"""


class Nginx(NamedTuple):
    """A running nginx: its URL, and the socket file where it looks for our server."""

    base: str
    upstream: str


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """One nginx for all tests of this file."""
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "large").write_bytes(CONTENT)
    (folder / "small").write_bytes(CONTENT[:200_000])
    with running_nginx(folder, SITES) as base:
        yield Nginx(base, str(folder / "ours.sock"))


async def test_nginx_ends_a_connection_when_it_says_so(nginx: Nginx) -> None:
    """Every third answer says `close`: that socket is not used again (H-125)."""
    async with http.Agent(keep_alive=True) as agent:
        counts = []
        for _ in range(7):
            response = await http.get(f"{nginx.base}/count", agent=agent)
            counts.append((await response.text()).split()[1])
    assert counts == ["1", "2", "3", "1", "2", "3", "1"]


async def test_many_requests_over_a_small_pool(nginx: Nginx) -> None:
    """Forty at once over four sockets that keep closing: each is answered."""
    sizes = []

    async def ask(agent: http.Agent) -> None:
        response = await http.get(f"{nginx.base}/small", agent=agent)
        sizes.append(len(await response.body()))

    async with (
        http.Agent(keep_alive=True, max_sockets=4) as agent,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(40):
            tasks.start_soon(ask, agent)
    assert sizes == [200_000] * 40


async def test_a_file_arrives_as_it_is(nginx: Nginx) -> None:
    """A large body, by sendfile in pieces of nginx's choice (N-171)."""
    async with http.Agent() as agent:
        response = await http.get(f"{nginx.base}/large", agent=agent)
        assert await response.body() == CONTENT


async def test_a_part_of_a_file(nginx: Nginx) -> None:
    """206 with a range is a response like any other."""
    async with http.Agent() as agent:
        headers = {"Range": "bytes=10-19"}
        response = await http.get(f"{nginx.base}/large", agent=agent, headers=headers)
        assert response.status_code == 206
        assert await response.body() == CONTENT[10:20]


async def test_a_slow_body_does_not_time_out(nginx: Nginx) -> None:
    """`timeout` measures silence, not length (H-069, H-084)."""
    async with http.Agent() as agent:
        request = http.get(f"{nginx.base}/slow", agent=agent, timeout=20)
        timeouts = record(request, "timeout")
        assert len(await (await request).body()) == 200_000
        assert timeouts == []


async def test_nginx_closes_without_an_answer(nginx: Nginx) -> None:
    """A close instead of an answer is an ECONNRESET (H-071)."""
    async with http.Agent() as agent:
        with pytest.raises(ConnectionResetError, match="socket hang up"):
            await http.get(f"{nginx.base}/close", agent=agent)


async def test_nginx_refuses_a_bad_request(nginx: Nginx) -> None:
    """A 400 that nginx sends and closes upon is a response (H-125)."""
    async with http.Agent(keep_alive=True) as agent:
        response = await http.get(f"{nginx.base}/count", agent=agent, set_host=False)
        assert response.status_code == 400
        await response.body()
        assert agent.free_sockets == {}


async def name_or_echo(
    request: http.IncomingMessage, response: http.ServerResponse
) -> None:
    if request.method == "POST":
        # Not while it comes: nginx stops reading a request that is being answered.
        body = await request.body(limit=None)
        for start in range(0, len(body), 100_000):
            response.write(body[start : start + 100_000])
            await response.drain()
        response.end()
    else:
        response.end(request.url)


async def test_nginx_keeps_its_connection_to_us(nginx: Nginx) -> None:
    """Behind nginx, one connection carries many requests (H-124)."""
    async with http.create_server(name_or_echo).listen(nginx.upstream) as server:
        connections = record(server, "connection")
        async with http.Agent(keep_alive=True) as agent:
            for number in range(5):
                url = f"{nginx.base}/ours/{number}"
                response = await http.get(url, agent=agent)
                assert await response.text() == f"/ours/{number}"
        assert len(connections) == 1


async def test_chunked_bodies_through_nginx(nginx: Nginx) -> None:
    """A chunked body goes through nginx to us and back, as it was sent (N-171)."""
    async with (
        http.create_server(name_or_echo).listen(nginx.upstream),
        http.Agent() as agent,
    ):
        request = http.request(f"{nginx.base}/ours/echo", method="POST", agent=agent)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pipeline, [CONTENT] * 4, request)
            response = await request
            assert response.headers["transfer-encoding"] == "chunked"
            assert await response.body() == CONTENT * 4


async def test_nginx_asks_for_the_body_with_100(nginx: Nginx) -> None:
    """The 100 comes from nginx, the answer from us (H-077)."""
    async with (
        http.create_server(name_or_echo).listen(nginx.upstream),
        http.Agent() as agent,
    ):
        request = http.request(
            f"{nginx.base}/ours/echo", method="POST", agent=agent,
            headers={"Expect": "100-continue", "Content-Length": 4},
        )  # fmt: skip
        request.on("continue", lambda: request.end("body"))
        assert await (await request).text() == "body"


async def test_our_server_breaks_off_behind_nginx(nginx: Nginx) -> None:
    """What we cut, nginx cuts: the client does not take it for complete (H-106)."""

    async def cut(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        response.set_header("Content-Length", 1000)
        response.write("half", callback=lambda *_: response.destroy())

    async with (
        http.create_server(cut).listen(nginx.upstream),
        http.Agent() as agent,
    ):
        response = await http.get(f"{nginx.base}/ours/cut", agent=agent)
        with pytest.raises(ConnectionResetError, match="aborted"):
            await response.body()


async def test_without_our_server_nginx_says_502(nginx: Nginx) -> None:
    """A server that closed has removed its socket file (H-031)."""
    async with http.create_server(name_or_echo).listen(nginx.upstream):
        assert await anyio.Path(nginx.upstream).exists()
    assert not await anyio.Path(nginx.upstream).exists()
    async with http.Agent() as agent:
        response = await http.get(f"{nginx.base}/ours/", agent=agent)
        assert response.status_code == 502
        await response.body()

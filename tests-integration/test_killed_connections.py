"""Connections to real servers that break at random, under a small pool.

Between our client and a server stands a relay, which lets go of each connection after
some bytes or some time. However that hits a request, it ends: with its own answer, all
of it, or with the documented error; and the pool is as it was.
"""

import collections
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
import trustme
from peers import needs_nginx, needs_node, node_command, running, running_nginx

from headrace import http, https
from headrace.http.testing import HostileServer, Peer

PEERS = Path(__file__).parent.parent / "benchmarks/server/peers"
POOL = 8
#: What a request may fail with when its connection is gone (H-071, H-106).
CODES = {"ECONNRESET", "EPIPE"}

NGINX_SITE = """
server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 "REPEATED"; }}
}}
""".replace("REPEATED", "$request_uri" * 100)


class Site(NamedTuple):
    """A server, and how to ask it for something unique."""

    port: int
    scheme: str = "http"
    method: str = "GET"
    agent_options: dict[str, Any] = {}  # noqa: RUF012  # never changed


def answer_to(number: int) -> str:
    """Return the body that a request gets back: long enough to be cut in the middle."""
    return f"/{number}" * 100


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A running server of the kind that the test names."""
    kind = request.param
    if kind == "nginx":
        with running_nginx(tmp_path, NGINX_SITE) as base:
            yield Site(int(base.rpartition(":")[2]))
    elif kind == "node":
        with running(node_command("server.js")) as program:
            yield Site(program.port, method="POST")
            assert program.errors() == ""
    elif kind == "node https":
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert"))
        certificate.private_key_pem.write_to_path(str(tmp_path / "key"))
        files = (str(tmp_path / "cert"), str(tmp_path / "key"))
        with running(node_command("secure.js", *files)) as program:
            yield Site(program.port, "https", "GET", {"ca": authority.cert_pem.bytes()})
            assert program.errors() == ""
    else:
        command = [sys.executable, str(PEERS / f"{kind}_server.py"), "asyncio"]
        with running(command) as program:
            yield Site(program.port, method="POST")


def killer(port: int, dice: random.Random) -> Callable[[Peer], Any]:
    """Return a relay that lets go of its connections at random, by FIN or by RST."""

    async def relay(peer: Peer) -> None:
        with anyio.move_on_after(dice.choice([0.002, 0.02, 0.2, 2])):
            await peer.forward_to("127.0.0.1", port, limit=dice.randrange(30_000))
        if dice.random() < 0.5:
            peer.reset()

    return relay


@asynccontextmanager
async def pool(site: Site) -> AsyncIterator[http.Agent]:
    kind = https.Agent if site.scheme == "https" else http.Agent
    async with kind(keep_alive=True, max_sockets=POOL, **site.agent_options) as agent:
        yield agent


async def ask(site: Site, agent: http.Agent, port: int, number: int) -> None:
    """Ask for something that no other request asks for, and check that it comes."""
    begin = https.request if site.scheme == "https" else http.request
    path = f"/{number}" if site.method == "GET" else "/echo"
    body = None if site.method == "GET" else answer_to(number)
    response = await begin(
        host="127.0.0.1", port=port, path=path, method=site.method, agent=agent
    ).end(body)
    assert response.status_code == 200
    assert await response.text() == answer_to(number)


async def ask_under_fire(site: Site, total: int, seed: int) -> collections.Counter[str]:
    """Ask so many things over connections that break; count how that ended."""
    ends: collections.Counter[str] = collections.Counter()
    numbers = iter(range(total))
    codes: set[str] = set()

    async def worker(agent: http.Agent, port: int) -> None:
        for number in numbers:
            try:
                await ask(site, agent, port, number)
            except ConnectionError as error:
                ends["error"] += 1
                codes.add(getattr(error, "code", repr(error)))
            else:
                ends["whole"] += 1
            assert agent.total_socket_count <= POOL

    async with HostileServer(killer(site.port, random.Random(seed))) as relay:
        async with pool(site) as agent:
            async with anyio.create_task_group() as tasks:
                for _ in range(3 * POOL):
                    tasks.start_soon(worker, agent, relay.port)
            assert agent.requests == {}
            assert agent.sockets == {}
        assert agent.total_socket_count == 0
        assert codes <= CODES
        assert relay.connections > total // 40
    return ends


SITES = [
    pytest.param("node", marks=needs_node),
    pytest.param("node https", marks=needs_node),
    pytest.param("nginx", marks=needs_nginx),
    "aiohttp",
    "uvicorn",
]


@pytest.mark.parametrize("site", SITES, indirect=True)
async def test_every_request_ends(site: Site) -> None:
    """Whole or with the documented error; nothing is mixed up or left (X-056)."""
    ends = await ask_under_fire(site, 300, seed=1)
    assert ends.total() == 300
    assert ends["whole"] > 100


@pytest.mark.soak
@pytest.mark.time_limit(300)
@pytest.mark.parametrize("site", SITES, indirect=True)
async def test_ten_thousand_requests_over_a_pool_of_eight(site: Site) -> None:
    """The same for long: whole or failed, and counters back at zero (brief 5)."""
    ends = await ask_under_fire(site, 10_000, seed=random.randrange(1 << 30))
    print(f"\n{dict(ends)}")
    assert ends.total() == 10_000
    assert ends["whole"] > 3_000

"""Long runs: a gigabyte both ways, killed connections, many at once, mixed faults.

`./run soak` runs them. They look at the memory and the descriptors of processes, so
they need Linux.
"""

import collections
import contextlib
import gc
import random
import resource
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from peers import Program, needs_node, node_command, our_server, running

from headrace import http
from headrace.events.loop import Waiter
from headrace.net.testing import port_of

pytestmark = [
    pytest.mark.soak,
    pytest.mark.time_limit(300),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

MIB = 1 << 20
PIECE = bytes(range(256)) * 256
FLAT_KIB = 16 * 1024


def resident_kib() -> int:
    """Return the resident size of this process, without its rubbish."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def told(who: str, kib: int) -> None:
    """Print what was measured; `./run soak -s` shows it."""
    print(f"\n{who}: {kib} KiB more")


@pytest.fixture(params=[("asyncio", "llhttp"), ("asyncio", "h11"), ("trio", "llhttp")])
def server(request: pytest.FixtureRequest) -> Iterator[Program]:
    """Our server in a process of its own."""
    with running(our_server(*request.param)) as program:
        yield program


async def test_a_gigabyte_both_ways(server: Program) -> None:
    """Streamed there and back at the same time, memory stays flat on both sides."""
    async with http.Agent() as agent:
        await echo(server, agent, 16)
        ours, theirs = resident_kib(), server.peak_kib()
        assert await echo(server, agent, 1024) == 1024 * MIB
        told("client", resident_kib() - ours)
        assert resident_kib() - ours < FLAT_KIB
    told("server", server.peak_kib() - theirs)
    assert server.peak_kib() - theirs < FLAT_KIB


async def echo(server: Program, agent: http.Agent, mib: int) -> int:
    """Send so many MiB; return how many bytes came back."""
    size = 0
    request = http.request(f"{server.base}/echo", method="POST", agent=agent)

    async def send() -> None:
        for _ in range(mib * 16):
            request.write(PIECE)
            await request.drain()
        request.end()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        async for chunk in await request:
            size += len(chunk)
    return size


@needs_node
async def test_ten_thousand_requests_over_connections_that_are_killed() -> None:
    """Every request ends, rightly or with an error, over a pool of eight sockets.

    Node breaks off one in ten: before, in or after its answer. No answer is mixed up,
    no request waits for ever, no socket is left behind.
    """
    ends: collections.Counter[str] = collections.Counter()
    sizes = []

    async def worker(agent: http.Agent, url: str, times: int) -> None:
        for _ in range(times):
            try:
                response = await http.get(url, agent=agent)
                ends[await response.text()] += 1
            except ConnectionError:
                ends["error"] += 1
            sizes.append(agent.total_socket_count)

    with running(node_command("server.js")) as node:
        async with http.Agent(keep_alive=True, max_sockets=8) as agent:
            await worker(agent, f"{node.base}/hello", 200)
            ends.clear()
            before = resident_kib()
            async with anyio.create_task_group() as tasks:
                for _ in range(40):
                    tasks.start_soon(worker, agent, f"{node.base}/chaos", 250)
            told(f"client ({dict(ends)})", resident_kib() - before)
            assert resident_kib() - before < FLAT_KIB
            assert agent.requests == {}
        assert node.errors() == ""
    assert ends.total() == 10_000
    assert set(ends) == {"whole", "error"}
    assert ends["whole"] > 8_500
    assert max(sizes) <= 8


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Let this process have some thousand descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 5000:
        pytest.skip(f"no more than {hard} descriptors are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 5000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_two_thousand_connections_at_once(many_descriptors: None) -> None:
    """All are open at the same time, and all are answered."""
    total = 2_000
    waiting: list[http.ServerResponse] = []
    all_here: Waiter[None] = Waiter()
    answers = []

    def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        waiting.append(response)
        if len(waiting) == total:
            all_here.set()

    async def ask(agent: http.Agent, url: str) -> None:
        answers.append(await (await http.get(url, agent=agent)).text())

    async with (
        http.create_server(answer).listen(0, "127.0.0.1") as server,
        http.Agent() as agent,
        anyio.create_task_group() as tasks,
    ):
        for number in range(total):
            url = f"http://127.0.0.1:{port_of(server)}/{number}"
            tasks.start_soon(ask, agent, url)
        await all_here.wait()
        assert agent.total_socket_count == total
        for response in waiting:
            assert response.req is not None
            response.end(response.req.url)
    assert sorted(answers) == sorted(f"/{number}" for number in range(total))


GOOD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#: What a broken or a hostile client leaves behind on a connection of its own.
FAULTS = (
    b"GET / HT",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf",
    b"POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000,
    b"GET /big/4 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nmore",
    GOOD * 100,
)


def misbehave(port: int, dice: random.Random) -> None:
    """Send something bad, perhaps wait for an answer, and go: by FIN or by RST."""
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(dice.choice(FAULTS))
        peer.settimeout(0.002)
        if dice.random() < 0.5:
            with contextlib.suppress(OSError):
                peer.recv(65536)
        if dice.random() < 0.5:
            peer.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )


def ask_in_batches(peer: socket.socket, batches: int, depth: int) -> None:
    """Send requests `depth` at a time, each batch after the answers to the last."""
    for _ in range(batches):
        peer.sendall(GOOD * depth)
        answered = 0
        while answered < depth:
            received = peer.recv(1 << 20)
            assert received
            answered += received.count(b"HTTP/1.1 200 OK")


def load(port: int, requests: int, dice: random.Random) -> None:
    """Ask so many things well, and one in twenty badly."""
    for _ in range(requests // 1000):
        with socket.create_connection(("127.0.0.1", port)) as peer:
            ask_in_batches(peer, 50, 20)
        for _ in range(50):
            misbehave(port, dice)


def test_memory_over_two_hundred_thousand_requests(server: Program) -> None:
    """Neither memory nor descriptors grow, whatever clients do."""
    dice = random.Random(1)
    load(server.port, 20_000, dice)
    resident, descriptors = server.resident_kib(), server.descriptors()
    load(server.port, 200_000, dice)
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        ask_in_batches(peer, 1, 20)
        told("server", server.resident_kib() - resident)
        assert server.resident_kib() - resident < FLAT_KIB
        assert server.descriptors() - descriptors < 20

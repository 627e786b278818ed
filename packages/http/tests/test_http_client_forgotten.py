"""A response that its user forgets unread gives its socket free (pitfall 12)."""

import gc
import subprocess
import sys
import threading
import weakref

import pytest

from headrace import http
from headrace.events.loop import checkpoint
from headrace.http import PeerGoneError
from headrace.http.testing import HostileServer, Peer, Script, ok, stays
from headrace.http_parser import HTTPParserError

# Arrives in one piece, or so that reading stops in the middle of it.
SMALL, LARGE = b"small", b"x" * 500_000
BODIES = pytest.mark.parametrize("body", [SMALL, LARGE], ids=["whole", "held back"])


async def arrived(response: http.IncomingMessage, body: bytes) -> None:
    """Wait until the body is complete, or waits for its reader."""
    if body is SMALL:
        while not response.complete:
            await checkpoint()
    else:
        while response.readable_length < 65536:
            await checkpoint()


async def freed(agent: http.Agent) -> None:
    """Wait until the pool has no socket, without any help of the collector."""
    gc.disable()
    try:
        while agent.total_socket_count:
            await checkpoint()
    finally:
        gc.enable()


@BODIES
async def test_a_forgotten_response_lets_the_next_request_go_on(body: bytes) -> None:
    """Until then that waits, and is seen waiting (pitfall 12)."""
    async with (
        HostileServer(stays(ok(body)), stays(ok(b"second"))) as server,
        http.Agent(keep_alive=True, max_sockets=1) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        await arrived(response, body)
        waiting = http.get(server.url(), agent=agent)
        for _ in range(5):
            await checkpoint()
        assert list(agent.requests.values()) == [[waiting]]
        del response
        assert await (await waiting).body() == b"second"
        assert server.connections == 2


@BODIES
async def test_a_forgotten_response_closes_its_socket_at_once(body: bytes) -> None:
    """Its last reference counts, not the next run of the collector (pitfall 12)."""
    async with (
        HostileServer(stays(ok(body))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        await arrived(response, body)
        assert agent.total_socket_count == 1
        del response
        await freed(agent)


async def test_a_response_forgotten_by_another_thread() -> None:
    """The finaliser may run anywhere (pitfall 12)."""
    async with (
        HostileServer(stays(ok())) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        kept = [await http.get(server.url(), agent=agent)]
        thread = threading.Thread(target=kept.clear)
        thread.start()
        thread.join()
        await freed(agent)


@BODIES
async def test_the_request_keeps_the_response(body: bytes) -> None:
    """A second await gives the same one, unread (H-072)."""
    async with (
        HostileServer(stays(ok(body))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.get(server.url(), agent=agent)
        await arrived(await request, body)
        gc.collect()
        response = await request
        assert request.response is response
        assert await response.body() == body
        assert agent.total_socket_count == 1
        assert list(map(len, agent.free_sockets.values())) == [1]


@BODIES
async def test_the_response_outlives_its_request(body: bytes) -> None:
    """It is read all the same, and its socket used again (H-098)."""
    async with (
        HostileServer(stays(ok(body), ok(b"second"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.get(server.url(), agent=agent)
        trace = weakref.ref(request)
        response = await request
        await arrived(response, body)
        del request
        assert trace() is None
        assert len(agent.sockets) == 1
        assert await response.body() == body
        assert response.socket is None
        assert list(map(len, agent.free_sockets.values())) == [1]
        assert await (await http.get(server.url(), agent=agent)).body() == b"second"
        assert server.connections == 1


@BODIES
async def test_the_request_hears_of_its_end_after_all(body: bytes) -> None:
    """A listener that comes after the await gets ``close`` (H-072)."""
    async with (
        HostileServer(stays(ok(body))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        events: list[str] = []
        request = http.get(server.url(), agent=agent)
        response = await request
        await arrived(response, body)
        request.on("close", lambda: events.append("close"))
        assert await response.body() == body
        while not events:
            await checkpoint()
        assert request.closed


@BODIES
async def test_a_request_that_is_destroyed_takes_the_response_along(
    body: bytes,
) -> None:
    """The socket is closed, whoever has the response (H-071)."""
    async with (
        HostileServer(stays(ok(body))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.get(server.url(), agent=agent)
        response = await request
        await arrived(response, body)
        request.destroy()
        await freed(agent)
        assert response.destroyed


async def test_a_response_that_waits_hears_of_the_loss() -> None:
    """Its reader gets the error, also when the request is gone (H-071)."""
    async with (
        HostileServer(stays(ok(LARGE))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        await arrived(response, LARGE)
        agent.destroy()
        await checkpoint()
        with pytest.raises(PeerGoneError):
            await response.body()
        assert response.aborted


async def test_a_whole_response_is_read_although_its_socket_is_lost() -> None:
    """All of it is here (H-071)."""
    async with (
        HostileServer(stays(ok(SMALL))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        agent.destroy()
        await checkpoint()
        assert await response.body() == SMALL
        assert agent.total_socket_count == 0


@BODIES
async def test_a_response_with_a_listener_is_not_forgotten(body: bytes) -> None:
    """The connection keeps it until the listeners have heard all (H-072)."""
    received: list[bytes] = []
    ended: list[bool] = []
    async with (
        HostileServer(stays(ok(body))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        await arrived(response, body)
        response.on("data", received.append)
        response.on("end", lambda: ended.append(True))
        del response
        gc.collect()
        while not ended:
            await checkpoint()
        assert b"".join(received) == body
        assert list(map(len, agent.free_sockets.values())) == [1]


def three_parts() -> tuple[Script, list[threading.Event]]:
    """Return a script that sends LARGE, and the same again when it is allowed to."""
    allowed = [threading.Event()]

    async def script(peer: Peer) -> None:
        await peer.read_head()
        size = 2 * len(LARGE)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        await peer.send(LARGE)
        while not allowed[0].is_set():
            await checkpoint()
        await peer.send(LARGE)
        await peer.read_all()

    return script, allowed


async def test_a_response_can_be_forgotten_half_read() -> None:
    """Reading stops, and then nobody goes on (pitfall 12)."""
    script, allowed = three_parts()
    async with HostileServer(script) as server, http.Agent(keep_alive=True) as agent:
        response = await http.get(server.url(), agent=agent)
        read = 0
        while read < 100_000:
            chunk = response.read()
            if chunk is None:
                await checkpoint()
            else:
                read += len(chunk)
        allowed[0].set()
        await arrived(response, LARGE)
        del response
        await freed(agent)


def begun() -> tuple[Script, list[bytes]]:
    """Return a script that sends the begin of a body, and what it is given later."""
    later: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            if later:
                await peer.send(later.pop(0))
            await checkpoint()

    return script, later


@pytest.mark.parametrize("pieces", [0, 1, 3])
async def test_a_response_is_forgotten_before_its_end(pieces: int) -> None:
    """It may never come: a stream of events, a server that hangs (pitfall 12)."""
    script, later = begun()
    async with HostileServer(script) as server, http.Agent(keep_alive=True) as agent:
        response = await http.get(server.url(), agent=agent)
        for length in range(1, pieces + 1):
            later.append(b"x")
            while response.readable_length < length:
                await checkpoint()
        assert agent.total_socket_count == 1
        del response
        await freed(agent)


async def test_a_response_is_read_on_after_some_has_come_unread() -> None:
    """Whether it was awaited long before, or its request is gone (H-072)."""
    script, later = begun()
    async with HostileServer(script) as server, http.Agent(keep_alive=True) as agent:
        response = await http.get(server.url(), agent=agent)
        for length in (200, 400):
            later.append(b"x" * 200)
            while response.readable_length < length:
                await checkpoint()
        later.append(b"x" * 600)
        assert await response.body() == b"x" * 1000
        assert list(map(len, agent.free_sockets.values())) == [1]


async def test_what_comes_behind_an_unread_response_is_judged() -> None:
    """Also when only its user holds it (H-130, H-073)."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
        )
        await peer.read_head()
        await peer.send(b"no size\r\n")
        await peer.read_all()

    async with HostileServer(script) as server, http.Agent(keep_alive=True) as agent:
        response = await http.get(server.url(), agent=agent)
        while not response.readable_length:
            await checkpoint()
        assert response.socket is not None
        response.socket.write(b"go on\r\n\r\n")
        await freed(agent)
        with pytest.raises(HTTPParserError) as caught:
            await response.body()
        assert caught.value.code == "HPE_INVALID_CHUNK_SIZE"


@pytest.mark.parametrize(
    "event", ["socket", "information", "continue", "finish", "error"]
)
@BODIES
async def test_a_listener_of_what_is_past_keeps_no_response(
    body: bytes, event: str
) -> None:
    """It has nothing more to hear (pitfall 12)."""
    async with (
        HostileServer(stays(ok(body))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.get(server.url(), agent=agent)
        request.custom.on(event, lambda *arguments: None)
        response = await request
        await arrived(response, body)
        del request, response
        await freed(agent)


@BODIES
async def test_a_time_to_connect_keeps_no_response(body: bytes) -> None:
    """It is over before there is one (X-054, pitfall 12)."""
    async with (
        HostileServer(stays(ok(body))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        response = await http.get(server.url(), agent=agent, connect_timeout=60)
        await arrived(response, body)
        del response
        await freed(agent)


@pytest.mark.parametrize("keeps_request", [True, False])
@BODIES
async def test_an_unread_response_hears_of_idleness(
    body: bytes, keeps_request: bool
) -> None:
    """Its timeout is told, with or without its request (H-084, H-111)."""
    async with (
        HostileServer(stays(ok(body))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.get(server.url(), agent=agent)
        response = await request
        await arrived(response, body)
        told: list[str] = []
        if keeps_request:
            request.on("timeout", lambda: told.append("request"))
        else:
            del request
        response.set_timeout(0.01, lambda socket: told.append("response"))
        while "response" not in told:
            await checkpoint()
        assert told == (["request", "response"] if keeps_request else ["response"])
        response.destroy()


PROGRAM = """
import asyncio
from headrace import http

async def main():
    server = http.create_server(lambda request, response: response.end("unread"))
    async with server.listen(0):
        url = f"http://127.0.0.1:{server.address().port}/"
        async with http.Agent() as agent:
            response = await http.get(url, agent=agent)
            print(response.status_code)
            del response
            while agent.total_socket_count:
                await asyncio.sleep(0)

asyncio.run(main())
"""


@pytest.mark.parametrize("options", [["-X", "dev"], []], ids=["dev", "usual"])
def test_only_the_development_mode_warns(options: list[str]) -> None:
    """A ResourceWarning says what was forgotten (pitfall 12)."""
    done = subprocess.run(
        [sys.executable, *options, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "200\n"
    assert ("ResourceWarning: a response was dropped unread" in done.stderr) is bool(
        options
    )

"""Which requests share a socket, and what a stale one costs."""

import socket as system
from typing import Any

import anyio
import pytest

from headrace import agent as plain_agent
from headrace import http, https
from headrace.events import once
from headrace.events.loop import checkpoint
from headrace.http.testing import (
    HostileServer,
    Peer,
    Script,
    answers,
    close_before_answer,
    ok,
    reset_before_answer,
    stays,
)


async def settled(turns: int = 5) -> None:
    for _ in range(turns):
        await checkpoint()


async def fetch(url: str, agent: http.Agent, **options: Any) -> bytes:
    response = await http.get(url, agent=agent, **options)
    return await response.body()


async def test_one_connection_for_many_requests() -> None:
    """Requests of a keep-alive agent share a socket (H-098, H-170, N-165)."""
    async with (
        HostileServer(stays(*[ok()] * 5)) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        reused = []
        for _ in range(5):
            request = http.get(server.url(), agent=agent)
            await (await request).body()
            reused.append(request.reused_socket)
            await settled(1)
        assert server.connections == 1
    assert reused == [False, True, True, True, True]


async def test_started_inside_end_bodies_do_not_mix() -> None:
    """The next request begins in the 'end' of the one before (N-149)."""
    bodies: list[bytes] = []
    async with (
        HostileServer(stays(ok(b"A" * 50_000), ok(b"B" * 50_000))) as server,
        http.Agent(keep_alive=True, max_sockets=1) as agent,
    ):

        def start() -> http.ClientRequest:
            return http.get(server.url(), collect, agent=agent)

        def collect(response: http.IncomingMessage) -> None:
            parts: list[bytes] = []
            response.on("data", parts.append)

            def end() -> None:
                bodies.append(b"".join(parts))
                if len(bodies) < 2:
                    start()

            response.on("end", end)

        start()
        while len(bodies) < 2:
            await checkpoint()
        assert server.connections == 1
    assert [(body[:1], len(body)) for body in bodies] == [
        (b"A", 50_000),
        (b"B", 50_000),
    ]


async def test_without_keep_alive_the_socket_closes() -> None:
    """Agent() keeps nothing: 'Connection: close' and a new connection each (H-091)."""
    async with HostileServer(stays(ok())) as server, http.Agent() as agent:
        for _ in range(2):
            await fetch(server.url(), agent)
            await settled()
            assert agent.total_socket_count == 0
        assert server.connections == 2


async def test_under_load_even_a_plain_agent_reuses() -> None:
    """A waiting request gets the socket (H-091)."""
    async with (
        HostileServer(stays(ok(b"1"), ok(b"2"))) as server,
        http.Agent(max_sockets=1) as agent,
    ):
        first, second = (http.get(server.url(), agent=agent) for _ in range(2))
        assert await (await first).body() == b"1"
        assert await (await second).body() == b"2"
        assert server.connections == 1
        assert second.reused_socket


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (ok(b"x", "Connection: close"), False),
        (ok(b"x", "connection: Foo, CLOSE"), False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", False),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx",
            True,
        ),
        (ok(b"x"), True),
        (ok(b"x", "Keep-Alive: timeout=30, max=5"), True),
        (ok(b"x", "Keep-Alive: timeout=1"), False),
        (ok(b"x", "Keep-Alive: max=3,  Timeout=1 "), False),
        (ok(b"x", "Keep-Alive: timeout=x"), True),
    ],
)
async def test_which_answers_keep_the_socket(answer: bytes, kept: bool) -> None:
    """Persistence as the answer says; a hint of a second is none (H-125, X-060)."""
    async with (
        HostileServer(stays(answer)) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await fetch(server.url(), agent)
        await settled()
        assert agent.total_socket_count == int(kept)


@pytest.mark.parametrize("last_field", ["Connection: close", "Connection: keep-alive"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_what_the_answer_says_is_seen_on_the_request(
    version: str, last_field: str
) -> None:
    """`should_keep_alive` is false when the server closes (H-088, H-125)."""
    answer = f"HTTP/{version} 200 OK\r\nContent-Length: 0\r\n{last_field}\r\n\r\n"
    async with (
        HostileServer(stays(answer.encode())) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.get(server.url(), agent=agent)
        assert request.should_keep_alive
        await request
        assert request.should_keep_alive == last_field.endswith("alive")


async def test_a_request_that_says_close_is_obeyed() -> None:
    """Its socket is not pooled, whatever the server would do (H-125)."""
    async with (
        HostileServer(stays(ok())) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await fetch(server.url(), agent, headers={"Connection": "close"})
        await settled()
        assert agent.total_socket_count == 0


async def test_a_body_shorter_than_declared_spoils_the_socket() -> None:
    """Unchecked, but the next request must not complete it (H-045, H-089)."""
    async with (
        HostileServer(stays(ok())) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.request(
            server.url(), agent=agent, method="POST", headers={"Content-Length": 9}
        )
        await (await request.end(b"short")).body()
        await settled()
        assert agent.total_socket_count == 0


async def test_a_socket_closed_while_idle_is_never_handed_out() -> None:
    """It leaves the pool when the FIN comes; nothing is raised (H-100, N-160)."""
    async with (
        HostileServer(answers(ok(b"1")), stays(ok(b"2"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        assert await fetch(server.url(), agent) == b"1"
        while agent.total_socket_count:
            await checkpoint()
        request = http.get(server.url(), agent=agent)
        assert await (await request).body() == b"2"
        assert not request.reused_socket


async def stale(peer: Peer) -> None:
    """Answer once; close when the second request has come."""
    await peer.read_head()
    await peer.send(ok(b"first"))
    await peer.read_head()


async def stale_reset(peer: Peer) -> None:
    """As `stale`, but reset."""
    await stale(peer)
    peer.reset()


@pytest.mark.parametrize("script", [stale, stale_reset])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_the_lost_race_is_run_again(script: Script, method: str) -> None:
    """An idempotent request is sent once more on a fresh connection (X-056)."""
    async with (
        HostileServer(script, stays(ok(b"second"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await fetch(server.url(), agent)
        await settled(1)
        request = http.request(server.url("/again"), agent=agent, method=method)
        events: list[str] = []
        for event in ("socket", "finish", "error", "response", "close"):
            request.custom.on(event, lambda *_, e=event: events.append(e))
        body = b"body" if method == "PUT" else None
        response = await request.end(body)
        assert await response.body() == (b"" if method == "HEAD" else b"second")
        await settled(1)
        assert server.connections == 2
        assert not request.reused_socket
    assert events == ["socket", "finish", "response", "close"]
    _, second, third = server.heads
    assert second == third


@pytest.mark.parametrize(
    ("method", "options", "streamed"),
    [
        ("POST", {}, False),
        ("PATCH", {}, False),
        ("PUT", {}, True),
        ("GET", {"retry_stale": False}, False),
    ],
)
async def test_what_is_not_run_again(
    method: str, options: dict[str, Any], streamed: bool
) -> None:
    """Not idempotent, streamed, or switched off: ECONNRESET (X-055, X-056)."""
    async with (
        HostileServer(stale, stays(ok(b"second"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await fetch(server.url(), agent)
        await settled(1)
        request = http.request(server.url(), agent=agent, method=method, **options)
        if streamed:
            request.write(b"part")
        with pytest.raises(ConnectionResetError):
            await request.end()
        assert request.reused_socket
        assert server.connections == 1


@pytest.mark.parametrize("when", ["socket", "finish", "later"])
@pytest.mark.parametrize("whose", ["socket", "agent"])
async def test_what_we_destroy_ourselves_is_not_run_again(
    when: str, whose: str
) -> None:
    """The server has not left: the request gets ECONNRESET (X-056, H-103)."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(ok())
        await peer.read_all()

    async with (
        HostileServer(script, stays(ok(b"second"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await fetch(server.url(), agent)
        await settled(1)
        request = http.request(server.url(), agent=agent)

        def destroy(*_: object) -> None:
            assert request.reused_socket
            assert request.socket is not None
            request.socket.destroy() if whose == "socket" else agent.destroy()

        if when == "later":
            request.end()
            await once(request, "finish")
            await settled(2)
            destroy()
        else:
            request.custom.on(when, destroy)
        with pytest.raises(ConnectionResetError, match="socket hang up"):
            await request.end()
        assert server.connections == 1


@pytest.mark.parametrize("script", [close_before_answer, reset_before_answer])
async def test_a_fresh_connection_is_not_tried_again(script: Script) -> None:
    """Only a pooled socket can be stale (X-056)."""
    async with HostileServer(script) as server, http.Agent(keep_alive=True) as agent:
        with pytest.raises(ConnectionResetError):
            await http.get(server.url(), agent=agent)
        assert server.connections == 1


async def test_half_an_answer_is_not_tried_again() -> None:
    """After a byte of the answer the server has acted on the request (X-056)."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(ok())
        await peer.read_head()
        await peer.send(b"H")

    async with HostileServer(script) as server, http.Agent(keep_alive=True) as agent:
        await fetch(server.url(), agent)
        await settled(1)
        with pytest.raises(ConnectionResetError):
            await http.get(server.url(), agent=agent)
        assert server.connections == 1


async def test_the_second_try_takes_no_pooled_socket() -> None:
    """Once more, on a fresh connection: the next one may be stale too (X-056)."""
    async with (
        HostileServer(stale, stale, stays(ok(b"fresh"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        first, second = (http.get(server.url(), agent=agent) for _ in range(2))
        await (await first).body()
        await (await second).body()
        await settled(1)
        assert server.connections == 2
        assert await fetch(server.url(), agent) == b"fresh"
        assert server.connections == 3
        assert len(server.heads) == 4


async def test_trailing_chunks_can_be_sent_again() -> None:
    """A chunked body with trailers that end() brought whole is replayed (X-056)."""
    async with (
        HostileServer(stale, stays(ok(b"again"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await fetch(server.url(), agent)
        await settled(1)
        request = http.request(
            server.url(), agent=agent, method="PUT", headers={"Trailer": "X-T"}
        )
        request.add_trailers({"X-T": "1"})
        assert await (await request.end(b"body")).body() == b"again"


async def test_a_flushed_head_can_be_sent_again() -> None:
    """Headers alone went out: the body had not started (X-056)."""
    async with (
        HostileServer(stale, stays(ok(b"again"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await fetch(server.url(), agent)
        await settled(1)
        request = http.request(server.url(), agent=agent)
        request.flush_headers()
        while server.connections < 2:
            await checkpoint()
        assert await (await request.end()).body() == b"again"


async def test_listeners_on_the_socket_stay_the_same() -> None:
    """After each exchange the counts are as before (pitfall 22, N-158)."""
    async with (
        HostileServer(stays(*[ok()] * 12)) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        counts = []
        for _ in range(12):
            request = http.get(server.url(), agent=agent)
            request.set_timeout(5)
            await (await request).body()
            await settled(1)
            socket = request.socket
            assert socket is not None
            counts.append({e: socket.listener_count(e) for e in socket.event_names()})
        assert counts[0] == counts[-1]
        assert max(counts[0].values()) <= 2


async def test_the_response_lets_go_of_the_socket() -> None:
    """socket is None once it belongs to the pool (H-115)."""
    async with (
        HostileServer(stays(ok())) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        assert isinstance(response.socket, object)
        assert response.socket is not None
        await response.body()
        await settled(1)
        assert response.socket is None
        response.destroy()
        await settled(1)
        assert agent.total_socket_count == 1


async def test_destroy_fails_busy_and_waiting_requests() -> None:
    """agent.destroy(): ECONNRESET for all; the agent can be used again (H-103)."""
    async with HostileServer(stays(ok())) as server:
        agent = http.Agent(max_sockets=1)
        errors: list[Exception] = []
        for _ in range(3):
            http.get(server.url(), agent=agent).on("error", errors.append)
        await settled(1)
        agent.destroy()
        await settled(1)
        assert [getattr(error, "code", "") for error in errors] == ["ECONNRESET"] * 3
        assert await fetch(server.url(), agent) == b"ok"
        agent.destroy()


async def test_agent_remove_keeps_the_running_exchange() -> None:
    """Out of all lists at once; closed when it is done (H-101, N-161)."""
    async with (
        HostileServer(stays(ok(b"done"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.get(server.url(), agent=agent)
        (socket,) = await once(request, "socket")
        socket.emit("agent_remove")
        assert agent.total_socket_count == 0
        assert await (await request).body() == b"done"
        await settled()
        assert socket.destroyed


async def test_an_object_with_add_request_will_do() -> None:
    """Nothing else is needed of an agent (H-067)."""

    class Minimal:
        def add_request(self, request: Any, options: Any) -> None:
            from headrace import net

            socket = net.connect(port=options["port"], host=options["host"])
            request.loop().next_tick(request.on_socket, socket)

    async with HostileServer(stays(ok(b"minimal"))) as server:
        request = http.get(server.url(), agent=Minimal())
        assert await (await request).body() == b"minimal"
        await settled()
        assert request.socket is not None
        assert request.socket.destroyed
    assert b"\r\nConnection: close\r\n" in server.heads[0]


async def test_an_agent_that_knows_no_protocol_will_do() -> None:
    """`headrace.agent.Agent` has neither protocol nor port: http has (H-067, X-070)."""
    async with (
        HostileServer(stays(ok(b"1"), ok(b"2"))) as server,
        plain_agent.Agent(keep_alive=True) as agent,
    ):
        for body in (b"1", b"2"):
            response = await http.get(server.url(), agent=agent)
            assert await response.body() == body
            await settled()
        assert server.connections == 1
        with pytest.raises(TypeError, match="http"):  # it would not encrypt
            https.get("https://localhost/", agent=agent)


@pytest.mark.parametrize("keep_alive", [True, False])
async def test_a_request_is_over_when_its_response_ends(keep_alive: bool) -> None:
    """Listeners of `end` find it destroyed: `destroy` has no effect (H-083, H-098)."""
    seen: list[bool] = []
    ended = anyio.Event()

    def take(response: http.IncomingMessage) -> None:
        def end() -> None:
            seen.append(request.destroyed)
            request.destroy()
            seen.append(bool(request.socket and request.socket.destroyed))
            ended.set()

        seen.append(request.destroyed)
        response.resume().on("end", end)

    async with (
        HostileServer(stays(ok())) as server,
        http.Agent(keep_alive=keep_alive) as agent,
    ):
        request = http.get(server.url(), take, agent=agent)
        await ended.wait()
        assert seen == [False, True, False]
        await settled()
        assert agent.total_socket_count == int(keep_alive)


async def test_free_is_emitted_and_hooks_are_called() -> None:
    """create_connection, keep_socket_alive, reuse_socket, 'free' (H-104, X-061)."""
    calls: list[str] = []

    class Noted(http.Agent):
        def create_connection(self, options: Any, callback: Any) -> Any:
            calls.append("create")
            return super().create_connection(options, callback)

        def keep_socket_alive(self, socket: Any) -> bool:
            calls.append("keep")
            return super().keep_socket_alive(socket)

        def reuse_socket(self, socket: Any, request: Any) -> None:
            calls.append("reuse")
            super().reuse_socket(socket, request)

    async with (
        HostileServer(stays(ok(), ok())) as server,
        Noted(keep_alive=True) as agent,
    ):
        agent.on("free", lambda socket, options: calls.append("free"))
        await fetch(server.url(), agent)
        await settled(1)
        await fetch(server.url(), agent)
        await settled(1)
    assert calls == ["create", "keep", "free", "reuse", "keep", "free"]


async def test_pooled_sockets_are_probed() -> None:
    """keep_alive_msecs, in milliseconds, is the delay of TCP probes (H-092)."""
    async with (
        HostileServer(stays(ok())) as server,
        http.Agent(keep_alive=True, keep_alive_msecs=7000) as agent,
    ):
        request = http.get(server.url(), agent=agent)
        await (await request).body()
        await settled(1)
        (sockets,) = agent.free_sockets.values()
        raw: Any = getattr(sockets[0], "_handle", None)
        assert raw.getsockopt(system.SOL_SOCKET, system.SO_KEEPALIVE)
        if hasattr(system, "TCP_KEEPIDLE"):
            assert raw.getsockopt(system.IPPROTO_TCP, system.TCP_KEEPIDLE) == 7


async def test_an_unread_response_holds_its_socket() -> None:
    """Others wait, and can be seen waiting (pitfall 12, H-072)."""
    async with (
        HostileServer(stays(ok(b"x" * 200_000), ok(b"second"))) as server,
        http.Agent(keep_alive=True, max_sockets=1) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        waiting = http.get(server.url(), agent=agent)
        await settled()
        assert list(agent.requests.values()) == [[waiting]]
        assert len(await response.body()) == 200_000
        assert await (await waiting).body() == b"second"


@pytest.mark.parametrize(
    ("interim", "kept"), [(b"", 0), (b"HTTP/1.1 100 Continue\r\n\r\n", 1)]
)
async def test_a_body_that_nobody_asked_for_ends_the_connection(
    interim: bytes, kept: int
) -> None:
    """A final answer instead of the 100: who knows what the body is? (pitfall 19)."""
    async with (
        HostileServer(stays(interim + ok(b"no"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.request(
            server.url(), method="POST", agent=agent, headers={"Expect": "100-continue"}
        )
        response = await request
        request.end(b"body")
        assert await response.body() == b"no"
        while not request.closed:
            await checkpoint()
        assert agent.total_socket_count == kept


async def test_an_answer_instead_of_a_100_ends_a_request_that_waits() -> None:
    """Its body will not be sent, and it need not be ended (pitfall 19)."""
    async with (
        HostileServer(stays(ok(b"no"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.request(
            server.url(), method="POST", agent=agent, headers={"Expect": "100-continue"}
        )
        assert await (await request).body() == b"no"
        while agent.total_socket_count:
            await checkpoint()
        assert request.destroyed

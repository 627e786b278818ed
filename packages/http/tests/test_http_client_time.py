"""Idle times, time limits and the cancel option."""

import errno
import socket as system
import threading
from typing import Any

import anyio
import pytest

from headrace import http
from headrace.events import once
from headrace.events.loop import checkpoint
from headrace.http.testing import HostileServer, Peer, ok, silence, stays


async def test_an_idle_socket_makes_a_timeout_and_closes_nothing() -> None:
    """Once, on the request; the exchange goes on (H-069, N-156, pitfall 10)."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await anyio.sleep(0.06)
        await peer.send(ok(b"late"))
        await peer.read_all()

    async with HostileServer(script) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent, timeout=0.02)
        idle: list[float] = []
        request.on("timeout", lambda: idle.append(anyio.current_time()))
        assert await (await request).body() == b"late"
    assert len(idle) == 1


async def test_set_timeout_tells_request_and_response() -> None:
    """Both emit timeout, once per call; callback is a one-time listener (H-084)."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        await peer.read_all()

    async with HostileServer(script) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        response = await request
        calls: list[str] = []
        response.custom.on("timeout", lambda socket: calls.append("response"))
        for _ in range(2):
            assert request.set_timeout(0.01, lambda: calls.append("request")) is request
            await once(response.custom, "timeout")
        assert request.listener_count("timeout") == 0
        request.destroy()
    assert calls == ["request", "response"] * 2


async def test_set_timeout_counts_from_the_connect_on() -> None:
    """Until then the option holds, which counts from before (H-069, H-084)."""
    async with HostileServer(silence, silence) as server, http.Agent() as agent:
        for before in (None, 7.0):
            request = http.get(server.url(), agent=agent, timeout=before)
            request.on("error", lambda error: None)
            request.set_timeout(5)
            (socket,) = await once(request, "socket")
            assert (socket.connecting, socket.timeout) == (True, before)
            await once(socket, "connect")
            assert socket.timeout == 5
            request.destroy()


@pytest.mark.parametrize("timeout", ["1", True, None, -1, float("inf"), float("nan")])
async def test_bad_timeouts_raise(timeout: Any) -> None:
    """Durations are real, not negative, finite numbers (H-005)."""
    request = http.request(port=9).on("error", lambda error: None)
    with pytest.raises((TypeError, ValueError)) as caught:
        request.set_timeout(timeout)
    assert getattr(caught.value, "code", None) in {
        "ERR_INVALID_ARG_TYPE",
        "ERR_OUT_OF_RANGE",
    }
    wrong: Any = 5
    with pytest.raises(TypeError):
        request.set_timeout(1, wrong)
    request.destroy()


async def test_the_pool_gets_the_socket_without_the_timer() -> None:
    """A request's own timeout ends with it; a late call has no effect (H-084)."""
    async with (
        HostileServer(stays(ok(), ok())) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.get(server.url(), agent=agent, timeout=3)
        await (await request).body()
        await checkpoint()
        socket = request.socket
        assert socket is not None
        assert socket.timeout is None
        request.set_timeout(0.01)
        assert socket.timeout is None
        await (await http.get(server.url(), agent=agent)).body()


async def test_the_agents_timeout_holds_for_its_requests() -> None:
    """X-059: active and idle; a request's own value goes before."""
    async with (
        HostileServer(stays(ok()), silence) as server,
        http.Agent(keep_alive=True, timeout=0.05) as agent,
    ):
        request = http.get(server.url(), agent=agent)
        await (await request).body()
        assert request.socket is not None
        assert request.socket.timeout == 0.05
        while agent.total_socket_count:
            await checkpoint()
        active = http.get(server.url(), agent=agent)
        active.on("error", lambda error: None)
        await once(active, "timeout")
        assert not active.destroyed
        own = http.get(server.url(), agent=agent, timeout=7)
        own.on("error", lambda error: None)
        (socket,) = await once(own, "socket")
        assert socket.timeout == 7
        active.destroy()
        own.destroy()


async def test_socket_settings_wait_for_the_connection() -> None:
    """set_no_delay and set_socket_keep_alive, before and after (H-085, H-086)."""
    async with HostileServer(silence) as server, http.Agent() as agent:
        request = http.request(server.url(), agent=agent)
        request.on("error", lambda error: None)
        request.set_no_delay(False)
        request.set_socket_keep_alive(True, 9)
        (socket,) = await once(request, "socket")
        await once(socket, "connect")
        raw: Any = socket._handle
        assert raw.getsockopt(system.IPPROTO_TCP, system.TCP_NODELAY) == 0
        assert raw.getsockopt(system.SOL_SOCKET, system.SO_KEEPALIVE) != 0
        request.set_no_delay()
        assert raw.getsockopt(system.IPPROTO_TCP, system.TCP_NODELAY) != 0
        request.destroy()


async def test_total_timeout_ends_a_dripping_body() -> None:
    """The response gets ETIMEDOUT, however often a byte comes (X-054)."""

    async def drip(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.send(b"x")
            await anyio.sleep(0.005)

    async with HostileServer(drip) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent, total_timeout=0.05)
        response = await request
        with pytest.raises(TimeoutError, match="total_timeout") as caught:
            await response.body()
        assert agent.total_socket_count == 0
    found: Any = caught.value
    assert (found.code, found.errno) == ("ETIMEDOUT", errno.ETIMEDOUT)
    assert (found.limit, found.seconds) == ("total_timeout", 0.05)


async def test_limits_leave_nothing_behind_when_they_are_kept() -> None:
    """Neither timer nor task outlives a request that was quick enough (X-054)."""
    stop = anyio.Event()
    async with HostileServer(stays(ok())) as server, http.Agent() as agent:
        request = http.get(
            server.url(),
            agent=agent,
            total_timeout=5,
            connect_timeout=5,
            cancel=stop,
        )
        await (await request).body()
        while not request.closed:
            await checkpoint()
        while "tasks=0" not in repr(request.loop()):
            await checkpoint()
        stop.set()
        await checkpoint()
        assert request.errored is None


async def test_connect_timeout_ends_the_wait_for_a_connection() -> None:
    """ETIMEDOUT if no connection is there in time, the queue included (X-054)."""
    async with (
        HostileServer(silence) as server,
        http.Agent(max_sockets=1) as agent,
    ):
        first = http.get(server.url(), agent=agent).on("error", lambda error: None)
        second = http.get(server.url(), agent=agent, connect_timeout=0.01)
        with pytest.raises(TimeoutError, match="connect_timeout"):
            await second
        assert agent.requests == {}
        first.destroy()


async def test_connect_timeout_ends_with_the_connection() -> None:
    """Once connected, the answer may take its time (X-054)."""

    async def slow(peer: Peer) -> None:
        await peer.read_head()
        await anyio.sleep(0.05)
        await peer.send(ok(b"slow"))

    async with HostileServer(slow) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent, connect_timeout=0.03)
        assert await (await request).body() == b"slow"


@pytest.mark.parametrize("early", [True, False])
async def test_an_event_cancels_a_request(early: bool) -> None:
    """cancel=event: error ABORT_ERR, also if it was set before (X-052)."""
    stop = anyio.Event()
    if early:
        stop.set()
    async with HostileServer(silence) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent, cancel=stop)
        if not early:
            await once(request, "finish")
            stop.set()
        with pytest.raises(RuntimeError) as caught:
            await request
        assert getattr(caught.value, "code", None) == "ABORT_ERR"
        await checkpoint()
        assert agent.total_socket_count == 0


@pytest.mark.parametrize("early", [True, False])
async def test_a_scope_cancels_a_request(early: bool) -> None:
    """cancel=scope: its cancel() is heard (X-052)."""
    scope = anyio.CancelScope()
    if early:
        scope.cancel()
    async with HostileServer(silence) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent, cancel=scope)
        if not early:
            await once(request, "finish")
            scope.cancel()
        with pytest.raises(RuntimeError) as caught:
            await request
        assert getattr(caught.value, "code", None) == "ABORT_ERR"


async def test_a_cancelled_response_breaks_off() -> None:
    """The event after the response: its body raises ABORT_ERR (X-052)."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
        await peer.read_all()

    stop = anyio.Event()
    async with HostileServer(script) as server, http.Agent() as agent:
        response = await http.get(server.url(), agent=agent, cancel=stop)
        stop.set()
        with pytest.raises(RuntimeError) as caught:
            await response.body()
        assert getattr(caught.value, "code", None) == "ABORT_ERR"


async def test_a_scope_in_use_cancels_a_request() -> None:
    """Nobody else enters it; one scope may cancel several requests (X-052)."""
    async with HostileServer(silence) as server, http.Agent() as agent:
        with anyio.CancelScope() as scope:
            requests = [
                http.get(server.url(), agent=agent, cancel=scope) for _ in range(2)
            ]
            errors: list[Exception] = []
            for request in requests:
                request.on("error", errors.append)
            while not all(request.writable_finished for request in requests):
                await checkpoint()
            scope.cancel()
        while len(errors) < 2:
            await checkpoint()
        assert [vars(type(error))["code"] for error in errors] == ["ABORT_ERR"] * 2


async def test_a_scope_that_cancels_nothing_is_left_alone() -> None:
    """It can be entered by its owner afterwards; no timer is left (X-052)."""
    scope = anyio.CancelScope()
    async with HostileServer(stays(ok())) as server, http.Agent() as agent:
        response = await http.get(server.url(), agent=agent, cancel=scope)
        assert await response.body() == b"ok"
    with scope:
        await checkpoint()
    assert not scope.cancel_called


async def test_what_cannot_cancel_is_refused() -> None:
    """An event of threads would stop the loop (X-052)."""
    for cancel in (threading.Event(), 5, lambda: None):
        with pytest.raises(TypeError) as caught:
            http.get("http://127.0.0.1:9/", cancel=cancel)
        assert vars(type(caught.value))["code"] == "ERR_INVALID_ARG_TYPE"


async def test_the_time_to_connect_begins_anew_for_a_fresh_connection() -> None:
    """A repeated request does not wait for ever for its new socket (X-054, X-056)."""

    async def stale(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(ok())
        await peer.read_head()

    class Stuck(http.Agent):
        made = 0

        def create_connection(self, options: Any, callback: Any) -> Any:
            self.made += 1
            if self.made > 1:
                return None
            return super().create_connection(options, callback)

    async with HostileServer(stale) as server, Stuck(keep_alive=True) as agent:
        assert await (await http.get(server.url(), agent=agent)).body() == b"ok"
        with pytest.raises(TimeoutError) as caught:
            await http.get(server.url(), agent=agent, connect_timeout=0.02)
        assert agent.made == 2
        assert caught.value.errno == errno.ETIMEDOUT

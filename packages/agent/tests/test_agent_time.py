"""How long a socket may be free."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headrace import net
from headrace.agent import Agent
from headrace.agent._pool import idle_limit
from headrace.agent.testing import Order
from headrace.events import once
from headrace.events.loop import current
from headrace.net import Socket
from headrace.net.testing import closed, port_of, record

Target = dict[str, Any]


@asynccontextmanager
async def quiet_server() -> AsyncIterator[Target]:
    """A server that says nothing, and closes when the client does."""
    server = net.create_server(lambda socket: socket.resume())
    async with server.listen(0, "127.0.0.1"):
        yield {"host": "127.0.0.1", "port": port_of(server)}


async def freed(agent: Agent, target: Target, **keywords: Any) -> Socket:
    """Do one exchange and return its socket."""
    order = Order(**keywords)
    agent.add_request(order, target)
    socket = await order.socket()
    await socket
    agent.release(socket, order)
    return socket


@pytest.mark.parametrize(
    ("timeout", "hint", "limit"),
    [
        (None, None, math.inf),
        (0, None, math.inf),
        (5.0, None, 5.0),
        (None, 10.0, 9.0),
        (5.0, 10.0, 5.0),
        (5.0, 3.0, 2.0),
        (0, 1.0, 0.0),
        (5.0, 0.0, -1.0),
    ],
)
def test_the_shorter_time_counts(
    timeout: float | None, hint: float | None, limit: float
) -> None:
    """The agent's `timeout`, and what the peer announces less a margin (X-060)."""
    assert idle_limit(timeout, hint, 1.0) == limit


async def test_idle_timeout_closes_free_sockets() -> None:
    """After `timeout` a free socket is closed, in silence (H-100, X-059)."""
    async with quiet_server() as target, Agent(keep_alive=True, timeout=0.05) as agent:
        socket = await freed(agent, target)
        began = current().time()
        await closed(socket)
        assert current().time() - began >= 0.04
        assert agent.total_socket_count == 0


async def test_the_peers_hint_shortens_the_time() -> None:
    """A peer that closes after 1.05 s is left 1 s earlier (H-098, X-060)."""
    async with quiet_server() as target, Agent(keep_alive=True, timeout=9.0) as agent:
        socket = await freed(agent, target, idle_hint=1.05)
        assert agent.free_sockets
        began = current().time()
        await closed(socket)
        assert 0.04 <= current().time() - began < 0.9


async def test_a_short_hint_means_no_pooling() -> None:
    """A hint that is used up by the margin: the socket is closed at once (H-098)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        socket = await freed(agent, target, idle_hint=1.0)
        assert socket.destroyed
        assert agent.free_sockets == {}


async def test_a_short_hint_does_not_stop_who_waits() -> None:
    """A request that waits gets the socket at once, before the peer closes it."""
    async with quiet_server() as target, Agent(max_sockets=1) as agent:
        first, second = Order(idle_hint=1.0), Order()
        agent.add_request(first, target)
        agent.add_request(second, target)
        socket = await first.socket()
        agent.release(socket, first)
        assert await second.socket() is socket


async def test_an_early_end_comes_early() -> None:
    """A socket whose time ends first is closed first, whatever was armed before."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        one, other = Order(idle_hint=60.0), Order(idle_hint=1.05)
        for order in (one, other):
            agent.add_request(order, target)
        for order in (one, other):
            agent.release(await order.socket(), order)
        await closed(other.sockets[0])
        assert agent.free_sockets == {agent.get_name(target): one.sockets}


async def test_each_rest_has_its_own_time() -> None:
    """Work stops the clock; the next rest begins anew."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        socket = await freed(agent, target, idle_hint=1.05)
        assert await freed(agent, target) is socket  # no hint any more
        third = await freed(agent, {**target, "family": 4}, idle_hint=1.1)
        await closed(third)
        assert agent.free_sockets == {agent.get_name(target): [socket]}


async def test_time_is_up_although_the_timer_is_late() -> None:
    """A socket that has rested too long is not handed out (X-060)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        socket = await freed(agent, target, idle_hint=1.01)
        loop = current()
        end = loop.time() + 0.02
        while loop.time() < end:
            pass  # the loop is busy, so no timer runs
        assert await freed(agent, target) is not socket
        assert socket.destroyed


async def test_timeout_is_the_inactivity_time_of_busy_sockets_too() -> None:
    """A busy socket emits ``timeout`` and stays (X-059, H-145)."""
    async with quiet_server() as target, Agent(keep_alive=True, timeout=0.05) as agent:
        order = Order()
        agent.add_request(order, target)
        socket = await order.socket()
        assert socket.timeout == 0.05
        await once(socket, "timeout")
        assert not socket.destroyed
        agent.release(socket, order)


async def test_timeout_of_a_request_does_not_stay() -> None:
    """A socket goes back with the agent's own inactivity time (H-084, pitfall 23)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        order = Order()
        agent.add_request(order, target)
        socket = await order.socket()
        socket.set_timeout(0.01)
        agent.release(socket, order)
        assert socket.timeout is None
        assert not socket.destroyed


async def test_timeout_that_a_hook_sets_closes_the_free_socket() -> None:
    """`keep_socket_alive` may give a socket a time of its own (H-100, H-104)."""

    class Hasty(Agent):
        def keep_socket_alive(self, socket: Socket) -> bool:
            kept = super().keep_socket_alive(socket)
            socket.set_timeout(0.02)
            return kept

    async with quiet_server() as target, Hasty(keep_alive=True) as agent:
        socket = await freed(agent, target)
        heard = record(socket, "timeout")
        await closed(socket)
        assert heard == ["timeout"]
        assert agent.free_sockets == {}


async def test_timeout_that_a_hook_sets_may_be_longer() -> None:
    """It replaces the agent's own; the server's hint stays (H-104, X-059, X-060)."""

    class Patient(Agent):
        def keep_socket_alive(self, socket: Socket) -> bool:
            kept = super().keep_socket_alive(socket)
            socket.set_timeout(0.06)
            return kept

    async with (
        quiet_server() as target,
        Patient(keep_alive=True, timeout=0.02) as agent,
    ):
        socket = await freed(agent, target)
        heard = record(socket, "timeout")
        await closed(socket)
        assert heard == ["timeout"]
        assert socket.timeout == 0.06


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_free_sockets_do_not_keep_the_program_alive(backend: str) -> None:
    """A program whose only handles are free sockets ends by itself (H-099)."""
    ends: list[Socket] = []

    async def main() -> None:
        server = net.create_server(lambda socket: socket.unref().resume())
        await server.listen(0, "127.0.0.1")
        agent = Agent(keep_alive=True, timeout=60.0)
        target = {"host": "127.0.0.1", "port": port_of(server)}
        ends.append(await freed(agent, target))
        assert await freed(agent, target) is ends[0]
        server.unref()

    net.run(main, backend=backend)
    handle = ends[0]._handle
    assert handle is None or handle.fileno() == -1  # closed in silence (H-009)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_working_sockets_keep_the_program_alive(backend: str) -> None:
    """A socket that was free and works again counts (H-099)."""
    answers: list[bytes] = []

    class Asker(Order):
        def on_socket(self, socket: Socket) -> None:
            assert self.reused_socket
            socket.write(b"still there?")
            socket.on("data", answers.append)
            socket.once("data", lambda data: socket.destroy())

    def serve(socket: Socket) -> None:
        socket.unref()
        socket.on("data", lambda data: socket.write(data.upper()))

    async def main() -> None:
        server = net.create_server(serve)
        await server.listen(0, "127.0.0.1")
        agent = Agent(keep_alive=True)
        target = {"host": "127.0.0.1", "port": port_of(server)}
        await freed(agent, target)
        server.unref()
        agent.add_request(Asker(), target)

    net.run(main, backend=backend)
    assert answers == [b"STILL THERE?"]

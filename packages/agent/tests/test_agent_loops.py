"""One agent, many loops: a pool for each that runs."""

import asyncio
import gc
import threading
import weakref
from typing import Any

import anyio
import pytest

from headrace import net
from headrace.agent import Agent
from headrace.agent.testing import Order
from headrace.events.loop import checkpoint
from headrace.net.testing import port_of

Target = dict[str, Any]
BACKENDS = ["asyncio", "trio"]


async def freed(agent: Agent, target: Target) -> Order:
    """Do one exchange and return its request."""
    order = Order()
    agent.add_request(order, target)
    socket = await order.socket()
    await socket
    agent.release(socket, order)
    return order


async def exchanges(agent: Agent) -> list[Order]:
    """Do two exchanges with a server of this loop; leave the socket free."""
    server = net.create_server(lambda socket: socket.resume())
    await server.listen(0, "127.0.0.1")
    target = {"host": "127.0.0.1", "port": port_of(server)}
    return [await freed(agent, target) for _ in range(2)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_loop_after_the_other(backend: str) -> None:
    """A socket of a finished loop is never handed out again (H-019)."""
    agent = Agent(keep_alive=True)
    for _ in range(2):
        first, second = anyio.run(exchanges, agent, backend=backend)
        assert second.sockets == first.sockets
        assert [first.reused_socket, second.reused_socket] == [False, True]
        assert agent.total_socket_count == 0  # outside of a loop there is no pool


def test_runtimes_do_not_share() -> None:
    """asyncio and trio, one after the other (H-019)."""
    agent = Agent(keep_alive=True)
    for backend in BACKENDS * 2:
        first, _ = anyio.run(exchanges, agent, backend=backend)
        assert not first.reused_socket


@pytest.mark.parametrize("backend", BACKENDS)
def test_loops_in_threads(backend: str) -> None:
    """Two loops at a time see their own pools, and their own limits (H-019)."""
    agent = Agent(keep_alive=True, max_total_sockets=1)
    meeting = threading.Barrier(2, timeout=20)
    seen: list[tuple[int, list[Order]]] = []

    async def work() -> None:
        orders = await exchanges(agent)
        meeting.wait()  # both have a free socket now
        seen.append((agent.total_socket_count, orders))
        meeting.wait()
        agent.destroy()
        assert agent.total_socket_count == 0

    def run() -> None:
        anyio.run(work, backend=backend)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [count for count, _ in seen] == [1, 1]
    assert seen[0][1][0].sockets != seen[1][1][0].sockets


@pytest.mark.parametrize("backend", BACKENDS)
def test_finished_loops_leave_nothing(backend: str) -> None:
    """The agent keeps neither the loop nor its sockets (H-019)."""
    agent = Agent(keep_alive=True)
    left: list[weakref.ref[net.Socket]] = []

    async def work() -> None:
        first, _ = await exchanges(agent)
        left.append(weakref.ref(first.sockets[0]))

    anyio.run(work, backend=backend)
    gc.collect()
    assert left[0]() is None


def test_waiting_requests_end_with_their_loop() -> None:
    """Nothing is called in a later loop, and nothing is said (H-019)."""
    agent = Agent(max_sockets=1)
    orders = [Order(), Order()]

    async def work() -> None:
        for order in orders:
            agent.add_request(order, {"host": "127.0.0.1", "port": 1})

    asyncio.run(work())
    asyncio.run(asyncio.sleep(0))
    assert not orders[1].is_settled


async def test_an_agent_that_is_not_used_is_not_kept() -> None:
    """An empty pool goes, so an agent for one request leaves nothing behind (H-067)."""
    server = net.create_server(lambda socket: socket.resume())
    async with server.listen(0, "127.0.0.1"):
        agent = Agent()
        await freed(agent, {"host": "127.0.0.1", "port": port_of(server)})
        reference = weakref.ref(agent)
        del agent
        while reference() is not None:  # until the socket's ``close`` is over
            await checkpoint()
            gc.collect()

"""Python's way to a socket: `async with agent.lease(...)`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from headrace import net
from headrace.agent import Agent
from headrace.agent.testing import Order
from headrace.events import once
from headrace.events.loop import checkpoint
from headrace.net.testing import port_of

Target = dict[str, Any]


@asynccontextmanager
async def echo_server() -> AsyncIterator[Target]:
    """A server that sends back what it gets."""
    server = net.create_server(lambda socket: socket.pipe(socket))
    async with server.listen(0, "127.0.0.1"):
        yield {"host": "127.0.0.1", "port": port_of(server)}


async def test_lease_gives_a_connected_socket() -> None:
    """The block begins when the socket can be used; at its end the socket is free."""
    async with echo_server() as target, Agent(keep_alive=True) as agent:
        for _ in range(3):
            async with agent.lease(target) as socket:
                assert not socket.connecting
                heard = once(socket, "data")
                socket.write(b"hello")
                assert await heard == (b"hello",)
            assert agent.free_sockets == {agent.get_name(target): [socket]}


async def test_lease_waits_for_its_turn() -> None:
    """Leases share the limits with all other requests (H-093)."""
    most = running = 0

    async def use() -> None:
        nonlocal most, running
        async with agent.lease(target):
            running += 1
            most = max(most, running)
            await checkpoint()
            running -= 1

    async with echo_server() as target, Agent(max_sockets=2) as agent:
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(use)
        assert most == 2


async def test_lease_raises_why_there_is_no_socket() -> None:
    """A connection that fails, and an agent that is destroyed, raise."""
    async with net.create_server().listen(0, "127.0.0.1") as server:
        port = port_of(server)
    agent = Agent()
    with pytest.raises(ConnectionRefusedError):
        async with agent.lease({"host": "127.0.0.1", "port": port}):
            raise AssertionError("the block must not begin")
    with pytest.raises(TypeError):
        async with agent.lease({"host": "127.0.0.1"}):
            raise AssertionError("the block must not begin")
    await checkpoint()
    assert agent.total_socket_count == 0


async def test_block_that_raises_closes_the_socket() -> None:
    """What it has left on the connection nobody knows."""
    async with echo_server() as target, Agent(keep_alive=True) as agent:
        with pytest.raises(ZeroDivisionError):
            async with agent.lease(target) as socket:
                raise ZeroDivisionError
        assert socket.destroyed
        while agent.total_socket_count:
            await checkpoint()


async def test_cancelled_lease_gives_up_its_place() -> None:
    """Cancelled while it waits, it is no longer in the queue."""
    async with echo_server() as target, Agent(max_sockets=1) as agent:
        order = Order()
        agent.add_request(order, target)
        await order.socket()
        with anyio.CancelScope() as scope:
            scope.cancel()
            async with agent.lease(target):
                raise AssertionError("the block must not begin")
        assert agent.requests == {}


async def test_lease_cancelled_while_it_connects() -> None:
    """Nothing is left of the connection."""
    async with echo_server() as target, Agent() as agent:
        async with anyio.create_task_group() as tasks:

            async def use() -> None:
                async with agent.lease(target):
                    await anyio.sleep_forever()

            tasks.start_soon(use)
            while not agent.sockets:
                await checkpoint()
            tasks.cancel_scope.cancel()
        while agent.total_socket_count:
            await checkpoint()


async def test_lease_leaves_no_listener() -> None:
    """After the block the socket's listeners are the pool's only (pitfall 22)."""
    async with echo_server() as target, Agent(keep_alive=True) as agent:
        async with agent.lease(target) as socket:
            working = {name: socket.listener_count(name) for name in ("error", "close")}
        assert working == {"error": 1, "close": 1}
        assert socket.listener_count("error") == 1


async def test_agent_block_destroys_it() -> None:
    """`async with agent` ends with `destroy` (H-103)."""
    async with echo_server() as target:
        async with Agent(keep_alive=True) as agent:
            async with agent.lease(target) as socket:
                pass
            assert not socket.destroyed
        assert socket.destroyed

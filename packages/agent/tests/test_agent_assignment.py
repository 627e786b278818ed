"""Which request gets which socket, and when."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headrace import net
from headrace.agent import Agent
from headrace.agent.testing import Order
from headrace.events.loop import checkpoint
from headrace.net.testing import closed, port_of

Target = dict[str, Any]


@asynccontextmanager
async def quiet_server() -> AsyncIterator[Target]:
    """A server that says nothing, and closes when the client does."""
    server = net.create_server(lambda socket: socket.resume())
    async with server.listen(0, "127.0.0.1"):
        yield {"host": "127.0.0.1", "port": port_of(server)}


async def served(agent: Agent, target: Target, **keywords: Any) -> Order:
    """Return a request that has got its socket."""
    order = Order(**keywords)
    agent.add_request(order, target)
    await order.socket()
    return order


async def test_first_request_gets_a_new_socket() -> None:
    """Without a free one a connection is made; it is in `sockets` at once (H-097)."""
    async with quiet_server() as target, Agent() as agent:
        order = Order()
        agent.add_request(order, target)
        (connecting,) = agent.sockets[agent.get_name(target)]
        assert connecting.connecting
        assert await order.socket() is connecting
        assert order.reused_socket is False


async def test_a_socket_never_comes_synchronously() -> None:
    """Both a new and a free socket arrive on a later tick (H-097)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        for _ in range(2):
            order = Order()
            agent.add_request(order, target)
            assert order.sockets == []
            agent.release(await order.socket(), order)


async def test_released_socket_serves_again() -> None:
    """With `keep_alive` a socket rests and is handed out again (H-091, N-160)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        first = await served(agent, target)
        name = agent.get_name(target)
        agent.release(first.sockets[0], first)
        assert agent.sockets == {}
        assert agent.free_sockets == {name: first.sockets}
        second = await served(agent, target)
        assert second.sockets == first.sockets
        assert second.reused_socket is True
        assert agent.sockets == {name: first.sockets}
        assert agent.free_sockets == {}


async def test_without_keep_alive_a_socket_closes() -> None:
    """When nobody waits, it is closed (H-091)."""
    async with quiet_server() as target, Agent() as agent:
        order = await served(agent, target)
        agent.release(order.sockets[0], order)
        assert order.sockets[0].destroyed
        assert agent.total_socket_count == 0


async def test_without_keep_alive_a_socket_serves_who_waits() -> None:
    """Under load it is reused all the same (H-091)."""
    async with quiet_server() as target, Agent(max_sockets=1) as agent:
        first, second = Order(), Order()
        agent.add_request(first, target)
        agent.add_request(second, target)
        socket = await first.socket()
        agent.release(socket, first)
        assert await second.socket() is socket
        assert second.reused_socket is True


async def test_not_reusable_socket_closes() -> None:
    """A request decides whether its socket can be used again (H-098)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        order = await served(agent, target, reusable=False)
        agent.release(order.sockets[0], order)
        assert order.sockets[0].destroyed
        assert agent.free_sockets == {}


async def test_waiting_request_gets_a_new_socket_for_one_that_closes() -> None:
    """A place that becomes free goes to who waits, with a connection of its own."""
    async with quiet_server() as target, Agent(max_sockets=1) as agent:
        first = await served(agent, target, reusable=False)
        second = Order()
        agent.add_request(second, target)
        agent.release(first.sockets[0], first)
        assert await second.socket() is not first.sockets[0]
        assert second.reused_socket is False


async def test_requests_wait_in_order() -> None:
    """Over `max_sockets` requests wait, first in, first out (H-093, N-158)."""
    async with quiet_server() as target, Agent(max_sockets=2) as agent:
        orders = [Order() for _ in range(6)]
        for order in orders:
            agent.add_request(order, target)
        name = agent.get_name(target)
        assert agent.requests == {name: orders[2:]}
        for index, order in enumerate(orders):
            socket = await order.socket()
            assert len(agent.sockets[name]) <= 2
            assert [each.is_settled for each in orders[index + 2 :]] == [False] * (
                4 - index
            )
            agent.release(socket, order)


async def test_names_do_not_share() -> None:
    """Limits and free sockets count per name (H-096)."""
    async with (
        quiet_server() as one,
        quiet_server() as other,
        Agent(keep_alive=True, max_sockets=1) as agent,
    ):
        first = await served(agent, one)
        second = await served(agent, other)
        agent.release(first.sockets[0], first)
        third = await served(agent, one)
        assert third.sockets == first.sockets != second.sockets


@pytest.mark.parametrize(("scheduling", "index"), [("lifo", 2), ("fifo", 0)])
async def test_scheduling(scheduling: str, index: int) -> None:
    """The socket freed last, or first, comes first (X-058, N-162)."""
    async with (
        quiet_server() as target,
        Agent(keep_alive=True, scheduling=scheduling) as agent,
    ):
        orders = [await served(agent, target) for _ in range(3)]
        for order in orders:
            agent.release(order.sockets[0], order)
        again = await served(agent, target)
        assert again.sockets == orders[index].sockets


async def test_max_free_sockets() -> None:
    """A socket freed beyond the limit is closed (H-094)."""
    async with (
        quiet_server() as target,
        Agent(keep_alive=True, max_free_sockets=1) as agent,
    ):
        kept, closed_one = [await served(agent, target) for _ in range(2)]
        agent.release(kept.sockets[0], kept)
        agent.release(closed_one.sockets[0], closed_one)
        assert agent.free_sockets == {agent.get_name(target): kept.sockets}
        assert closed_one.sockets[0].destroyed


async def test_limits_can_be_lowered() -> None:
    """A lowered limit counts from then on: surplus sockets close (H-093)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        orders = [await served(agent, target) for _ in range(3)]
        agent.max_sockets = 1
        for order in orders:
            agent.release(order.sockets[0], order)
        assert agent.total_socket_count == 1


async def test_max_total_sockets_over_two_servers() -> None:
    """The limit over all names holds, and all requests are served (X-057, N-164)."""
    async with (
        quiet_server() as one,
        quiet_server() as other,
        Agent(keep_alive=True, max_total_sockets=2) as agent,
    ):
        orders = [Order() for _ in range(12)]
        for index, order in enumerate(orders):
            agent.add_request(order, one if index < 6 else other)
        for order in orders:
            socket = await order.socket()
            assert agent.total_socket_count <= 2
            agent.release(socket, order)
        assert agent.requests == {}


async def test_a_free_socket_makes_room_for_another_name() -> None:
    """With all places taken, the socket that is free longest is closed (X-057)."""
    async with (
        quiet_server() as one,
        quiet_server() as other,
        Agent(keep_alive=True, max_total_sockets=2) as agent,
    ):
        orders = [await served(agent, one) for _ in range(2)]
        for order in orders:
            agent.release(order.sockets[0], order)
        await served(agent, other)
        assert [order.sockets[0].destroyed for order in orders] == [True, False]


async def test_views_are_copies() -> None:
    """`sockets`, `free_sockets` and `requests` cannot harm the pool (H-095)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        order = await served(agent, target)
        name = agent.get_name(target)
        agent.sockets[name].clear()
        assert agent.sockets[name] == order.sockets
        agent.release(order.sockets[0], order)
        agent.free_sockets.clear()
        assert agent.free_sockets[name] == order.sockets
        assert not agent.sockets
        assert not agent.requests


async def test_free_is_emitted_after_the_decision() -> None:
    """``free`` (socket, options) tells of each socket given back usable (H-104)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        heard: list[Any] = []

        @agent.on("free")
        def note(socket: net.Socket, options: Any) -> None:
            heard.append((socket, options["port"], agent.free_sockets))

        order = await served(agent, target)
        (socket,) = order.sockets
        agent.release(socket, order)
        assert heard == [(socket, target["port"], {agent.get_name(target): [socket]})]
        spent = await served(agent, target, reusable=False)
        agent.release(spent.sockets[0], spent)
        assert len(heard) == 1


async def test_giving_back_twice_has_no_effect() -> None:
    """A request cannot take the socket from the next one (H-098)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        first = await served(agent, target)
        (socket,) = first.sockets
        agent.release(socket, first)
        agent.release(socket, first)
        second = await served(agent, target)
        agent.release(socket, first)
        assert agent.free_sockets == {}
        assert second.sockets == [socket]
        assert not socket.destroyed


async def test_unread_bytes_close_the_socket() -> None:
    """A socket with bytes left to read is never pooled (H-098)."""
    server = net.create_server(lambda socket: socket.resume().write(b"surplus"))
    async with server.listen(0, "127.0.0.1"), Agent(keep_alive=True) as agent:
        order = await served(agent, {"port": port_of(server), "host": "127.0.0.1"})
        (socket,) = order.sockets
        socket.read(0)
        while not socket.readable_length:
            await checkpoint()
        agent.release(socket, order)
        assert socket.destroyed


async def test_unwritten_bytes_close_the_socket() -> None:
    """A socket that is not fully drained is never pooled (H-098)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        order = await served(agent, target)
        (socket,) = order.sockets
        socket.write(b"sent before the connection is made")
        agent.release(socket, order)
        assert socket.destroyed


async def test_a_request_is_added_once_at_a_time() -> None:
    """While it waits it cannot be added again; once served it can (H-097)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        order = Order()
        agent.add_request(order, target)
        with pytest.raises(RuntimeError) as caught:
            agent.add_request(order, target)
        assert caught.value.code == "ERR_INVALID_STATE"  # type: ignore[attr-defined]
        agent.release(await order.socket(), order)
        agent.add_request(order, target)
        await checkpoint()
        assert order.sockets == [order.sockets[0]] * 2


async def test_closing_frees_the_place() -> None:
    """A socket leaves the agent when it closes (H-101)."""
    async with quiet_server() as target, Agent(max_sockets=1) as agent:
        first = await served(agent, target)
        second = Order()
        agent.add_request(second, target)
        first.sockets[0].destroy()
        await closed(first.sockets[0])
        assert agent.sockets[agent.get_name(target)] != first.sockets
        await second.socket()


async def test_options_are_kept_as_they_were() -> None:
    """A caller may change its mapping after the call (H-002)."""
    async with quiet_server() as target, Agent(max_sockets=1) as agent:
        first = await served(agent, target, reusable=False)
        options, second = dict(target), Order()
        agent.add_request(second, options)
        options["port"] = 1
        agent.release(first.sockets[0], first)
        assert (await second.socket()).destroyed is False
        await second.sockets[0]


def test_no_loop_no_pool() -> None:
    """Outside of a loop there is nothing to see, and nothing to destroy (H-019)."""
    agent = Agent(keep_alive=True)
    assert agent.sockets == agent.free_sockets == {}
    assert agent.requests == {}
    assert agent.total_socket_count == 0
    agent.destroy()
    assert repr(agent) == "<Agent keep_alive=True empty>"
    with pytest.raises(RuntimeError):
        agent.add_request(Order())


async def test_repr_shows_the_state() -> None:
    """One line tells what the pool does (house style 9)."""
    async with quiet_server() as target, Agent(max_sockets=1) as agent:
        agent.add_request(Order(), target)
        agent.add_request(Order(), target)
        assert repr(agent) == "<Agent keep_alive=False busy=1 free=0 waiting=1>"

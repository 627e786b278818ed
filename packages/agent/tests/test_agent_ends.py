"""How requests and sockets leave the agent: cancelled, failed, taken out, destroyed."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headrace import net
from headrace.agent import Agent, ConnectionCallback
from headrace.agent.testing import Order
from headrace.events.loop import checkpoint
from headrace.net.testing import closed, port_of, record

Target = dict[str, Any]


@asynccontextmanager
async def quiet_server() -> AsyncIterator[Target]:
    """A server that says nothing, and closes when the client does."""
    server = net.create_server(lambda socket: socket.resume())
    async with server.listen(0, "127.0.0.1"):
        yield {"host": "127.0.0.1", "port": port_of(server)}


async def refusing_port() -> int:
    """Return a port where nobody listens."""
    async with net.create_server().listen(0, "127.0.0.1") as server:
        return port_of(server)


class SlowAgent(Agent):
    """Makes connections when the test says so."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.attempts: list[tuple[Mapping[str, Any], ConnectionCallback]] = []

    def create_connection(
        self, options: Mapping[str, Any], callback: ConnectionCallback
    ) -> None:
        self.attempts.append((options, callback))

    def finish(self) -> net.Socket:
        """Make the connection of the first attempt."""
        options, callback = self.attempts.pop(0)
        socket = net.connect(self.connect_options(options))
        callback(None, socket)
        return socket


async def settle() -> None:
    """Let all ticks and what they cause run."""
    for _ in range(3):
        await checkpoint()


# Cancelled


async def test_cancel_of_a_waiting_request() -> None:
    """Its place in the queue goes to the next one; nothing is heard of it."""
    async with quiet_server() as target, Agent(max_sockets=1) as agent:
        first, second, third = orders = [Order() for _ in range(3)]
        for order in orders:
            agent.add_request(order, target)
        agent.cancel(second)
        assert agent.requests == {agent.get_name(target): [third]}
        agent.release(await first.socket(), first)
        await third.socket()
        assert not second.is_settled


async def test_cancel_before_the_socket_is_handed_over() -> None:
    """A connection that was made for it goes to the next request."""
    async with quiet_server() as target, Agent(max_sockets=1) as agent:
        first, second = Order(), Order()
        agent.add_request(first, target)
        agent.add_request(second, target)
        (socket,) = agent.sockets[agent.get_name(target)]
        agent.cancel(first)
        assert await second.socket() is socket
        assert not first.is_settled


@pytest.mark.parametrize("keep_alive", [True, False])
async def test_cancel_of_the_last_one(keep_alive: bool) -> None:
    """With nobody waiting the connection rests if it may, else it is closed."""
    async with quiet_server() as target, Agent(keep_alive=keep_alive) as agent:
        order = Order()
        agent.add_request(order, target)
        name = agent.get_name(target)
        (socket,) = agent.sockets[name]
        agent.cancel(order)
        assert agent.free_sockets == ({name: [socket]} if keep_alive else {})
        assert socket.destroyed is not keep_alive
        await settle()
        assert not order.is_settled


async def test_cancel_of_a_free_socket_taken() -> None:
    """A free socket that was promised becomes free again."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        order = Order()
        agent.add_request(order, target)
        agent.release(await order.socket(), order)
        second = Order()
        agent.add_request(second, target)
        agent.cancel(second)
        assert agent.free_sockets == {agent.get_name(target): order.sockets}
        await settle()
        assert not second.is_settled


async def test_connection_of_a_cancelled_request_serves_the_next_one() -> None:
    """A connection that is still being made keeps its place, and is not lost."""
    async with quiet_server() as target, SlowAgent(max_sockets=1) as agent:
        first, second = Order(), Order()
        agent.add_request(first, target)
        agent.add_request(second, target)
        agent.cancel(first)
        assert len(agent.attempts) == 1
        assert agent.finish() is await second.socket()
        assert not first.is_settled


async def test_failure_of_a_cancelled_request_hurts_nobody() -> None:
    """The next request did not ask for that connection: it tries its own (H-102)."""
    async with quiet_server() as target, SlowAgent(max_sockets=1) as agent:
        first, second = Order(), Order()
        agent.add_request(first, target)
        agent.add_request(second, target)
        agent.cancel(first)
        _, callback = agent.attempts.pop()
        callback(OSError("no route"))
        assert agent.finish() is await second.socket()
        assert not second.errors


async def test_a_prepared_connection_that_fails_hurts_nobody() -> None:
    """A free socket that is still connecting and fails is not handed out (H-102)."""
    port = await refusing_port()
    async with Agent(keep_alive=True) as agent:
        first, second = Order(), Order()
        target = {"host": "127.0.0.1", "port": port}
        agent.add_request(first, target)
        agent.cancel(first)
        (socket,) = agent.free_sockets[agent.get_name(target)]
        await closed(socket)
        assert agent.total_socket_count == 0
        agent.add_request(second, target)
        assert await second.socket() is not socket
        await closed(second.sockets[0])


async def test_cancel_before_the_error_is_told() -> None:
    """Neither `on_socket` nor `on_error` follows a cancel, whatever has happened."""
    async with Agent() as agent:
        first, second = Order(), Order()
        for order in (first, second):
            agent.add_request(order, {"host": "127.0.0.1"})  # no port: it fails
            with pytest.raises(RuntimeError):
                agent.add_request(order, {"host": "127.0.0.1"})
        agent.cancel(first)
        with pytest.raises(TypeError):
            await second.socket()
        assert not first.is_settled


async def test_cancel_before_the_attempt() -> None:
    """With a raised limit several begin at once, but not who is cancelled meanwhile."""

    class Fickle(SlowAgent):
        def create_connection(
            self, options: Mapping[str, Any], callback: ConnectionCallback
        ) -> None:
            super().create_connection(options, callback)
            self.cancel(orders[3])

    orders = [Order() for _ in range(4)]
    async with quiet_server() as target, Fickle(max_sockets=1) as agent:
        for order in orders:
            agent.add_request(order, target)
        agent.max_sockets = 3
        agent.finish()
        agent.release(await orders[0].socket(), orders[0])
        assert len(agent.attempts) == 1  # the second has the socket of the first
        agent.finish()
        await orders[2].socket()
        assert orders[1].sockets == orders[0].sockets
        assert not orders[3].is_settled


async def test_destroy_before_the_attempt() -> None:
    """The same for a hook that destroys the agent."""

    class Suicidal(SlowAgent):
        def create_connection(
            self, options: Mapping[str, Any], callback: ConnectionCallback
        ) -> None:
            super().create_connection(options, callback)
            if self.max_sockets > 1:  # not at the first one
                self.destroy()

    orders = [Order() for _ in range(4)]
    async with quiet_server() as target, Suicidal(max_sockets=1) as agent:
        for order in orders:
            agent.add_request(order, target)
        agent.max_sockets = 4
        agent.cancel(orders[0])
        agent.finish()
        assert len(agent.attempts) == 1
        await settle()
        assert [len(order.errors) for order in orders] == [0, 1, 1, 1]
        assert agent.total_socket_count == 0


async def test_cancel_after_the_socket_has_no_effect() -> None:
    """A request that has its socket destroys it instead."""
    async with quiet_server() as target, Agent() as agent:
        order = Order()
        agent.add_request(order, target)
        socket = await order.socket()
        agent.cancel(order)
        agent.cancel(Order())
        assert not socket.destroyed
        assert agent.sockets == {agent.get_name(target): [socket]}


# Failed


async def test_failed_connection_is_seen_on_the_socket() -> None:
    """The request gets the connecting socket, whose errors are its own (H-102)."""
    port = await refusing_port()
    async with Agent() as agent:
        order = Order()
        agent.add_request(order, {"host": "127.0.0.1", "port": port})
        socket = await order.socket()
        errors = record(socket, "error")
        await closed(socket)
        assert errors[0][1].code == "ECONNREFUSED"
        assert order.errors == []
        assert agent.total_socket_count == 0


async def test_failed_attempt_fails_its_request_only() -> None:
    """The next waiting request tries a connection of its own (H-102)."""
    async with quiet_server() as target, SlowAgent(max_sockets=1) as agent:
        first, second = Order(), Order()
        agent.add_request(first, target)
        agent.add_request(second, target)
        error = OSError("no route")
        agent.attempts.pop()[1](error)
        assert agent.finish() is await second.socket()
        assert first.errors == [error]


async def test_missing_port_is_an_error_of_the_request() -> None:
    """What `net.connect` refuses arrives on a later tick (H-070)."""
    async with Agent() as agent:
        order = Order()
        agent.add_request(order, {"host": "127.0.0.1"})
        assert order.errors == []
        with pytest.raises(TypeError):
            await order.socket()
        assert order.errors[0].code == "ERR_MISSING_ARGS"  # type: ignore[attr-defined]


# Taken out


async def test_agent_remove_while_it_works() -> None:
    """The socket is in no list, does not count, and the request goes on (N-161)."""
    async with quiet_server() as target, Agent(keep_alive=True, max_sockets=1) as agent:
        first, second = Order(), Order()
        agent.add_request(first, target)
        agent.add_request(second, target)
        socket = await first.socket()
        socket.emit("agent_remove")
        assert socket not in agent.sockets[agent.get_name(target)]
        assert await second.socket() is not socket
        assert not socket.destroyed
        assert socket.event_names() == []
        agent.release(socket, first)
        assert socket.destroyed  # when its request is done (H-101)


async def test_agent_remove_before_the_hand_over() -> None:
    """A request that was promised the socket still gets it (H-101)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        order = Order()
        agent.add_request(order, target)
        (socket,) = agent.sockets[agent.get_name(target)]
        socket.emit("agent_remove")
        assert agent.total_socket_count == 0
        assert await order.socket() is socket
        agent.release(socket, order)
        assert socket.destroyed


async def test_agent_remove_and_destroy_before_the_hand_over() -> None:
    """If that socket is closed too, the request gets an error."""
    async with quiet_server() as target, Agent() as agent:
        order = Order()
        agent.add_request(order, target)
        (socket,) = agent.sockets[agent.get_name(target)]
        socket.emit("agent_remove")
        socket.destroy()
        with pytest.raises(ConnectionResetError):
            await order.socket()


async def test_cancel_of_a_socket_that_was_taken_out() -> None:
    """Nobody is left who would close it but the agent (H-101)."""
    async with quiet_server() as target, Agent() as agent:
        order = Order()
        agent.add_request(order, target)
        (socket,) = agent.sockets[agent.get_name(target)]
        socket.emit("agent_remove")
        agent.cancel(order)
        assert socket.destroyed
        await settle()
        assert not order.is_settled


async def test_agent_remove_of_a_free_socket() -> None:
    """It is the taker's: open, without our listeners, and counted by `run` again."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        order = Order()
        agent.add_request(order, target)
        socket = await order.socket()
        agent.release(socket, order)
        socket.emit("agent_remove")
        assert agent.free_sockets == {}
        assert not socket.destroyed
        assert socket.event_names() == []
        socket.destroy()


# Destroyed


async def test_destroy_closes_and_fails_everything() -> None:
    """Busy and free sockets close, requests without one get ECONNRESET (H-103)."""
    async with quiet_server() as target, Agent(keep_alive=True, max_sockets=2) as agent:
        busy, freed, waiting = orders = [Order() for _ in range(3)]
        for order in orders:
            agent.add_request(order, target)
        sockets = [await busy.socket(), await freed.socket()]
        agent.cancel(waiting)
        agent.release(sockets[1], freed)
        late = [Order() for _ in range(3)]
        for order in late:
            agent.add_request(order, target)  # the free socket, and two that wait
        agent.destroy()
        assert [socket.destroyed for socket in sockets] == [True, True]
        assert agent.total_socket_count == 0
        await settle()
        assert [type(order.errors[0]).__name__ for order in late] == [
            "AgentDestroyedError"
        ] * 3
        assert late[0].errors[0].code == "ECONNRESET"  # type: ignore[attr-defined]
        assert str(late[0].errors[0]) == "socket hang up"
        assert isinstance(late[0].errors[0], ConnectionResetError)
        assert not busy.errors  # it hears it from its socket
        assert not waiting.is_settled


async def test_destroyed_agent_can_be_used_again() -> None:
    """`destroy` ends what is there, not what comes later (H-103)."""
    async with quiet_server() as target, Agent(keep_alive=True) as agent:
        for _ in range(2):
            order = Order()
            agent.add_request(order, target)
            await order.socket()
            agent.destroy()
            agent.destroy()


async def test_late_socket_of_a_destroyed_agent_is_closed() -> None:
    """An attempt that succeeds after `destroy` leaves nothing open (H-103)."""
    async with quiet_server() as target, SlowAgent() as agent:
        order = Order()
        agent.add_request(order, target)
        agent.destroy()
        with pytest.raises(ConnectionResetError):
            await order.socket()
        assert agent.finish().destroyed
        assert agent.total_socket_count == 0


async def test_socket_of_another_agent_is_closed() -> None:
    """Giving back what the agent does not know closes it (H-101)."""
    async with quiet_server() as target, Agent() as agent:
        socket = net.connect(target)
        agent.release(socket, Order())
        assert socket.destroyed

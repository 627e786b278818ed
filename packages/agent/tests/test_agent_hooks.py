"""What a subclass can do differently, and what its mistakes cannot do."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import pytest

from headrace import net
from headrace.agent import Agent, ConnectionCallback, PooledRequest
from headrace.agent.testing import Order
from headrace.events.loop import checkpoint, current
from headrace.net import Socket
from headrace.net.testing import port_of

Target = dict[str, Any]


@asynccontextmanager
async def quiet_server() -> AsyncIterator[Target]:
    """A server that says nothing, and closes when the client does."""
    server = net.create_server(lambda socket: socket.resume())
    async with server.listen(0, "127.0.0.1"):
        yield {"host": "127.0.0.1", "port": port_of(server)}


async def freed(agent: Agent, target: Target) -> Socket:
    """Do one exchange and return its socket."""
    order = Order()
    agent.add_request(order, target)
    socket = await order.socket()
    agent.release(socket, order)
    return socket


class Reports:
    """Takes what would be reported to nobody; the runner of the running loop."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def fail(self, error: BaseException) -> None:
        self.errors.append(str(error))


@asynccontextmanager
async def reports() -> AsyncIterator[list[str]]:
    runner = current().runner = Reports()
    try:
        yield runner.errors
    finally:
        current().runner = None


# keep_socket_alive and reuse_socket


async def test_hooks_are_called_for_each_rest() -> None:
    """`keep_socket_alive` before a socket rests, `reuse_socket` after it (H-104)."""
    calls: list[Any] = []

    class Noting(Agent):
        def keep_socket_alive(self, socket: Socket) -> bool:
            calls.append(("keep", socket))
            return super().keep_socket_alive(socket)

        def reuse_socket(self, socket: Socket, request: PooledRequest) -> None:
            calls.append(("reuse", socket, request))
            super().reuse_socket(socket, request)

    async with quiet_server() as target, Noting(keep_alive=True) as agent:
        socket = await freed(agent, target)
        order = Order()
        agent.add_request(order, target)
        await order.socket()
        assert calls == [("keep", socket), ("reuse", socket, order)]


async def test_hook_may_refuse_to_keep() -> None:
    """False closes the socket instead (H-104)."""

    class Forgetful(Agent):
        def keep_socket_alive(self, socket: Socket) -> bool:
            return False

    async with quiet_server() as target, Forgetful(keep_alive=True) as agent:
        socket = await freed(agent, target)
        assert socket.destroyed
        assert agent.total_socket_count == 0


async def test_failing_keep_hook_closes_the_socket() -> None:
    """The exception is reported; whoever gave the socket back is not hurt (H-010)."""

    class Broken(Agent):
        def keep_socket_alive(self, socket: Socket) -> bool:
            raise ValueError("made up")

    async with (
        quiet_server() as target,
        Broken(keep_alive=True) as agent,
        reports() as errors,
    ):
        socket = await freed(agent, target)
        assert errors == ["made up"]
        assert socket.destroyed


async def test_failing_reuse_hook_costs_the_socket_only() -> None:
    """The exception is reported, and the request gets another socket (H-010)."""

    class Broken(Agent):
        def reuse_socket(self, socket: Socket, request: PooledRequest) -> None:
            raise ValueError("made up")

    async with (
        quiet_server() as target,
        Broken(keep_alive=True) as agent,
        reports() as errors,
    ):
        socket = await freed(agent, target)
        assert await freed(agent, target) is not socket
        assert errors == ["made up"]
        assert socket.destroyed


async def test_failing_free_listener_is_reported() -> None:
    """It cannot stop whoever gave the socket back (H-010, pitfall 27)."""

    def fail(*args: object) -> None:
        raise ValueError("made up")

    async with (
        quiet_server() as target,
        Agent(keep_alive=True) as agent,
        reports() as errors,
    ):
        socket = await freed(agent.on("free", fail), target)
        assert errors == ["made up"]
        assert agent.free_sockets == {agent.get_name(target): [socket]}


async def test_failing_on_socket_closes_the_socket() -> None:
    """Nobody would give it back; the exception is reported (H-010)."""

    class Broken(Order):
        def on_socket(self, socket: Socket) -> None:
            self.sockets.append(socket)
            raise ValueError("made up")

    async with reports() as errors, quiet_server() as target, Agent() as agent:
        order = Broken()
        agent.add_request(order, target)
        while not errors:
            await checkpoint()
        assert order.sockets[0].destroyed
        while agent.total_socket_count:
            await checkpoint()


async def test_failing_get_name_changes_nothing() -> None:
    """It raises where the request is added."""

    class Broken(Agent):
        def get_name(self, options: Mapping[str, Any] = MappingProxyType({})) -> str:
            raise ValueError("made up")

    agent = Broken()
    with pytest.raises(ValueError, match="made up"):
        agent.add_request(Order(), {})
    assert agent.total_socket_count == 0
    await checkpoint()


# Hooks that call the agent back


async def test_hooks_may_destroy_the_agent() -> None:
    """In the middle of whatever it does; nothing is left, nobody is forgotten."""

    class Suicidal(Agent):
        when = ""

        def create_connection(
            self, options: Mapping[str, Any], callback: ConnectionCallback
        ) -> Any:
            self.maybe("create")
            return super().create_connection(options, callback)

        def keep_socket_alive(self, socket: Socket) -> bool:
            self.maybe("keep")
            return super().keep_socket_alive(socket)

        def reuse_socket(self, socket: Socket, request: PooledRequest) -> None:
            self.maybe("reuse")
            super().reuse_socket(socket, request)

        def maybe(self, now: str) -> None:
            if self.when == now:
                self.destroy()

    async with quiet_server() as target, Suicidal(keep_alive=True) as agent:
        for when in ("create", "keep", "reuse"):
            order = Order()
            if when == "reuse":
                agent.when = ""
                await freed(agent, target)
            agent.when = when
            agent.add_request(order, target)
            while not order.is_settled:
                await checkpoint()
            for socket in order.sockets:
                agent.release(socket, order)
                assert socket.destroyed
            assert bool(order.errors) is (when != "keep")
            assert agent.total_socket_count == 0


async def test_hook_may_take_what_it_keeps() -> None:
    """A request that is added while a socket is put to rest gets just that one."""
    late = Order()

    class Eager(Agent):
        def keep_socket_alive(self, socket: Socket) -> bool:
            if not late.is_settled:
                self.add_request(late, target)
            return super().keep_socket_alive(socket)

    async with quiet_server() as target, Eager(keep_alive=True) as agent:
        socket = await freed(agent, target)
        assert await late.socket() is socket
        assert late.reused_socket


async def test_cancel_inside_reuse_hook() -> None:
    """The socket rests again, watched as before."""

    class Fickle(Agent):
        def reuse_socket(self, socket: Socket, request: PooledRequest) -> None:
            super().reuse_socket(socket, request)
            self.cancel(request)

    async with quiet_server() as target, Fickle(keep_alive=True) as agent:
        socket = await freed(agent, target)
        order = Order()
        agent.add_request(order, target)
        for _ in range(3):
            await checkpoint()
        assert not order.is_settled
        assert agent.free_sockets == {agent.get_name(target): [socket]}
        assert socket.listener_count("error") == 1

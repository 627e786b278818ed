"""Calls and events of agents, as checkers see them.

Only checkers read this file; each `type: ignore` marks an error that both must find.
"""

from collections.abc import Mapping
from typing import Any, assert_type

from headrace import net
from headrace.agent import Agent, ConnectionCallback, PooledRequest


def on_free(socket: net.Socket, options: Mapping[str, Any]) -> None: ...
def on_socket(socket: net.Socket) -> None: ...


def agents() -> None:
    agent = Agent(keep_alive=True, max_sockets=3, host="localhost", timeout=None)
    assert_type(agent.max_sockets, float)
    assert_type(agent.timeout, float | None)
    assert_type(agent.sockets, dict[str, list[net.Socket]])
    agent.max_sockets = 7
    agent.max_sockets = "7"  # type: ignore[assignment]
    Agent(keepAlive=True)  # type: ignore[call-arg]


def agent_events(agent: Agent) -> None:
    assert_type(agent.on("free", on_free), Agent)
    agent.on("free", on_socket)  # type: ignore[call-overload]
    agent.on("fre", on_free)  # type: ignore[call-overload]
    agent.custom.on("fre", on_free)

    @agent.once("free")
    def freed(socket: net.Socket, options: Mapping[str, Any]) -> None: ...


class Request:
    """By shape alone, without the base class."""

    reusable = True
    idle_hint: float | None = None
    reused_socket = False
    consumes = False

    def on_socket(self, socket: net.Socket) -> None: ...
    def on_error(self, error: Exception) -> None: ...


class Derived(PooledRequest):
    def on_socket(self, socket: net.Socket) -> None: ...
    def on_error(self, error: Exception) -> None: ...


def requests(agent: Agent, socket: net.Socket) -> None:
    for request in (Request(), Derived()):
        agent.add_request(request, {"port": 80})
        agent.release(socket, request)
        agent.cancel(request)
    agent.add_request(socket)  # type: ignore[arg-type]


class Returning(Agent):
    def create_connection(
        self, options: Mapping[str, Any], callback: ConnectionCallback
    ) -> net.Socket:
        return net.connect(self.connect_options(options))


class Calling(Agent):
    def create_connection(
        self, options: Mapping[str, Any], callback: ConnectionCallback
    ) -> None:
        callback(None, net.connect(80))
        callback(OSError())
        callback("error")  # type: ignore[arg-type]


class Waiting(Agent):
    async def create_connection(
        self, options: Mapping[str, Any], callback: ConnectionCallback
    ) -> net.Socket:
        return await net.connect(80)

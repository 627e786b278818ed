"""A socket of an agent for the time of an `async with` block."""

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from headrace.agent._protocols import PooledRequest
from headrace.events.loop import Waiter
from headrace.net import Socket

if TYPE_CHECKING:
    from headrace.agent._agent import Agent

__all__ = ["Lease"]


class Lease(PooledRequest):
    """Gives a connected socket to an `async with` block; made by `Agent.lease`.

    Cancelled while it waits, the block's place in the queue is given up. A block that
    ends with an exception, or with bytes left to read or to send, closes the socket.
    """

    def __init__(self, agent: "Agent", options: Mapping[str, Any]) -> None:
        self._agent = agent
        self._options = options
        self._granted: Waiter[Socket] = Waiter()
        self._socket: Socket | None = None

    def on_socket(self, socket: Socket) -> None:
        """Pass the socket to the block."""
        self._socket = socket
        # What the block awaits raises the error.
        socket.on("error", _ignore)
        self._granted.set(socket)

    def on_error(self, error: Exception) -> None:
        """Raise the error in front of the block."""
        self._granted.fail(error)

    async def __aenter__(self) -> Socket:
        self._agent.add_request(self, self._options)
        try:
            socket = await self._granted.wait()
            if isinstance(socket, Socket):
                await socket
        except BaseException:
            self._agent.cancel(self)
            if self._socket is not None:
                self._socket.destroy()
            raise
        return socket

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        socket, self._socket = self._socket, None
        if socket is None:
            return
        if error is None:
            self._agent.release(socket, self)
        else:
            socket.destroy()
        socket.off("error", _ignore)


def _ignore(error: Exception) -> None:
    """Listen to ``error``."""

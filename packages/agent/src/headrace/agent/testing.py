"""Help for tests of agents: a request that keeps what it gets."""

from headrace.agent._protocols import PooledRequest
from headrace.events.loop import Waiter
from headrace.net import Socket

__all__ = ["Order"]


class Order(PooledRequest):
    """A request without a protocol: it keeps the socket until you release it.

    Attributes:
        sockets: The sockets it got: one, if the agent does its job.
        errors: The errors it got instead.
    """

    def __init__(
        self,
        *,
        reusable: bool = True,
        idle_hint: float | None = None,
        consumes: bool = False,
    ) -> None:
        self.reusable = reusable
        self.idle_hint = idle_hint
        self.consumes = consumes
        self.sockets: list[Socket] = []
        self.errors: list[Exception] = []
        self._outcome: Waiter[Socket] = Waiter()

    @property
    def is_settled(self) -> bool:
        """Whether it got a socket or an error."""
        return bool(self.sockets or self.errors)

    async def socket(self) -> Socket:
        """Wait for the socket; raise the error if that came instead."""
        return await self._outcome.wait()

    def on_socket(self, socket: Socket) -> None:
        """Keep the socket."""
        self.sockets.append(socket)
        self._outcome.set(socket)

    def on_error(self, error: Exception) -> None:
        """Keep the error."""
        self.errors.append(error)
        self._outcome.fail(error)

"""The shape of a request, so that the pool needs to know no protocol."""

from typing import Protocol

from headrace.net import Socket

__all__ = ["ConnectionCallback", "PooledRequest", "SocketHolder"]


class SocketHolder(Protocol):
    """Who gives a socket back to its agent, by `Agent.release`.

    Classes that derive from this one inherit the attributes' defaults.

    A holder may have one attribute more, `keeps_watch`: True if it stays the socket's
    receiver while that rests, and destroys it when anything arrives. Then the pool need
    not do that.

    Attributes:
        reusable: Whether the socket can serve another request; read by `release`.
        idle_hint: After how many idle seconds the peer says it will close, if it says
            so; read by `release`.
        consumes: Whether it has called `socket.consume`, and whoever gets the socket
            from it does. It saves the way back to a stream that a socket from the pool
            goes otherwise.

    Source: H-098.
    """

    reusable: bool = True
    idle_hint: float | None = None
    consumes: bool = False


class PooledRequest(SocketHolder, Protocol):
    """What an `Agent` serves: anything that wants a socket for one exchange.

    After `Agent.add_request` exactly one of three things happens: `on_socket`,
    `on_error`, or nothing because `Agent.cancel` came before. Both run on a later tick,
    on behalf of whoever owned the code that added the request.

    A request that has its socket listens to the socket's ``error`` and ``close``. It
    ends the exchange by `Agent.release`, or by destroying the socket. It may name
    another holder to do that: what `on_socket` returns. Then the pool does not refer to
    the request any more, and it can be collected when its user forgets it.

    A request may have one attribute more, `fresh`: True if a socket that has been free
    will not do, because one was found closed when it was used. And another, `home`: the
    running loop's `Loop`, if the request knows it and so saves the agent asking.

    Attributes:
        reused_socket: Whether the socket has served requests before; set before
            `on_socket`. If such a socket fails before the first byte of an answer, the
            peer may have closed it while it was idle.
        consumes: Whether `on_socket` always calls `socket.consume`.

    Source: H-096.
    """

    reused_socket: bool = False

    def on_socket(self, socket: Socket) -> SocketHolder | None:
        """Take the socket: new and perhaps still connecting, or used before.

        Returns:
            Who gives it back; None: this request.
        """
        ...

    def on_error(self, error: Exception) -> None:
        """Take note that there is no socket, and why."""
        ...


class ConnectionCallback(Protocol):
    """How `Agent.create_connection` can give a socket later."""

    def __call__(
        self, error: Exception | None, socket: Socket | None = None, /
    ) -> None:
        """Give an error, or `None` and the socket. Only the first call counts."""
        ...

"""One call of `Agent.create_connection`, and what may come of it."""

from inspect import CORO_CREATED, getcoroutinestate
from typing import TYPE_CHECKING

from headrace.agent._errors import InvalidReturnValueError
from headrace.agent._watch import destroy
from headrace.events import EventEmitter
from headrace.events.loop import current
from headrace.net import Socket

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from headrace.agent._loop_pool import LoopPool, Place
    from headrace.events.loop import Task

__all__ = ["Attempt"]


class Attempt:
    """The callback of one call of the hook: the first answer counts.

    A socket that comes too late, or together with an error, is closed.
    """

    __slots__ = ("_connection", "_making", "_pool", "_socket")

    def __init__(self, pool: "LoopPool", connection: "Place") -> None:
        self._pool = pool
        self._connection: Place | None = connection
        self._socket: Socket | None = None
        self._making: Coroutine[Any, Any, Socket | None] | None = None

    def __call__(
        self, error: Exception | None = None, socket: "Socket | None" = None, /
    ) -> None:
        """Give an error, or `None` and the socket.

        Without arguments it is a listener of ``connect`` of the socket that the hook
        has returned: ``return net.connect(options, callback)``.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            self._refuse(socket)
            return
        if error is None and type(socket) is Socket and not self._pool.has(socket):
            self._socket = socket  # as nearly always
            self._pool.made(connection, socket)
            return
        problem = self._problem(error, socket)
        if problem is None and socket is not None:
            self._socket = socket
            self._pool.made(connection, socket)
        elif problem is not None:
            self._refuse(socket)
            self._pool.failed(connection, problem)

    def _problem(self, error: object, socket: "Socket | None") -> Exception | None:
        if isinstance(error, Exception):
            return error
        if error is not None:
            return InvalidReturnValueError("an exception", error)
        if not _is_stream(socket):
            return InvalidReturnValueError("a stream", socket)
        if socket is not None and self._pool.has(socket):
            return InvalidReturnValueError("a socket that is not pooled yet", socket)
        return None

    def _refuse(self, socket: "Socket | None") -> None:
        if socket is None or not _is_stream(socket):
            return
        # The same socket may come by the callback and as the result, too.
        if socket is not self._socket and not self._pool.has(socket):
            destroy(socket)

    def begin(self, making: "Coroutine[Any, Any, Socket | None]") -> "Task":
        """Run an `async def` hook in a task of its own."""
        self._making = making
        return current().spawn(self._wait(making))

    async def _wait(self, making: "Coroutine[Any, Any, Socket | None]") -> None:
        try:
            socket = await making
        except Exception as error:
            self(error)
        else:
            if socket is not None:
                self(None, socket)
        finally:
            self._pool.hook_ended(self)

    def give_up(self, task: "Task") -> None:
        """Cancel the hook, and close whatever comes of it all the same."""
        self._connection = None
        task.cancel()
        if self._making is not None and getcoroutinestate(self._making) == CORO_CREATED:
            self._making.close()


def _is_stream(value: object) -> bool:
    return isinstance(value, EventEmitter) and hasattr(value, "destroyed")

"""The pool of one agent on one loop: does with sockets what `_pool` decides.

Steps are done one after another, never one inside another: a hook that calls the agent
back adds its steps behind those that are there. Whatever a hook raises, the books are
right before and after it.

Source: H-019, H-097 to H-104.
"""

import inspect
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.agent._attempt import Attempt
from headrace.agent._errors import (
    AgentDestroyedError,
    InvalidReturnValueError,
    SocketClosedError,
)
from headrace.agent._pool import Claim, Connection, Do, Pool, Steps, idle_limit
from headrace.agent._protocols import PooledRequest
from headrace.agent._state import State
from headrace.agent._watch import Watch, destroy
from headrace.events import EventEmitter
from headrace.events.loop import Loop, Timer
from headrace.net import Socket

if TYPE_CHECKING:
    from headrace.agent._agent import Agent

__all__ = ["LoopPool", "Place"]

Place: TypeAlias = Connection[Socket, PooledRequest]
Ticket: TypeAlias = Claim[Socket, PooledRequest]


class LoopPool:
    """Sockets and requests of one agent on one loop.

    It is kept in `Loop.locals` while it is not empty. So a loop that ends takes its
    pool with it, and an agent that nobody uses any more leaves nothing behind.

    Attributes:
        books: Who waits, works and rests.
    """

    __slots__ = (
        "_agent",
        "_due",
        "_loop",
        "_performing",
        "_timer",
        "_todo",
        "_watches",
        "books",
    )

    def __init__(self, agent: "Agent", loop: Loop) -> None:
        self._agent = agent
        self._loop = loop
        self.books: Pool[Socket, PooledRequest] = Pool(agent._settings)
        self._watches: dict[Socket, Watch] = {}
        self._todo: deque[tuple[Do, Place]] = deque()
        self._performing = False
        self._timer: Timer | None = None
        self._due = math.inf
        loop.locals[agent] = self

    def __repr__(self) -> str:
        books = self.books
        waiting = sum(map(len, books.requests().values()))
        free = sum(map(len, books.free_sockets().values()))
        return f"busy={books.size - free} free={free} waiting={waiting}"

    # Requests

    def add(
        self, request: PooledRequest, name: str, options: Mapping[str, Any]
    ) -> None:
        """Take in a request."""
        loop = self._loop
        now = -math.inf if self._timer is None else loop.time()
        self._perform(self.books.add(request, name, options, loop.owner, now))

    def cancel(self, request: PooledRequest) -> None:
        """Take out a request that has no socket yet."""
        self._perform(self.books.cancel(request))

    def release(self, socket: Socket, request: PooledRequest) -> None:
        """Take a socket back from its request."""
        watch = self._watches.get(socket)
        if watch is None:
            destroy(socket)
            return
        connection = watch.connection
        claim = connection.claim
        if (
            connection.state is not State.WORKING
            or claim is None
            or claim.request is not request
        ):
            return  # given back before: it may serve another request by now
        reusable = request.reusable and watch.is_clean()
        watch.hint = request.idle_hint
        options = connection.options
        self._perform(self.books.release(connection, reusable=reusable))
        if reusable:
            self._call(self._agent.emit, "free", socket, options)

    def destroy(self) -> None:
        """Part with everything; requests without a socket fail."""
        steps, claims = self.books.clear()
        for _, connection in steps:
            connection.error = AgentDestroyedError()
        self._perform(steps)
        for claim in claims:
            self._fail(claim, AgentDestroyedError())

    # What happens to sockets

    def lost(self, watch: Watch) -> None:
        """Note that a socket has closed."""
        socket, connection = watch.socket, watch.connection
        self._watches.pop(socket, None)
        error = socket.errored
        self._perform(
            self.books.lost(connection, error if isinstance(error, Exception) else None)
        )

    def spoil(self, watch: Watch, error: Exception | None = None) -> None:
        """Close a socket that is not fit for work any more."""
        steps = self.books.lost(watch.connection, error)
        self._discard(watch)
        self._perform(steps)

    def remove(self, watch: Watch) -> None:
        """Let a socket go on outside of the pool."""
        del self._watches[watch.socket]
        watch.end()
        if watch.parked:
            watch.parked = False
            watch.socket.ref()
        self._perform(self.books.remove(watch.connection))

    def _discard(self, watch: Watch) -> None:
        if self._watches.pop(watch.socket, None) is not None:
            watch.destroy()

    # Steps

    def _perform(self, steps: Steps[Socket, PooledRequest]) -> None:
        todo = self._todo
        todo.extend(steps)
        if self._performing:
            return
        self._performing = True
        try:
            while todo:
                do, connection = todo.popleft()
                if do is Do.HAND_OVER:
                    self._hand_over(connection)
                elif do is Do.REST:
                    self._rest(connection)
                elif do is Do.CLOSE:
                    self._close(connection)
                elif do is Do.CONNECT:
                    self._connect(connection)
                elif connection.claim is not None:  # FAIL
                    claim, connection.claim = connection.claim, None
                    self._fail(claim, connection.error or SocketClosedError())
        finally:
            self._performing = False
        if self.books.is_empty:
            self._forget()

    def _forget(self) -> None:
        if self._loop.locals.get(self._agent) is self:
            del self._loop.locals[self._agent]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, claim: Ticket, error: Exception) -> None:
        on_error = claim.request.on_error
        self._loop.next_tick_for(claim.context, on_error, error)

    def _close(self, connection: Place) -> None:
        socket = connection.socket
        if socket is not None:
            watch = self._watches.get(socket)
            if watch is None:
                destroy(socket)
            else:
                self._discard(watch)

    def _hand_over(self, connection: Place) -> None:
        claim, socket = connection.claim, connection.socket
        if claim is None or socket is None:
            return
        if connection.state is State.PROMISED:
            self._watches[socket].guard()
        self._loop.next_tick_for(claim.context, self._deliver, connection, claim)

    def _deliver(self, connection: Place, claim: Ticket) -> None:
        """Give the socket to its request: the tick that `_hand_over` asked for."""
        socket, request = connection.socket, claim.request
        if connection.claim is not claim or socket is None:
            return
        watch = self._watches.get(socket)
        if watch is not None and not self._make_ready(watch, request):
            return
        if not self.books.deliver(connection, claim):
            return  # the hook has changed things
        if socket.destroyed:  # it was taken out of the pool, and then closed
            request.on_error(_error_of(socket) or SocketClosedError())
            return
        request.reused_socket = connection.served > 0
        try:
            request.on_socket(socket)
        except BaseException:
            destroy(socket)  # nobody will give it back
            raise

    def _make_ready(self, watch: Watch, request: PooledRequest) -> bool:
        """Tell whether the socket can go to work, with all listeners of ours off."""
        socket, state = watch.socket, watch.connection.state
        if socket.destroyed or (state is State.PROMISED and not watch.is_fit()):
            self.spoil(watch, _error_of(socket))
            return False
        watch.unwatch(stays_raw=request.consumes)
        watch.unguard()
        if watch.parked:
            watch.parked = False
            try:
                self._agent.reuse_socket(socket, request)
            except Exception as error:
                self._loop.report(error, self._agent)
                self.spoil(watch)
                return False
        return True

    def _rest(self, connection: Place) -> None:
        socket = connection.socket
        if connection.state is not State.RESTING or socket is None:
            return
        agent, watch = self._agent, self._watches[socket]
        watch.guard()
        settings = agent._settings
        limit = idle_limit(
            settings.timeout, watch.hint, settings.agent_keep_alive_timeout_buffer
        )
        watch.parked = limit > 0
        if limit <= 0 or not self._call(agent.keep_socket_alive, socket):
            if self._watches.get(socket) is watch:
                self.spoil(watch)
        elif connection.state is State.RESTING:
            watch.watch()
            if limit < math.inf:
                connection.deadline = self._loop.time() + limit
                self._arm(connection.deadline)

    def _connect(self, connection: Place) -> None:
        if connection.state is State.GONE:
            return
        if connection.claim is None:  # cancelled before anything was done for it
            self._perform(self.books.lost(connection))
            return
        loop, attempt = self._loop, Attempt(self, connection)
        # Nobody's: the socket outlives the code that asked for it.
        owner, loop.owner = loop.owner, None
        try:
            made = self._agent.create_connection(connection.options, attempt)
            if isinstance(made, EventEmitter):
                attempt(None, made)
            elif inspect.iscoroutine(made):
                loop.spawn(attempt.wait(made))
            elif made is not None:
                attempt(InvalidReturnValueError("a stream", made))
        except Exception as error:
            attempt(error)
        finally:
            loop.owner = owner

    def has(self, socket: Socket) -> bool:
        """Tell whether a socket is in the pool."""
        return socket in self._watches

    def made(self, connection: Place, socket: Socket) -> None:
        """Take in a socket that was made for `connection`."""
        if socket.destroyed:
            error = _error_of(socket) or SocketClosedError()
            self._perform(self.books.lost(connection, error))
        else:
            if connection.state is not State.GONE:
                watch = self._watches[socket] = Watch(self, connection, socket)
                watch.begin()
            self._perform(self.books.connected(connection, socket))

    def failed(self, connection: Place, error: Exception) -> None:
        """Note that no socket could be made for `connection`."""
        self._perform(self.books.lost(connection, error))

    # Time

    def _arm(self, due: float) -> None:
        """See to it that `_expire` runs at `due`, or before."""
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        loop, self._due = self._loop, due
        owner, loop.owner = loop.owner, None
        delay = max(0.0, due - loop.time())
        self._timer = loop.call_later(delay, self._expire).unref()
        loop.owner = owner

    def _expire(self) -> None:
        self._timer = None
        steps, earliest = self.books.expire(self._loop.time())
        self._perform(steps)
        if earliest < math.inf:
            self._arm(earliest)

    # Other people's code

    def _call(self, hook: Callable[..., object], *args: object) -> bool:
        """Call a hook or listener from where its exception could do harm."""
        try:
            return bool(hook(*args))
        except Exception as error:
            self._loop.report(error, self._agent)
            return False


def _error_of(socket: Socket) -> Exception | None:
    error = socket.errored
    return error if isinstance(error, Exception) else None

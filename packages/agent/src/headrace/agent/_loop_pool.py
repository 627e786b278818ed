"""The pool of one agent on one loop: does with sockets what `_pool` decides.

Steps are done one after another, never one inside another: a hook that calls the agent
back adds its steps behind those that are there. Whatever a hook raises, the books are
right before and after it.

Source: H-019, H-097 to H-104.
"""

import inspect
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from headrace.agent._attempt import Attempt
from headrace.agent._errors import (
    AgentDestroyedError,
    InvalidReturnValueError,
    RequestPendingError,
    SocketClosedError,
)
from headrace.agent._pool import (
    CLOSE,
    CONNECT,
    HAND_OVER,
    REST,
    Claim,
    Connection,
    Do,
    Pool,
    Steps,
    idle_limit,
)
from headrace.agent._protocols import PooledRequest, SocketHolder
from headrace.agent._state import State
from headrace.agent._watch import Watch, destroy, error_of
from headrace.events import EventEmitter
from headrace.events.loop import Loop, Task, Timer
from headrace.net import Socket

if TYPE_CHECKING:
    from headrace.agent._agent import Agent

__all__ = ["LoopPool", "Place"]

Place: TypeAlias = Connection[Watch, PooledRequest]
Ticket: TypeAlias = Claim[Watch, PooledRequest]

_ALWAYS: Final = -math.inf
_NEVER: Final = math.inf
_ABANDONED: Final = State.ABANDONED
_GONE: Final = State.GONE
_PROMISED: Final = State.PROMISED
_RESTING: Final = State.RESTING
_WORKING: Final = State.WORKING


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
        "_failing",
        "_hooks",
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
        self.books: Pool[Watch, PooledRequest] = Pool(agent._settings)
        self._watches: dict[Socket, Watch] = {}
        # By id(request): the tick of their `on_error` has not come.
        self._failing: dict[int, Ticket] = {}
        # The hooks at work that can be cancelled.
        self._hooks: dict[Attempt, tuple[Place, Task]] = {}
        self._todo: list[tuple[Do, Place]] = []
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
        if self._failing and id(request) in self._failing:
            raise RequestPendingError(request)
        now = _ALWAYS if self._timer is None else loop.time()
        fresh = getattr(request, "fresh", False)
        owner = loop.owner
        if not (self._performing or fresh):
            connection = self.books.take(request, name, options, owner, now)
            if connection is not None:  # `_hand_over`, without a call
                claim = connection.claim
                loop.next_tick_for(owner, self._deliver, connection, claim)
                return
        self._perform(self.books.add(request, name, options, owner, now, fresh=fresh))

    def cancel(self, request: PooledRequest) -> None:
        """Take out a request that has no socket yet, and no error."""
        self._failing.pop(id(request), None)
        self._perform(self.books.cancel(request))
        for attempt, (connection, task) in list(self._hooks.items()):
            if connection.state is _ABANDONED and not connection.group.waiting:
                self.hook_ended(attempt)
                attempt.give_up(task)
                self._perform(self.books.lost(connection))

    def hook_ended(self, attempt: Attempt) -> None:
        """Note that an `async def` hook has returned, or was cancelled."""
        self._hooks.pop(attempt, None)

    def release(self, socket: Socket, holder: SocketHolder) -> None:
        """Take a socket back from whoever holds it."""
        watch = self._watches.get(socket)
        if watch is None:
            destroy(socket)
            return
        connection = watch.connection
        if connection.holder is not holder:
            return  # given back before: it serves another one by now
        watch.hint = holder.idle_hint
        watch.is_kept = getattr(holder, "keeps_watch", False)
        if not (holder.reusable and watch.is_clean(was_raw=holder.consumes)):
            self._perform(self.books.release(connection, reusable=False))
            return
        options = connection.options
        if not self._performing and self.books.release_to_rest(connection):
            self._let_rest(connection, watch)
        else:
            self._perform(self.books.release(connection, reusable=True))
        if "free" in self._agent._listeners:
            try:
                self._agent.emit("free", socket, options)
            except Exception as error:
                self._loop.report(error, self._agent)

    def destroy(self) -> None:
        """Part with everything; requests without a socket fail."""
        hooks, self._hooks = self._hooks, {}
        for attempt, (_, task) in hooks.items():
            attempt.give_up(task)
        steps, claims = self.books.clear()
        for claim in claims:
            self._fail(claim, AgentDestroyedError())
        self._perform(steps)

    # What happens to sockets

    def has(self, socket: Socket) -> bool:
        """Tell whether a socket is in the pool."""
        return socket in self._watches

    def made(self, connection: Place, socket: Socket) -> None:
        """Take in a socket that was made for `connection`."""
        if socket.destroyed:
            destroy(socket)  # an error that it is still to tell of is the request's
            self.failed(connection, error_of(socket) or SocketClosedError())
        elif connection.state is _GONE:
            destroy(socket)
        else:
            watch = self._watches[socket] = Watch(self, connection, socket)
            watch.begin()
            self._perform(self.books.connected(connection, watch))

    def failed(self, connection: Place, error: Exception) -> None:
        """Note that no socket could be made for `connection`."""
        self._perform(self.books.lost(connection, error))

    def spoil(self, watch: Watch, error: Exception | None = None) -> None:
        """Close a socket that is not fit for work, or has closed by itself."""
        steps = self.books.lost(watch.connection, error)
        self._part_with(watch)
        self._perform(steps)

    def remove(self, watch: Watch) -> None:
        """Let a socket go on outside of the pool."""
        del self._watches[watch.socket]
        watch.end()
        self._perform(self.books.remove(watch.connection))

    def _part_with(self, watch: Watch) -> None:
        if self._watches.pop(watch.socket, None) is not None:
            watch.destroy()
            watch.connection.socket = None  # no cycle: both go with the last step

    # Steps

    def _perform(self, steps: Steps[Watch, PooledRequest]) -> None:
        """Do `steps`, or have the call that is doing some do them afterwards."""
        if self._performing:
            self._todo += steps
            return
        self._performing = True
        try:
            while steps:
                for do, connection in steps:
                    if do is HAND_OVER:
                        self._hand_over(connection)
                    elif do is REST:
                        self._rest(connection)
                    elif do is CONNECT:
                        self._connect(connection)
                    elif do is CLOSE:
                        self._close(connection)
                    else:
                        self._disappoint(connection)
                steps = self._todo
                if steps:
                    self._todo = []
        finally:
            self._performing = False
        if not self.books.size:
            self._maybe_forget()

    def _maybe_forget(self) -> None:
        if self._failing or not self.books.is_empty:
            return
        if self._loop.locals.get(self._agent) is self:
            del self._loop.locals[self._agent]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, claim: Ticket, error: Exception) -> None:
        self._failing[id(claim.request)] = claim
        self._loop.next_tick_for(claim.context, self._tell, claim, error)

    def _tell(self, claim: Ticket, error: Exception) -> None:
        key = id(claim.request)
        if self._failing.get(key) is claim:
            del self._failing[key]
            self._maybe_forget()
            claim.request.on_error(error)

    def _disappoint(self, connection: Place) -> None:
        claim, connection.claim = connection.claim, None
        if claim is not None:
            self._fail(claim, connection.error or SocketClosedError())

    def _close(self, connection: Place) -> None:
        watch = connection.socket
        if watch is not None and self.has(watch.socket):
            self._part_with(watch)
        elif watch is not None:  # taken out, and its request does not want it
            destroy(watch.socket)

    def _hand_over(self, connection: Place) -> None:
        watch, claim = connection.socket, connection.claim
        if watch is None or claim is None:
            return
        if not watch.guards:
            watch.guard()
        self._loop.next_tick_for(claim.context, self._deliver, connection, claim)

    def _deliver(self, connection: Place, claim: Ticket | None) -> None:
        """Give the socket to its request: the tick that a HAND_OVER asked for."""
        watch = connection.socket
        if watch is None or claim is None or connection.claim is not claim:
            return
        socket, request, state = watch.socket, claim.request, connection.state
        usable = watch.is_fit() if state is _PROMISED else not socket.destroyed
        if not usable:
            self._withdraw(watch, claim)
            return
        if state is not _GONE:  # else it was taken out after the promise
            watch.wake(stays_raw=request.consumes)
            if watch.parked:
                watch.parked = False
                try:
                    self._agent.reuse_socket(socket, request)
                except Exception as error:
                    self._loop.report(error, self._agent)
                    self.spoil(watch)
                    return
        if not self.books.deliver(connection, claim):
            return  # the hook has changed things
        request.reused_socket = connection.served > 0
        try:
            holder = request.on_socket(socket)
        except BaseException:
            destroy(socket)  # nobody will give it back
            raise
        if holder is not None and connection.holder is request:
            connection.holder = holder

    def _withdraw(self, watch: Watch, claim: Ticket) -> None:
        """Find another socket for a claim; or none, if it has no place in the pool."""
        connection, error = watch.connection, error_of(watch.socket)
        if connection.state is not _GONE:
            self.spoil(watch, error)
        elif self.books.deliver(connection, claim):
            claim.request.on_error(error or SocketClosedError())

    def _rest(self, connection: Place) -> None:
        watch = connection.socket
        if watch is not None and connection.state is _RESTING:
            self._let_rest(connection, watch)

    def _let_rest(self, connection: Place, watch: Watch) -> None:
        """Prepare a socket for resting, and see to its end if it rests too long."""
        watch.guards = True
        if not watch.hears_errors:
            watch.guard()
        settings, hint = self._agent._settings, watch.hint
        limit = settings.timeout or _NEVER
        if hint is not None:
            margin = settings.agent_keep_alive_timeout_buffer
            limit = idle_limit(settings.timeout, hint, margin)
        watch.parked = True
        try:
            stays = limit > 0 and self._agent.keep_socket_alive(watch.socket)
        except Exception as error:
            self._loop.report(error, self._agent)
            stays = False
        if not stays:
            self.spoil(watch)
        elif connection.state is _RESTING:  # the hook may have put it to work
            if not watch.is_kept:
                watch.watch()
            own = getattr(watch.socket, "_timeout", None)
            if own and own != settings.timeout:
                # The hook has chosen another time, which the socket itself keeps.
                limit = idle_limit(None, hint, settings.agent_keep_alive_timeout_buffer)
            if limit < _NEVER:
                due = connection.deadline = self._loop.time() + limit
                if self._timer is None or due < self._due:
                    self._arm(due)

    def _connect(self, connection: Place) -> None:
        if connection.state is _GONE:
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
                task = attempt.begin(made)
                if not task.done:
                    self._hooks[attempt] = connection, task
            elif made is not None:
                attempt(InvalidReturnValueError("a stream", made))
        except Exception as error:
            attempt(error)
        finally:
            loop.owner = owner

    # Time

    def _arm(self, due: float) -> None:
        """See to it that `_expire` runs at `due`, or before."""
        if self._timer is not None:
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

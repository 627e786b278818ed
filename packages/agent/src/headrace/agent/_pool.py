"""Who waits, who works, who rests: the decisions of a pool, without any I/O.

A *claim* is one request for a socket, a *connection* is one place in the pool, and a
*group* holds both for one name. Each method changes the books first and returns
*steps*: what the caller must do now, in order, and after the steps of earlier calls.
Between steps the caller may run anybody's code and call any method: the books are
always right, and a step that was overtaken is known by `Connection.claim` and `.state`.

Rules that hold between any two calls:

- No name has more than `max_sockets` connections and all names together no more than
  `max_total_sockets`, unless a limit was lowered below what was there already.
- A claim that waits has a reason: its name is full, or all names together are and no
  connection rests. So a place that becomes free always reaches somebody who waits.
- Of one name, connections never rest while claims wait.

Source: H-093 to H-103, X-057, X-058, X-060.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final, Generic, TypeVar

from headrace.agent._errors import RequestPendingError
from headrace.agent._state import MOVES, Move, State, advance

__all__ = ["Claim", "Connection", "Do", "Limits", "Pool", "Steps", "idle_limit"]

S = TypeVar("S")  # a socket
R = TypeVar("R")  # a request
Options = Mapping[str, Any]


class Do(Enum):
    """What the caller must do with a connection."""

    CONNECT = auto()  #: make a socket for its claim; then call `connected` or `lost`
    HAND_OVER = auto()  #: on the next tick call `deliver`, and give the socket away
    REST = auto()  #: watch the socket; `lost` if it may not stay
    CLOSE = auto()  #: destroy the socket
    FAIL = auto()  #: tell the request of its claim that it gets no socket


# A name of a module costs half of what a member of an Enum costs to look up.
CONNECT: Final = Do.CONNECT
HAND_OVER: Final = Do.HAND_OVER
REST: Final = Do.REST
CLOSE: Final = Do.CLOSE
FAIL: Final = Do.FAIL
_PROMISE: Final = Move.PROMISE
# The moves of every exchange, looked up once.
_PROMISED_AT_REST: Final = MOVES[State.RESTING, Move.PROMISE]
_RESTING_AFTER_WORK: Final = MOVES[State.WORKING, Move.REST]
_DELIVER: Final = Move.DELIVER
_LEAVE: Final = Move.LEAVE
_REST: Final = Move.REST
_CONNECTING: Final = State.CONNECTING
_NEVER: Final = math.inf
_GONE: Final = State.GONE
_RESTING: Final = State.RESTING
_WORKING: Final = State.WORKING


class Limits:
    """How much a pool may hold; may change at any time, and counts from then on."""

    __slots__ = (
        "keep_alive",
        "max_free_sockets",
        "max_sockets",
        "max_total_sockets",
        "scheduling",
    )

    def __init__(self) -> None:
        self.keep_alive = False
        self.max_sockets: float = math.inf
        self.max_free_sockets: float = 256
        self.max_total_sockets: float = math.inf
        self.scheduling = "lifo"


class Claim(Generic[S, R]):
    """One request for a socket, from `add` until it has the socket or an error."""

    __slots__ = ("connection", "context", "fresh", "group", "options", "request")

    def __init__(
        self,
        request: R,
        group: "Group[S, R]",
        options: Options,
        context: Any,
        fresh: bool = False,
    ) -> None:
        self.request = request
        self.fresh = fresh  # a connection that has rested will not do
        self.group = group
        self.options = options
        self.context = context
        self.connection: Connection[S, R] | None = None  # None: it waits


class Connection(Generic[S, R]):
    """One place in the pool, and the socket in it.

    Attributes:
        state: Where it stands.
        claim: Whom it is made for, or promised to. A connection that is GONE keeps it
            while the caller still owes that request its socket or an error.
        holder: Who will give the socket back, while WORKING: the request, or whom it
            has named instead.
        options: What the last claim on it asked for.
        served: How many requests are done with it.
        error: Why it is GONE, for the request that fails with it.
        deadline: When a RESTING connection has rested long enough.
    """

    __slots__ = (
        "claim",
        "deadline",
        "error",
        "group",
        "holder",
        "options",
        "rested",
        "served",
        "socket",
        "state",
    )

    def __init__(self, claim: Claim[S, R]) -> None:
        self.state = _CONNECTING
        self.group = claim.group
        self.claim: Claim[S, R] | None = claim
        self.holder: object = None
        self.options = claim.options
        self.socket: S | None = None
        self.served = 0
        self.rested = 0  # counts up over the whole pool: who has rested longest
        self.deadline = math.inf
        self.error: Exception | None = None


class Group(Generic[S, R]):
    """All that has one name."""

    __slots__ = ("busy", "free", "name", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.busy: dict[Connection[S, R], None] = {}
        self.free: list[Connection[S, R]] = []  # the one that has rested longest first
        # By id(request): a request need not be hashable. An OrderedDict, because a dict
        # becomes slow as a queue: its first key lies behind all the deleted ones.
        self.waiting: OrderedDict[int, Claim[S, R]] = OrderedDict()

    @property
    def size(self) -> int:
        """How many connections have this name."""
        return len(self.busy) + len(self.free)


Steps = Sequence[tuple[Do, Connection[S, R]]]
_Todo = list[tuple[Do, Connection[S, R]]]


class Pool(Generic[S, R]):
    """The books of one pool. Sockets and requests are only kept and handed around.

    Attributes:
        limits: What it may hold.
        size: How many connections it has.
    """

    __slots__ = ("_claims", "_groups", "_rests", "_starved", "limits", "size")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.size = 0
        self._groups: dict[str, Group[S, R]] = {}
        # By id(request), until the request has its socket.
        self._claims: dict[int, Claim[S, R]] = {}
        # Groups that wait for a place in `max_total_sockets`, in turn.
        self._starved: OrderedDict[Group[S, R], None] = OrderedDict()
        self._rests = 0

    # Facts

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a connection nor a claim."""
        return not (self._groups or self._claims)

    def sockets(self) -> dict[str, list[S]]:
        """Return the sockets that are given or promised to requests, by name."""
        return {
            name: sockets
            for name, group in self._groups.items()
            if (sockets := [c.socket for c in group.busy if c.socket is not None])
        }

    def free_sockets(self) -> dict[str, list[S]]:
        """Return the sockets that rest, the one that has rested longest first."""
        return {
            name: [c.socket for c in group.free if c.socket is not None]
            for name, group in self._groups.items()
            if group.free
        }

    def requests(self) -> dict[str, list[R]]:
        """Return the requests that wait, in the order in which they get their turn."""
        return {
            name: [claim.request for claim in group.waiting.values()]
            for name, group in self._groups.items()
            if group.waiting
        }

    # Requests

    def add(
        self,
        request: R,
        name: str,
        options: Options,
        context: Any = None,
        now: float = -math.inf,
        *,
        fresh: bool = False,
    ) -> Steps[S, R]:
        """Take in a request: it gets a resting connection, a new one, or waits.

        Args:
            request: Who wants a socket.
            name: Which connections will do.
            options: How to make a new one.
            context: Kept on the claim for the caller.
            now: The time; connections that have rested too long by then are closed.
            fresh: Whether a connection that has rested will not do.

        Raises:
            RequestPendingError: If the request is here already and has no socket yet.

        Source: H-097.
        """
        key = id(request)
        if key in self._claims:
            raise RequestPendingError(request)
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(name)
        claim = self._claims[key] = Claim(request, group, options, context, fresh)
        if (  # `_place`, without a call, where there is room and nobody waits
            not (group.free or group.waiting or self._starved)
            and len(group.busy) < self.limits.max_sockets
            and self.size < self.limits.max_total_sockets
        ):
            return (self._begin(claim),)
        return self._place(claim, now)

    def take(
        self, request: R, name: str, options: Options, context: Any, now: float
    ) -> Connection[S, R] | None:
        """Promise a resting connection to a request, if the first one will do.

        For most requests that is what `add` would do, without steps.

        Returns:
            The connection, to be handed over; None if nothing was done.
        """
        group = self._groups.get(name)
        if group is None or not group.free:
            return None
        free, key = group.free, id(request)
        index = 0 if self.limits.scheduling == "fifo" else -1
        connection = free[index]
        if connection.deadline <= now or key in self._claims:
            return None
        claim = self._claims[key] = Claim(request, group, options, context)
        del free[index]
        group.busy[connection] = None
        connection.state = _PROMISED_AT_REST
        connection.claim = claim
        connection.options = options
        claim.connection = connection
        return connection

    def cancel(self, request: R) -> Steps[S, R]:
        """Take out a request that has no socket yet; others are not touched.

        A socket that is still being made for it, or was promised to it, goes to the
        next request of the name, or rests, or is closed.
        """
        claim = self._claims.pop(id(request), None)
        if claim is None:
            return ()
        connection = claim.connection
        if connection is None:
            group = claim.group
            del group.waiting[id(request)]
            self._tidy(group)
            return ()
        connection.claim = None
        if connection.socket is None:
            connection.state = advance(connection.state, Move.ABANDON)
            return ()
        if connection.state is _GONE:  # taken out of the pool after the promise
            return ((CLOSE, connection),)
        return self._pass_on(connection)

    # Connections

    def connected(self, connection: Connection[S, R], socket: S) -> Steps[S, R]:
        """Take in the socket that was made for `connection`."""
        connection.socket = socket
        if connection.state is _GONE:
            return ((CLOSE, connection),)
        if connection.claim is None:
            return self._pass_on(connection)
        return ((HAND_OVER, connection),)

    def deliver(self, connection: Connection[S, R], claim: Claim[S, R]) -> bool:
        """Tell whether `claim` still is to get the socket, and note that it has it."""
        key = id(claim.request)
        if connection.claim is not claim or self._claims.get(key) is not claim:
            return False
        del self._claims[key]
        connection.claim = None
        if connection.state is not _GONE:  # else taken out: the request has it anyway
            connection.state = MOVES[connection.state, _DELIVER]
            connection.holder = claim.request
        return True

    def release(self, connection: Connection[S, R], *, reusable: bool) -> Steps[S, R]:
        """Take a WORKING connection back from its holder.

        Source: H-091, H-094, H-098.
        """
        connection.holder = None
        connection.served += 1
        if reusable:
            return self._pass_on(connection)
        return self._close(connection)

    def release_to_rest(self, connection: Connection[S, R]) -> bool:
        """Do as `release` of a reusable one if it rests then, and nothing else happens.

        That is so for most of them, and needs no steps but one.

        Returns:
            Whether it is so: the step is REST; else nothing was done.
        """
        if not self._lay_down(connection):
            return False
        connection.holder = None
        connection.served += 1
        return True

    def lost(
        self, connection: Connection[S, R], error: Exception | None = None
    ) -> Steps[S, R]:
        """Note that a connection failed or closed, or may not rest.

        The request that it was made for, and that has not got it, fails. One that it
        was promised to is served anew, before all that wait.

        Source: H-100 to H-102.
        """
        state, claim = connection.state, connection.claim
        if state is _GONE:
            return ()
        todo: _Todo[S, R] = []
        connection.error = error
        self._leave(connection)
        if claim is not None and state is State.CONNECTING:
            del self._claims[id(claim.request)]
            todo.append((FAIL, connection))
        elif claim is not None and state is State.PROMISED:
            connection.claim = None
            todo += self._place(claim, first=True)
        todo += self._serve_freed(connection.group)
        return todo

    def remove(self, connection: Connection[S, R]) -> Steps[S, R]:
        """Take a connection out; its request keeps the socket, or still gets it.

        Source: H-101.
        """
        if connection.state is _GONE:
            return ()
        self._leave(connection)
        return self._serve_freed(connection.group)

    def expire(self, now: float) -> tuple[Steps[S, R], float]:
        """Part with connections that have rested long enough.

        Returns:
            The steps, and when to call this again.
        """
        todo: _Todo[S, R] = []
        earliest = math.inf
        for group in list(self._groups.values()):
            for connection in list(group.free):
                if connection.deadline <= now:
                    self._leave(connection)
                    todo.append((CLOSE, connection))
                else:
                    earliest = min(earliest, connection.deadline)
            self._tidy(group)
        return todo, earliest

    def clear(self) -> tuple[Steps[S, R], Sequence[Claim[S, R]]]:
        """Part with everything.

        Returns:
            The steps, and the claims that have no socket: they fail.

        Source: H-103.
        """
        todo: _Todo[S, R] = []
        failed: list[Claim[S, R]] = []
        for group in self._groups.values():
            for connection in [*group.busy, *group.free]:
                claim, connection.claim = connection.claim, None
                connection.holder = None
                if claim is not None:
                    failed.append(claim)
                if connection.socket is not None:
                    todo.append((CLOSE, connection))
                connection.state = advance(connection.state, Move.LEAVE)
            group.busy.clear()  # they refer to the group
            group.free.clear()
            failed += group.waiting.values()
        for claim in failed:
            del self._claims[id(claim.request)]
        self._groups.clear()
        self._starved.clear()
        self.size = 0
        return todo, failed

    # Moves

    def _connect(self, group: Group[S, R]) -> tuple[Do, Connection[S, R]]:
        _, claim = group.waiting.popitem(last=False)
        return self._begin(claim)

    def _begin(self, claim: Claim[S, R]) -> tuple[Do, Connection[S, R]]:
        connection = claim.connection = Connection(claim)
        claim.group.busy[connection] = None
        self.size += 1
        return CONNECT, connection

    def _promise(
        self, connection: Connection[S, R], claim: Claim[S, R]
    ) -> tuple[Do, Connection[S, R]]:
        connection.state = MOVES[connection.state, _PROMISE]
        connection.claim = claim
        connection.options = claim.options
        claim.connection = connection
        return HAND_OVER, connection

    def _pass_on(self, connection: Connection[S, R]) -> Steps[S, R]:
        """Find a use for a good connection that has no claim: wait, rest or close."""
        group = connection.group
        if group.waiting and not self._is_crowded(group):
            _, claim = group.waiting.popitem(last=False)
            # More may go now: a limit may have been raised since they began to wait.
            return [self._promise(connection, claim), *self._serve_freed(group)]
        if self._lay_down(connection):
            return ((REST, connection),)
        return self._close(connection)

    def _is_crowded(self, group: Group[S, R]) -> bool:
        """Tell whether a limit was lowered below what is there."""
        limits = self.limits
        return (
            len(group.busy) + len(group.free) > limits.max_sockets
            or self.size > limits.max_total_sockets
        )

    def _lay_down(self, connection: Connection[S, R]) -> bool:
        """Have a connection rest, if it may; else do nothing and return False."""
        group, limits = connection.group, self.limits
        free = len(group.free)
        if (
            group.waiting
            or not limits.keep_alive
            or free >= limits.max_free_sockets
            or self._starved  # its place is wanted under another name
            # What `_is_crowded` asks, without a call.
            or len(group.busy) + free > limits.max_sockets
            or self.size > limits.max_total_sockets
        ):
            return False
        if connection.state is _WORKING:  # nearly always
            connection.state = _RESTING_AFTER_WORK
        else:
            connection.state = MOVES[connection.state, _REST]
        connection.deadline = _NEVER
        self._rests += 1
        connection.rested = self._rests
        del group.busy[connection]
        group.free.append(connection)
        return True

    def _close(self, connection: Connection[S, R]) -> Steps[S, R]:
        self._leave(connection)
        group = connection.group
        if group.waiting or self._starved:
            return [(CLOSE, connection), *self._serve_freed(group)]
        if not (group.busy or group.free):  # `_tidy`, without a call
            self._groups.pop(group.name, None)
        return ((CLOSE, connection),)

    def _leave(self, connection: Connection[S, R]) -> None:
        group, state = connection.group, connection.state
        if state is _RESTING:
            group.free.remove(connection)
        else:
            del group.busy[connection]
        connection.holder = None
        connection.state = advance(state, _LEAVE)
        self.size -= 1

    # Places

    def _place(
        self, claim: Claim[S, R], now: float = -math.inf, *, first: bool = False
    ) -> _Todo[S, R]:
        """Give a claim a resting connection, a new one, or a place in the queue."""
        group = claim.group
        todo: _Todo[S, R] = []
        if claim.fresh:
            todo += self._make_way(group)
        while group.free and not claim.fresh:
            index = 0 if self.limits.scheduling == "fifo" else -1
            connection = group.free[index]
            if connection.deadline > now:
                del group.free[index]
                group.busy[connection] = None
                return [*todo, self._promise(connection, claim)]
            self._leave(connection)
            todo.append((CLOSE, connection))
        claim.connection = None
        group.waiting[id(claim.request)] = claim
        if first:
            group.waiting.move_to_end(id(claim.request), last=False)
        todo += self._serve_freed(group)
        return todo

    def _make_way(self, group: Group[S, R]) -> _Todo[S, R]:
        """Close what rests in the place of a fresh connection."""
        todo: _Todo[S, R] = []
        while group.free and group.size >= self.limits.max_sockets:
            connection = group.free[0]
            self._leave(connection)
            todo.append((CLOSE, connection))
        return todo

    def _serve_freed(self, group: Group[S, R]) -> _Todo[S, R]:
        """Use a place that became free: first for its own name, then for others."""
        todo = self._serve(group)
        while self._starved and self.size < self.limits.max_total_sockets:
            todo += self._serve(next(iter(self._starved)))
        self._tidy(group)
        return todo

    def _serve(self, group: Group[S, R]) -> _Todo[S, R]:
        """Make connections for the claims of a group, as far as the limits allow."""
        todo: _Todo[S, R] = []
        self._starved.pop(group, None)
        while group.waiting and group.size < self.limits.max_sockets:
            if not self._make_room(todo):
                self._starved[group] = None  # behind the others: each name in turn
                break
            todo.append(self._connect(group))
        return todo

    def _make_room(self, todo: _Todo[S, R]) -> bool:
        """Tell whether one more connection may be; close resting ones for it."""
        while self.size >= self.limits.max_total_sockets:
            resting = [group.free[0] for group in self._groups.values() if group.free]
            if not resting:
                return False
            oldest = min(resting, key=_rested)
            self._leave(oldest)
            todo.append((CLOSE, oldest))
            self._tidy(oldest.group)
        return True

    def _tidy(self, group: Group[S, R]) -> None:
        """Forget a group that has nothing left, and that it waits if it does not."""
        if not group.waiting:
            self._starved.pop(group, None)
            if not (group.busy or group.free):
                self._groups.pop(group.name, None)


def _rested(connection: Connection[Any, Any]) -> int:
    return connection.rested


def idle_limit(timeout: float | None, hint: float | None, margin: float) -> float:
    """Return how long a connection may rest; 0 or less: it may not.

    Args:
        timeout: The agent's own limit; `None` or 0 for none.
        hint: After how many idle seconds the server says it will close.
        margin: How much earlier we stop using it, so that a request does not meet the
            server's close.

    Source: H-098, X-059, X-060.
    """
    limit = timeout or math.inf
    return limit if hint is None else min(limit, hint - margin)

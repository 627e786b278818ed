"""Agent: the emitter that people hold; the pools behind it belong to the loops."""

from collections.abc import Awaitable, Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from headrace import net
from headrace.agent._events import AgentEvents
from headrace.agent._key import name_of
from headrace.agent._lease import Lease
from headrace.agent._loop_pool import LoopPool
from headrace.agent._options import (
    OPTION_NAMES,
    FrozenOptions,
    check_count,
    check_duration,
    check_flag,
    check_scheduling,
    connect_options,
    merge,
)
from headrace.agent._settings import AgentSettings, Setting, check_timeout
from headrace.agent._watch import Watch, destroy
from headrace.events.loop import current
from headrace.net import Socket

if TYPE_CHECKING:
    from collections.abc import Set
    from typing import Unpack

    from headrace.agent._options import AgentOptions
    from headrace.agent._protocols import (
        ConnectionCallback,
        PooledRequest,
        SocketHolder,
    )

__all__ = ["Agent"]

_NOTHING: Final[Mapping[str, Any]] = FrozenOptions()
# Bounded, and emptied when full: a crawler asks for many places once each.
_ROUTES_MAX: Final = 256


def _unwrap(view: "dict[str, list[Watch]]") -> dict[str, list[Socket]]:
    return {name: [each.socket for each in watches] for name, watches in view.items()}


class Agent(AgentEvents):
    """Gives sockets to requests, and keeps them for later ones.

    It knows no protocol: a request is anything that follows `PooledRequest`. There is
    one pool for each running loop, so an agent can be used by several loops, one after
    the other or in threads; all that is said of sockets and requests is about the
    running loop's.

    Args:
        options: The keywords as one mapping; keywords win.
        **keywords: The settings below, and connect options (`host`, `port`,
            `local_address`, `family`, ...), which override those of the requests.

    Attributes:
        keep_alive: Whether sockets that no request waits for are kept; default False.
        keep_alive_msecs: Initial delay of TCP keep-alive probes on kept sockets, in
            milliseconds; default 1000.
        max_sockets: Greatest number of sockets per name, busy and free.
        max_free_sockets: Greatest number of free sockets per name; default 256.
        max_total_sockets: Greatest number of sockets of all names. A free socket of
            another name is closed to make room.
        scheduling: Which free socket comes first: `lifo` (default), the one that was
            freed last, or `fifo`.
        timeout: Idle time of sockets, in seconds: a busy one emits ``timeout``, a free
            one is closed; default None.
        agent_keep_alive_timeout_buffer: How much earlier than the peer announces a
            free socket is closed, in seconds; default 1.
        default_port: Port of requests that name none; for subclasses.
        protocol: Protocol of the requests, such as `http:`; for subclasses.
        option_names: The names that the constructor takes; for subclasses.

    Events:
        free (socket, options): a request has given back a socket that can be used
            again, and it is decided what becomes of it.

    Source: H-090 to H-104, H-019.
    """

    keep_alive = Setting(check_flag, "Whether sockets are kept (H-091).")
    keep_alive_msecs = Setting(check_duration, "Delay of TCP probes (H-092).")
    max_sockets = Setting(check_count, "Greatest number of sockets per name (H-093).")
    max_free_sockets = Setting(check_count, "Greatest number of free ones (H-094).")
    max_total_sockets = Setting(check_count, "Greatest number of all (X-057).")
    scheduling = Setting(check_scheduling, "Which free socket comes first (X-058).")
    timeout = Setting(check_timeout, "Idle time of sockets (X-059).")
    agent_keep_alive_timeout_buffer = Setting(
        check_duration, "Subtracted from what the peer announces (X-060)."
    )

    default_port: ClassVar[int | None] = None
    protocol: ClassVar[str | None] = None
    option_names: ClassVar["Set[str]"] = OPTION_NAMES
    # Whether `get_name` depends on its argument alone; an override may look elsewhere.
    _names_are_stable: ClassVar[bool] = True
    # Whether `connect_options` depends on its argument and the settings alone.
    _places_are_stable: ClassVar[bool] = True

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "connect_options" in cls.__dict__:
            cls._places_are_stable = False
        if "get_name" in cls.__dict__ and "_names_are_stable" not in cls.__dict__:
            cls._names_are_stable = False

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        /,
        **keywords: "Unpack[AgentOptions]",
    ) -> None:
        super().__init__()
        # By identity; what is here is kept alive, so that no other gets its id.
        self._routes: dict[int, tuple[Mapping[str, Any], Mapping[str, Any], str]] = {}
        self._places: dict[int, tuple[Mapping[str, Any], net.Destination]] = {}
        self._settings: Final = AgentSettings()
        given = merge(self.option_names, options, keywords)
        for name in AgentSettings.names & given.keys():
            setattr(self, name, given.pop(name))
        # They override those of every request.
        self._connect_options: Final = given

    # Requests

    def add_request(
        self, request: "PooledRequest", options: Mapping[str, Any] = _NOTHING
    ) -> None:
        """Get a socket for `request`: a free one, a new one, or one given back later.

        The socket comes by `request.on_socket` on a later tick, never at once.

        Args:
            request: Who wants it.
            options: How to connect; at least those that `get_name` and
                `create_connection` look at. The same `FrozenOptions` again cost less.

        Raises:
            RequestPendingError: If the request has been added before and waits still.
            RuntimeError: If no loop runs.

        Source: H-097.
        """
        known = self._routes.get(id(options))
        if known is not None and known[0] is options:  # `_route`, without a call
            _, options, name = known
        else:
            options, name = self._route(options)
        loop = getattr(request, "home", None) or current()
        pool = loop.locals.get(self)
        if pool is None:
            pool = LoopPool(self, loop)
        pool.add(request, name, options)

    def _route(self, options: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        """Return the options with the agent's own, and their name.

        Options that cannot change are looked at once: who asks for the same place
        again and again passes one `FrozenOptions`.
        """
        known = self._routes.get(id(options))
        if known is not None and known[0] is options:
            return known[1], known[2]
        together: Mapping[str, Any] = {**options, **self._connect_options}
        name = self.get_name(together)
        if type(options) is FrozenOptions and self._names_are_stable:
            together = FrozenOptions(together)
            if len(self._routes) >= _ROUTES_MAX:
                self._routes.clear()
            self._routes[id(options)] = (options, together, name)
        return together, name

    def release(self, socket: Socket, holder: "SocketHolder") -> None:
        """Take back a socket when the exchange is over and no listener is left on it.

        If `holder.reusable` is true, and nothing is left to read or to write, the
        next request of the name gets the socket, or it becomes free; else it is closed.
        So is a socket that was taken out of the agent (`agent_remove`). Giving it back
        twice has no effect.

        Args:
            socket: What `on_socket` brought.
            holder: Whom it was brought to, or what that one's `on_socket` returned.

        Source: H-098, H-101.
        """
        loop = getattr(holder, "home", None) or current()
        pool = loop.locals.get(self)
        if pool is None:
            destroy(socket)
        else:
            pool.release(socket, holder)

    def cancel(self, request: "PooledRequest") -> None:
        """Take back `add_request`, if the request has no socket yet; else do nothing.

        Neither `on_socket` nor `on_error` follows. What was prepared for the request
        goes to the next one; an `async def` hook that is at work for nobody is
        cancelled. A request that has its socket destroys it instead.
        """
        pool = self._pool()
        if pool is not None:
            pool.cancel(request)

    def destroy(self) -> None:
        """Close all sockets, busy and free; fail all requests that wait.

        Requests on busy sockets see these close, those without a socket get an error of
        code `ECONNRESET`. The agent can be used again.

        Source: H-103.
        """
        pool = self._pool()
        if pool is not None:
            pool.destroy()

    def _pool(self) -> LoopPool | None:
        """Return the running loop's pool, if there is one with anything in it."""
        try:
            return current().locals.get(self)
        except RuntimeError:
            return None

    # Facts

    @property
    def options(self) -> Mapping[str, Any]:
        """What the agent was told: its settings, and the connect options given."""
        settings = {name: getattr(self, name) for name in AgentSettings.names}
        return MappingProxyType({**self._connect_options, **settings})

    @property
    def sockets(self) -> dict[str, list[Socket]]:
        """Copies of the lists of sockets in use, connecting ones included, by name.

        Source: H-095.
        """
        pool = self._pool()
        return {} if pool is None else _unwrap(pool.books.sockets())

    @property
    def free_sockets(self) -> dict[str, list[Socket]]:
        """Copies of the lists of free sockets, by name, the one freed first in front.

        Source: H-095.
        """
        pool = self._pool()
        return {} if pool is None else _unwrap(pool.books.free_sockets())

    @property
    def requests(self) -> "dict[str, list[PooledRequest]]":
        """Copies of the lists of requests that wait, by name, the next one in front.

        Source: H-095.
        """
        pool = self._pool()
        return {} if pool is None else pool.books.requests()

    @property
    def total_socket_count(self) -> int:
        """How many sockets there are: in use, connecting, and free.

        Source: X-069.
        """
        pool = self._pool()
        return 0 if pool is None else pool.books.size

    def __repr__(self) -> str:
        pool = self._pool()
        state = "empty" if pool is None else str(pool)
        return f"<{type(self).__name__} keep_alive={self.keep_alive} {state}>"

    # Hooks

    def get_name(self, options: Mapping[str, Any] = _NOTHING) -> str:
        """Return the name of a connection: requests with equal names share sockets.

        Source: H-096.
        """
        return name_of(options)

    def create_connection(
        self, options: Mapping[str, Any], callback: "ConnectionCallback"
    ) -> "Socket | Awaitable[Socket | None] | None":
        """Make a connection; to be overridden for other ways than `net.connect`.

        Args:
            options: Those of the request, and the agent's, which win.
            callback: Takes an error, or `None` and the socket, now or later.

        Returns:
            The socket, or `None` if it comes by `callback`. An override may also be an
            `async def`.

        Source: H-104, X-061.
        """
        return net.connect(self._destination(options))

    def _destination(self, options: Mapping[str, Any]) -> net.Destination:
        """Return where `options` lead; of `FrozenOptions` it is known afterwards."""
        known = self._places.get(id(options))
        if known is not None and known[0] is options:
            return known[1]
        place = net.Destination(self.connect_options(options))
        if (
            type(options) is FrozenOptions
            and self._places_are_stable
            and ("port" in options or "socket_path" in options)  # else a class says it
        ):
            if len(self._places) >= _ROUTES_MAX:
                self._places.clear()
            self._places[id(options)] = (options, place)
        return place

    def _settings_changed(self) -> None:
        self._places.clear()

    def connect_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `net.connect` is to be given; for overrides of the above."""
        result = connect_options(options, self.default_port)
        if self.timeout is not None:
            result["timeout"] = self.timeout
        if self.keep_alive:
            result["keep_alive"] = True
            result["keep_alive_initial_delay"] = self.keep_alive_msecs / 1000
        return result

    def keep_socket_alive(self, socket: Socket) -> bool:
        """Prepare a socket for being free; False closes it instead.

        The agent's way: TCP keep-alive on, unref'd, and the agent's own `timeout`
        instead of the request's. A `timeout` that fires while it is free closes it; one
        that an override sets counts instead of the agent's.

        Source: H-098, H-099, H-104.
        """
        if isinstance(socket, Socket):
            settings = self._settings
            probing = (True, settings.keep_alive_msecs / 1000)
            if socket._keep_alive != probing:
                socket.set_keep_alive(*probing)
            socket.unref()
            timeout = settings.timeout or 0.0
            if socket._timeout != timeout:  # its property would cost three calls
                socket.set_timeout(timeout)
        return True

    def reuse_socket(self, socket: Socket, request: "PooledRequest") -> None:
        """Prepare a socket that was free for work: ref'd again.

        Source: H-099, H-104.
        """
        if isinstance(socket, Socket):
            socket.ref()

    # Python's way

    def lease(self, options: Mapping[str, Any] = _NOTHING) -> Lease:
        """Return a context manager that gives a socket to its `async with` block.

        The block begins when the socket is connected, and raises why there is none. The
        socket is given back at the end, or closed if the block raises.

        Args:
            options: As for `add_request`.
        """
        return Lease(self, options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Destroy the agent's pool on this loop."""
        self.destroy()

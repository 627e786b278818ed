"""One connection for one request, without an agent (X-062)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from headrace.http._errors import InvalidArgTypeError, PeerGoneError

if TYPE_CHECKING:
    from headrace.http._client_life import RequestLife

Factory = Callable[..., Any]


class Solo:
    """Calls a factory of connections and gives its request the outcome, once.

    The factory is called as ``factory(options, callback)``. It returns a connection, or
    calls ``callback(error, connection)``, or is an ``async def``.

    Args:
        request: Who needs a connection.
        options: What the request knows about the place. The factory gets them as
            `headrace.net.connect` takes them.
        factory: Makes the connection.
    """

    __slots__ = ("_request",)

    def __init__(
        self, request: RequestLife, options: Mapping[str, Any], factory: Factory
    ) -> None:
        self._request: RequestLife | None = request
        made = factory(place_of(options), self._called_back)
        # A socket can be awaited, too; the request shall have it before it is open.
        if isawaitable(made) and not hasattr(made, "destroy"):
            request.loop().spawn(self._wait(made), owner=request._owner)
        elif made is not None:
            self._called_back(None, made)

    async def _wait(self, making: Awaitable[Any]) -> None:
        try:
            made = await making
        except Exception as error:
            self._called_back(error)
        else:
            self._called_back(None, made)

    def _called_back(
        self, error: Exception | None = None, connection: Any = None
    ) -> None:
        # Without arguments it is a listener of ``connect``, of what was returned.
        request, self._request = self._request, None
        if request is None:
            return
        if error is None and not hasattr(connection, "destroy"):
            error = InvalidArgTypeError("the connection", "a Duplex", connection)
        if error is not None:
            request._next_tick(request.on_error, error)
        else:
            connection.on("error", _ignore)  # the request's, from now on
            request._next_tick(give, request, connection)


def place_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as `headrace.net.connect` takes them."""
    result = dict(options)
    path = result.pop("socket_path", None)
    if path is not None:
        result["path"] = path
        del result["host"], result["port"]  # they only name the peer
    return result


def give(request: RequestLife, connection: Any) -> None:
    """Give a request its connection, or the error that it has had meanwhile."""
    if connection.destroyed:
        request.on_error(connection.errored or PeerGoneError("socket hang up"))
    else:
        connection.off("error", _ignore)
        request.on_socket(connection)


def _ignore(error: BaseException) -> None:
    """Leave an error to who looks at the connection next."""

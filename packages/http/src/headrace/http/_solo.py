"""One connection for one request, without an agent (X-062)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from headrace.http._errors import InvalidArgTypeError

if TYPE_CHECKING:
    from headrace.http._client_life import RequestLife

Factory = Callable[..., Any]


class Solo:
    """Calls a factory of connections and gives its request the outcome, once.

    The factory is called as ``factory(options, callback)``. It returns a connection, or
    calls ``callback(error, connection)``, or is an ``async def``.

    Args:
        request: Who needs a connection.
        options: What the request knows about the place.
        factory: Makes the connection.
    """

    __slots__ = ("_request",)

    def __init__(
        self, request: RequestLife, options: Mapping[str, Any], factory: Factory
    ) -> None:
        self._request: RequestLife | None = request
        made = factory(dict(options), self._called_back)
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
            request._next_tick(request.on_socket, connection)

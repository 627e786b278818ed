"""What can end a request from outside: its time limits and its ``cancel`` option.

Made for the requests that have one of them; the others pay nothing.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final

from headrace.http._errors import AbortError, DeadlineError, InvalidArgTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.events.loop import Loop, Task, Timer
    from headrace.http._client_life import RequestLife

NAMES: Final = frozenset({"cancel", "connect_timeout", "total_timeout"})

#: Seconds between two looks at a cancel scope, which tells nobody by itself.
_LOOK_EVERY: Final = 0.05


class RequestLimits:
    """The timers of one request, and what waits for its cancellation.

    Args:
        request: The request.
        loop: The running loop.
        settings: Its checked options.

    Source: X-052, X-054.
    """

    __slots__ = (
        "_connect",
        "_connect_seconds",
        "_look",
        "_loop",
        "_request",
        "_task",
        "_total",
    )

    def __init__(
        self, request: RequestLife, loop: Loop, settings: Mapping[str, Any]
    ) -> None:
        self._request = request
        self._loop = loop
        self._connect_seconds = settings.get("connect_timeout")
        self._connect = self._arm("connect_timeout", self._connect_seconds)
        self._total = self._arm("total_timeout", settings.get("total_timeout"))
        self._task: Task | None = None
        self._look: Timer | None = None
        cancel = settings.get("cancel")
        if cancel is None:
            return
        check_cancel(cancel)
        if hasattr(cancel, "cancel_called"):
            self._look_at(cancel, 0.0)
        else:
            self._task = loop.spawn(self._obey(cancel), owner=request._owner)

    def _arm(self, name: str, seconds: float | None) -> Timer | None:
        if not seconds:
            return None
        timer = self._loop.call_later(seconds, self._expire, name, seconds)
        return timer.unref()  # the request's socket counts for `run`, not its limits

    def _expire(self, name: str, seconds: float) -> None:
        self._request.destroy(DeadlineError(name, seconds))

    async def _obey(self, cancel: Any) -> None:
        """Destroy the request when an event is set."""
        await cancel.wait()
        self._request.destroy(AbortError())

    def _look_at(self, scope: Any, after: float) -> None:
        """Look again and again whether a scope was cancelled.

        It cannot be entered here: a scope serves one block, which is its owner's.
        """
        self._look = self._loop.call_later(after, self._seen, scope).unref()

    def _seen(self, scope: Any) -> None:
        if scope.cancel_called:
            self._request.destroy(AbortError())
        else:
            self._look_at(scope, _LOOK_EVERY)

    def connected(self) -> None:
        """Take note that the request has a connected socket."""
        if self._connect is not None:
            self._connect.cancel()

    def connect_again(self) -> None:
        """Take note that the request needs another socket, and has as long for it."""
        self._connect = self._arm("connect_timeout", self._connect_seconds)

    def are_over(self) -> bool:
        """Tell whether none of them matters to a request that has its response.

        Then the request is rid of them.
        """
        if self._total is not None or self._task is not None or self._look is not None:
            return False
        self._request._limits = None
        return True

    def end(self) -> None:
        """Take note that the request is over."""
        self.connected()
        if self._total is not None:
            self._total.cancel()
        if self._task is not None:
            self._task.cancel()
        if self._look is not None:
            self._look.cancel()


def check_cancel(cancel: object) -> None:
    """Check a ``cancel`` option.

    Raises:
        InvalidArgTypeError: If it is neither an event of the loop's library nor a
            cancel scope.
    """
    waits = iscoroutinefunction(getattr(cancel, "wait", None))
    if not (waits or hasattr(cancel, "cancel_called")):
        raise InvalidArgTypeError("cancel", "an event or a cancel scope", cancel)

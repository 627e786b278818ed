"""`run`: a whole program that lives as long as something in it counts."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, TypeVarTuple, overload

import anyio

from headrace.events.loop import current

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

logger = logging.getLogger("headrace.net")


@overload
def run(
    main: Callable[[*Ts], Awaitable[T]],
    *args: *Ts,
    backend: str = "asyncio",
    backend_options: Mapping[str, Any] | None = None,
) -> T: ...
@overload
def run(
    main: Callable[[*Ts], T],
    *args: *Ts,
    backend: str = "asyncio",
    backend_options: Mapping[str, Any] | None = None,
) -> T: ...
def run(
    main: Callable[..., Any],
    *args: object,
    backend: str = "asyncio",
    backend_options: Mapping[str, Any] | None = None,
) -> Any:
    """Start a loop, call `main`, and return its result when nothing is left to do.

    What counts: listening servers, sockets that connect or are open, timers, coroutines
    of async listeners, look-ups, ticks; not what was unref'd. What is still open then
    is closed in silence.

    Args:
        main: A plain or an async function.
        *args: Its arguments.
        backend: `asyncio` or `trio`.
        backend_options: As for `anyio.run`, such as `{"use_uvloop": True}`.

    Raises:
        RuntimeError: If a loop runs in this thread already.
        KeyboardInterrupt: On SIGINT, when everything is destroyed.
        BaseException: What `main` raised, or the first exception that no callback,
            listener or task has dealt with: `main` is cancelled then.

    Source: spec H-009, H-010.
    """
    return anyio.run(
        _supervise,
        main,
        args,
        backend=backend,
        backend_options=dict(backend_options or {}),
    )


class _Runner:
    """Takes the exceptions that nobody dealt with."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.scope = anyio.CancelScope()

    def fail(self, error: BaseException) -> None:
        """End the program with `error`; only the first one counts."""
        if self.error is None:
            self.error = error
            self.scope.cancel()
        elif error is not self.error:
            logger.error("one more unhandled exception", exc_info=error)


async def _supervise(main: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    loop = current()
    runner = loop.runner = _Runner()
    result = None
    try:
        with runner.scope:
            result = main(*args)
            if inspect.isawaitable(result):
                result = await result
            await loop.wait_idle()
    finally:
        loop.runner = None
    if runner.error is not None:
        raise runner.error
    return result

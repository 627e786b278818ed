"""Whose the coroutines of async listeners are (H-150)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from headrace.events import EventEmitter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable


class TaskOwner(Protocol):
    """An owner that keeps the tasks of async listeners and ends them with itself."""

    def adopt(
        self,
        coroutine: Coroutine[Any, Any, object],
        on_error: Callable[[Exception], object],
    ) -> None:
        """Run a coroutine on its own behalf."""


def adopt_listener(
    emitter: EventEmitter,
    owner: object,
    coroutine: Coroutine[Any, Any, object],
    event: Hashable,
    args: tuple[Any, ...],
) -> None:
    """Run the coroutine of an async listener, with the owner that wants to keep it."""
    adopt = getattr(owner, "adopt", None)
    if adopt is None:
        EventEmitter._adopt(emitter, coroutine, event, args)
    else:
        adopt(coroutine, partial(emitter._reject, event, args))

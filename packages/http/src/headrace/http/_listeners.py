"""Listeners of messages: whose their coroutines are (H-150), and their end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from headrace.events import EventEmitter

if TYPE_CHECKING:
    from collections.abc import Coroutine, Hashable


def adopt_listener(
    emitter: EventEmitter,
    owner: object,
    coroutine: Coroutine[Any, Any, object],
    event: Hashable,
    args: tuple[Any, ...],
) -> None:
    """Run the coroutine of an async listener, with the owner that wants to keep it.

    Such an owner has ``adopt(coroutine, on_error)``, and ends it with itself.
    """
    adopt = getattr(owner, "adopt", None)
    if adopt is None:
        EventEmitter._adopt(emitter, coroutine, event, args)
    else:
        adopt(coroutine, partial(emitter._reject, event, args))


def forget_listeners(emitter: EventEmitter, events: frozenset[str]) -> None:
    """Let go of the listeners of a message that is over.

    A handler's listeners hold the response, which holds the request, which holds its
    listeners: such rings would be left to the garbage collector, and until it comes
    each request is made in fresh memory. Where there are events of the user's own
    nothing is dropped: they may still be emitted.

    Args:
        emitter: Has emitted its ``close``.
        events: What it emits by itself.
    """
    if emitter._listeners.keys() <= events:
        vars(emitter).pop("_listeners", None)

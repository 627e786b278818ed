"""Which event loop runs here: the one place that finds out.

trio is asked first: inside trio's guest mode, or in a `trio.run` below an asyncio
callback, both answer, and the code that runs now belongs to trio. Neither runtime is
imported before somebody else has imported it: one that was never imported cannot be
running.
"""

import sys
from typing import TYPE_CHECKING

from headrace.events.loop._errors import NoRunningLoopError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from headrace.events.loop._loop import Loop

#: Where an asyncio loop keeps its `Loop`: in its own `__dict__`, so that both die
#: together and finding it costs one look-up. A WeakKeyDictionary is slower, and would
#: never let go, because a `Loop` refers to its native loop.
KEY = "_headrace_loop"

_modules = sys.modules


def current() -> "Loop":
    """Return the `Loop` of the event loop that runs in this thread.

    Raises:
        NoRunningLoopError: If there is none; it is a `RuntimeError`.
    """
    if "trio" in _modules and _in_trio():
        return _find_trio()
    try:
        found: Loop = _running_asyncio().__dict__[KEY]
    except (RuntimeError, KeyError):
        return _first_asyncio()
    return found


def _first_asyncio() -> "Loop":
    """Make the `Loop` of an asyncio loop that is asked for the first time."""
    global _running_asyncio
    if "asyncio" not in _modules:
        raise NoRunningLoopError
    from asyncio import get_running_loop

    from headrace.events.loop._asyncio import AsyncioLoop

    _running_asyncio = get_running_loop
    try:
        native = get_running_loop()
    except RuntimeError:
        raise NoRunningLoopError from None
    found: Loop = native.__dict__.setdefault(KEY, AsyncioLoop(native))
    return found


def _not_loaded() -> "Any":
    raise NoRunningLoopError


def _first_in_trio() -> bool:
    """Answer the first question about trio, and get the real functions."""
    global _in_trio, _find_trio
    from trio.lowlevel import in_trio_run

    from headrace.events.loop._trio import find

    _in_trio, _find_trio = in_trio_run, find
    return in_trio_run()


_running_asyncio: "Callable[[], Any]" = _not_loaded
_in_trio: "Callable[[], bool]" = _first_in_trio
_find_trio: "Callable[[], Loop]" = _not_loaded

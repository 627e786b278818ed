"""The running event loop, seen one way on asyncio, uvloop and trio.

The functions do for the loop that runs now what the methods of the same name do on
`Loop`. Neither runtime has to be installed to import this.
"""

from headrace.events.loop._current import current
from headrace.events.loop._errors import NoRunningLoopError
from headrace.events.loop._functions import (
    call_later,
    call_soon,
    checkpoint,
    next_tick,
    report,
    running,
    spawn,
)
from headrace.events.loop._loop import Loop
from headrace.events.loop._protocols import Closer, Owner, Runner
from headrace.events.loop._task import Task
from headrace.events.loop._timer import Timer
from headrace.events.loop._waiter import Waiter

__all__ = [
    "Closer",
    "Loop",
    "NoRunningLoopError",
    "Owner",
    "Runner",
    "Task",
    "Timer",
    "Waiter",
    "call_later",
    "call_soon",
    "checkpoint",
    "current",
    "next_tick",
    "report",
    "running",
    "spawn",
]

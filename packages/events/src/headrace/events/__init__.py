"""An event emitter after Node's, and the event loop seen one way."""

from headrace.events._awaitable import EventIterator, on, once
from headrace.events._channel import Channel, Subscriber, channel
from headrace.events._emitter import (
    EventEmitter,
    Listener,
    get_event_listeners,
    get_max_listeners,
    set_max_listeners,
)
from headrace.events._errors import (
    InvalidArgTypeError,
    MaxListenersExceededWarning,
    OutOfRangeError,
    UnhandledError,
)
from headrace.events._specialized import specialized
from headrace.events._symbols import ErrorMonitor, error_monitor
from headrace.events._typed import (
    BoundEvent,
    ErrorEvent,
    ErrorListener,
    Event,
    Signal,
    TableEvent,
    TableListener,
    TypedEmitter,
)
from headrace.events._version import __version__

__all__ = [
    "BoundEvent",
    "Channel",
    "ErrorEvent",
    "ErrorListener",
    "ErrorMonitor",
    "Event",
    "EventEmitter",
    "EventIterator",
    "InvalidArgTypeError",
    "Listener",
    "MaxListenersExceededWarning",
    "OutOfRangeError",
    "Signal",
    "Subscriber",
    "TableEvent",
    "TableListener",
    "TypedEmitter",
    "UnhandledError",
    "__version__",
    "channel",
    "error_monitor",
    "get_event_listeners",
    "get_max_listeners",
    "on",
    "once",
    "set_max_listeners",
    "specialized",
]

"""An event emitter after Node's, and the event loop seen one way."""

from headrace.events._emitter import EventEmitter, Listener
from headrace.events._errors import (
    InvalidArgTypeError,
    MaxListenersExceededWarning,
    OutOfRangeError,
    UnhandledError,
)
from headrace.events._symbols import Symbol, error_monitor
from headrace.events._version import __version__

__all__ = [
    "EventEmitter",
    "InvalidArgTypeError",
    "Listener",
    "MaxListenersExceededWarning",
    "OutOfRangeError",
    "Symbol",
    "UnhandledError",
    "__version__",
    "error_monitor",
]

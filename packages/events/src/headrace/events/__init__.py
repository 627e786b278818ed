"""An event emitter after Node's, and the event loop seen one way."""

from headrace.events._version import __version__

__all__ = ["__version__"]

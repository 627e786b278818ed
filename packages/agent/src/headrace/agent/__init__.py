"""A connection pool for any protocol."""

from headrace.agent._version import __version__

__all__ = ["__version__"]

"""Streams with back-pressure after Node's."""

from headrace.streams._version import __version__

__all__ = ["__version__"]

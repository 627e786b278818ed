"""Sockets, servers and TLS as streams."""

from headrace.net._version import __version__

__all__ = ["__version__"]

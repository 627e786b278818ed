"""HTTP/1.1 server, client and agent after Node's."""

from headrace.http._version import __version__

__all__ = ["__version__"]

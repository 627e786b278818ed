"""A strict HTTP/1.1 parser without I/O."""

from headrace.http_parser._version import __version__

__all__ = ["__version__"]

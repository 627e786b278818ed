"""Sockets, servers and TLS as streams."""

from headrace.net._address import Address, is_ip, is_ipv4, is_ipv6
from headrace.net._api import connect, create_connection, create_server
from headrace.net._receiver import Receiver
from headrace.net._run import run
from headrace.net._server import Server
from headrace.net._socket import Socket
from headrace.net._version import __version__

__all__ = [
    "Address",
    "Receiver",
    "Server",
    "Socket",
    "__version__",
    "connect",
    "create_connection",
    "create_server",
    "is_ip",
    "is_ipv4",
    "is_ipv6",
    "run",
]

"""Sockets, servers and TLS as streams."""

from headrace.net._address import Address, is_ip, is_ipv4, is_ipv6
from headrace.net._api import connect, create_connection, create_server
from headrace.net._destination import Destination
from headrace.net._errors import (
    AlreadyListeningError,
    BadPortError,
    IllegalMoveError,
    InvalidArgTypeError,
    InvalidArgValueError,
    InvalidHandleTypeError,
    LookupFailedError,
    MissingArgsError,
    NetError,
    OutOfRangeError,
    ServerNotRunningError,
    SocketClosedBeforeConnectionError,
    SocketClosedError,
    SocketError,
    TLSError,
    TLSHandshakeTimeoutError,
)
from headrace.net._receiver import Receiver
from headrace.net._run import run
from headrace.net._server import Server
from headrace.net._socket import Socket
from headrace.net._systemd import systemd_sockets
from headrace.net._tls_options import create_secure_context
from headrace.net._tls_server import TLSServer, create_tls_server
from headrace.net._tls_socket import TLSSocket, connect_tls
from headrace.net._version import __version__

__all__ = [
    "Address",
    "AlreadyListeningError",
    "BadPortError",
    "Destination",
    "IllegalMoveError",
    "InvalidArgTypeError",
    "InvalidArgValueError",
    "InvalidHandleTypeError",
    "LookupFailedError",
    "MissingArgsError",
    "NetError",
    "OutOfRangeError",
    "Receiver",
    "Server",
    "ServerNotRunningError",
    "Socket",
    "SocketClosedBeforeConnectionError",
    "SocketClosedError",
    "SocketError",
    "TLSError",
    "TLSHandshakeTimeoutError",
    "TLSServer",
    "TLSSocket",
    "__version__",
    "connect",
    "connect_tls",
    "create_connection",
    "create_secure_context",
    "create_server",
    "create_tls_server",
    "is_ip",
    "is_ipv4",
    "is_ipv6",
    "run",
    "systemd_sockets",
]

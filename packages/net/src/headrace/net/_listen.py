"""From the options of `listen` to a bound and listening socket."""

import errno
import os
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from headrace.net import _sockopts
from headrace.net._address import AF_UNIX, HAS_UNIX
from headrace.net._errors import InvalidArgValueError, SocketError
from headrace.net._lookup import Candidate, literal
from headrace.net._options import as_socket


class FileId(NamedTuple):
    """Which file a bind has made, so that no other one is removed."""

    device: int
    inode: int


def needs_lookup(options: Mapping[str, Any]) -> bool:
    """Return whether the host is a name."""
    host = options.get("host")
    return "port" in options and bool(host) and literal(str(host), 0) is None


def open_now(options: Mapping[str, Any]) -> socket.socket:
    """Return a listening socket for checked options whose host is no name.

    Raises:
        SocketError: If the system refuses.
    """
    if "path" in options:
        return _open_path(options["path"], options["backlog"])
    if "fd" in options:
        return _open_descriptor(options["fd"], options["backlog"])
    if "handle" in options:
        return _open_handle(options["handle"], options["backlog"])
    host = options.get("host")
    if not host:
        return _open_any(options)
    candidate = literal(host, options["port"])
    if candidate is None:
        raise InvalidArgValueError("host", "is a name", host)
    return open_at(candidate, options)


def open_at(candidate: Candidate, options: Mapping[str, Any]) -> socket.socket:
    """Return a listening TCP socket.

    Raises:
        SocketError: If the system refuses.
    """
    family, sockaddr = candidate
    facts = {"address": sockaddr[0], "port": sockaddr[1]}
    sock = _new_socket(family, facts)
    try:
        _sockopts.set_reuse_address(sock)
        if family == socket.AF_INET6:
            only = bool(options.get("ipv6_only", False))
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        if options.get("reuse_port"):
            _set_reuse_port(sock)
        sock.bind(sockaddr)
        return _listen(sock, options["backlog"])
    except OSError as error:
        sock.close()
        raise SocketError.from_exception(error, "listen", **facts) from error


def _open_any(options: Mapping[str, Any]) -> socket.socket:
    """Listen on all addresses: IPv6 and IPv4 in one, where there is IPv6 (H-030)."""
    if socket.has_ipv6:
        try:
            candidate = Candidate(socket.AF_INET6, ("::", options["port"], 0, 0))
            return open_at(candidate, options)
        except SocketError as error:
            # Python may have IPv6 while the system has it switched off.
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
    return open_at(Candidate(socket.AF_INET, ("0.0.0.0", options["port"])), options)


def _open_path(path: str | bytes, backlog: int) -> socket.socket:
    if not HAS_UNIX:
        raise SocketError.of(errno.EAFNOSUPPORT, "listen", path=path)
    sock = _new_socket(AF_UNIX, {"path": path})
    try:
        sock.bind(path)
        return _listen(sock, backlog)
    except OSError as error:
        sock.close()
        raise SocketError.from_exception(error, "listen", path=path) from error


def _open_descriptor(number: int, backlog: int) -> socket.socket:
    sock = socket_from_descriptor(number, "listen")
    try:
        return _listen(sock, backlog)
    except SocketError:
        sock.detach()  # the caller keeps what could not be used
        raise


def socket_from_descriptor(number: int, syscall: str) -> socket.socket:
    """Return the socket that a descriptor stands for.

    Raises:
        SocketError: If it stands for none.
    """
    try:
        return socket.socket(fileno=number)
    except OSError as error:
        raise SocketError.from_exception(error, syscall) from error
    except (
        ValueError,
        OverflowError,
    ) as error:  # negative, or too large for the system
        raise SocketError.of(errno.EBADF, syscall) from error


def _open_handle(handle: Any, backlog: int) -> socket.socket:
    sock = as_socket(handle)
    if sock is handle:
        return _listen(sock, backlog)
    # It belongs to another server: each closes its own, and watches its own.
    sock = sock.dup()
    try:
        return _listen(sock, backlog)
    except SocketError:
        sock.close()
        raise


def _new_socket(family: int, facts: dict[str, Any]) -> socket.socket:
    try:
        return socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise SocketError.from_exception(error, "listen", **facts) from error


def _set_reuse_port(sock: socket.socket) -> None:
    option = getattr(socket, "SO_REUSEPORT", None)
    if option is None:
        raise OSError(errno.ENOTSUP, "SO_REUSEPORT")
    sock.setsockopt(socket.SOL_SOCKET, option, 1)


def _listen(sock: socket.socket, backlog: int) -> socket.socket:
    try:
        # The system takes an int; more than it allows is capped by it.
        sock.listen(min(max(backlog, 0), 2**31 - 1))
    except OSError as error:
        raise SocketError.from_exception(error, "listen") from error
    sock.setblocking(False)
    return sock


def file_of(sock: socket.socket) -> tuple[str | bytes, FileId] | None:
    """Return path and identity of the file that a Unix socket is bound to."""
    if sock.family != AF_UNIX:
        return None
    path = sock.getsockname()
    if not path or path[:1] in ("\0", b"\0"):  # an abstract name has no file
        return None
    path = os.path.abspath(path)  # the program may go to another folder
    with suppress(OSError):
        status = os.stat(path)
        if stat.S_ISSOCK(status.st_mode):
            return path, FileId(status.st_dev, status.st_ino)
    return None


def remove_file(path: str | bytes, identity: FileId) -> None:
    """Remove a socket's file, unless it is another one's by now."""
    with suppress(OSError):
        status = os.stat(path)
        if (status.st_dev, status.st_ino) == identity:
            os.unlink(path)

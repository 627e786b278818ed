"""Hosts, ports, families and paths: what they may be and how the system writes them."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from headrace.net._errors import BadPortError, InvalidArgTypeError

HAS_UNIX: Final = hasattr(socket, "AF_UNIX")
#: Not defined on Windows; no socket has this family there.
AF_UNIX: Final[int] = getattr(socket, "AF_UNIX", -1)

_FAMILY_NAMES: Final[Mapping[int, str]] = {
    socket.AF_INET: "IPv4",
    socket.AF_INET6: "IPv6",
}


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a TCP connection.

    Attributes:
        address: The IP address.
        family: `IPv4` or `IPv6`.
        port: The port.
    """

    address: str
    family: str
    port: int


def is_ip(value: object) -> int:
    """Return 4 or 6 if `value` is the text of an IP address of that version, else 0.

    Source: spec X-085.
    """
    if not isinstance(value, str):
        return 0
    if _parses(socket.AF_INET, value):
        return 4
    address, percent, zone = value.partition("%")
    if _parses(socket.AF_INET6, address) and bool(percent) == bool(zone):
        return 6
    return 0


def _parses(family: int, text: str) -> bool:
    try:
        socket.inet_pton(family, text)
    except (OSError, ValueError):  # ValueError: NUL or not ASCII
        return False
    return True


def is_ipv4(value: object) -> bool:
    """Return whether `value` is the text of an IPv4 address.

    Source: spec X-085.
    """
    return is_ip(value) == 4


def is_ipv6(value: object) -> bool:
    """Return whether `value` is the text of an IPv6 address, with or without a zone.

    Source: spec X-085.
    """
    return is_ip(value) == 6


def is_port_text(value: str) -> bool:
    """Return whether a string means a port rather than a path."""
    return value.isascii() and value.isdigit()


def to_port(value: object) -> int:
    """Return a port given as an integer or as decimal digits.

    Raises:
        BadPortError: If it is neither, or outside 0 to 65535.

    Source: spec H-030, H-138.
    """
    # bool is an int in Python, but nobody means port 1 by True.
    if isinstance(value, str) and is_port_text(value):
        value = int(value) if len(value) <= 5 else -1
    if type(value) is not int or not 0 <= value <= 65535:
        raise BadPortError(value)
    return value


def to_path(value: object) -> str | bytes:
    """Return the path of a Unix socket as the system takes it.

    Raises:
        InvalidArgTypeError: If it is not a path.
    """
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, os.PathLike):
        path: str | bytes = os.fspath(value)
        return path
    raise InvalidArgTypeError("path", "a str, bytes or os.PathLike", value)


def family_name(family: int) -> str | None:
    """Return `IPv4` or `IPv6`; `None` for any other address family."""
    return _FAMILY_NAMES.get(family)


def from_sockaddr(family: int, sockaddr: Any) -> Address | None:
    """Return an IP socket's name as an `Address`; `None` for other families."""
    name = _FAMILY_NAMES.get(family)
    if name is None:
        return None
    return Address(sockaddr[0], name, sockaddr[1])


def error_facts(family: int, sockaddr: Any) -> dict[str, Any]:
    """Return where a call went, as the keyword arguments of a `SocketError`."""
    if family in _FAMILY_NAMES:
        return {"address": sockaddr[0], "port": sockaddr[1]}
    return {"path": sockaddr or None}

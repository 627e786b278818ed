"""What can be given to sockets, servers, `connect` and `listen`, and how it is checked.

Three equivalent ways (spec H-002): keywords, one positional mapping, or positions as in
Node. An unknown name raises wherever it stands; `None` counts as not given.
"""

import math
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, TypedDict

from headrace.net._address import is_port_text, to_path, to_port
from headrace.net._errors import (
    InvalidArgTypeError,
    InvalidArgValueError,
    MissingArgsError,
    OutOfRangeError,
)

LookupCallback = Callable[..., object]
#: `lookup(hostname, options, callback)`, or `async def lookup(hostname, options)`.
LookupHook = Callable[..., object] | Callable[..., Awaitable[object]]

#: Ten years. Beyond it a loop's timer arithmetic is nobody's intention.
_LONGEST_SECONDS: Final = 3650 * 86400.0


#: A path of a Unix socket.
Path = str | bytes | os.PathLike[str]
#: A one-time listener of an event without arguments.
Signal = Callable[[], object]


class SocketOptions(TypedDict, total=False):
    """Options of `Socket`."""

    fd: int | None
    handle: Any
    allow_half_open: bool | None
    readable: bool | None
    writable: bool | None
    high_water_mark: int | None


class ConnectOptions(TypedDict, total=False):
    """Options of `Socket.connect`."""

    port: int | str | None
    host: str | None
    path: Path | None
    local_address: str | None
    local_port: int | str | None
    family: int | None
    lookup: LookupHook | None
    timeout: float | None
    no_delay: bool | None
    keep_alive: bool | None
    keep_alive_initial_delay: float | None
    auto_select_family: bool | None
    auto_select_family_attempt_timeout: float | None


class CreateConnectionOptions(ConnectOptions, SocketOptions, total=False):
    """Options of `connect`: those of the new socket and of its connection."""


class ConnectCall(ConnectOptions, total=False):
    """Keywords of a call of `Socket.connect`."""

    callback: Signal | None


class CreateConnectionCall(CreateConnectionOptions, total=False):
    """Keywords of a call of `connect`."""

    callback: Signal | None


class ListenOptions(TypedDict, total=False):
    """Options of `Server.listen`."""

    port: int | str | None
    host: str | None
    path: Path | None
    backlog: int | None
    ipv6_only: bool | None
    reuse_port: bool | None
    exclusive: bool | None
    fd: int | None
    handle: Any


class ListenCall(ListenOptions, total=False):
    """Keywords of a call of `Server.listen`."""

    callback: Signal | None


class ServerOptions(TypedDict, total=False):
    """Options of `Server`."""

    allow_half_open: bool | None
    pause_on_connect: bool | None
    no_delay: bool | None
    keep_alive: bool | None
    keep_alive_initial_delay: float | None
    high_water_mark: int | None


SOCKET_NAMES: Final = frozenset(SocketOptions.__annotations__)
CONNECT_NAMES: Final = frozenset(ConnectOptions.__annotations__)
LISTEN_NAMES: Final = frozenset(ListenOptions.__annotations__)
SERVER_NAMES: Final = frozenset(ServerOptions.__annotations__)


def merge(
    names: Iterable[str], mapping: Mapping[str, Any] | None, keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """Join a mapping and keywords, which win; leave out what is None.

    Raises:
        InvalidArgTypeError: If `mapping` is no mapping or has an unknown name.
    """
    if mapping is None:
        mapping = {}
    if not isinstance(mapping, Mapping):
        raise InvalidArgTypeError("options", "a mapping", mapping)
    merged = {**mapping, **keywords}
    for name in merged.keys() - names:
        raise InvalidArgTypeError("options", f"without {name!r}", name)
    return {name: value for name, value in merged.items() if value is not None}


def check_callback(callback: object) -> None:
    """Raise unless `callback` is callable or None (spec H-003)."""
    if callback is not None and not callable(callback):
        raise InvalidArgTypeError("callback", "callable", callback)


def check_duration(name: str, value: object) -> float:
    """Return a duration in seconds (spec H-005).

    Raises:
        InvalidArgTypeError: If it is not a real number.
        OutOfRangeError: If it is negative, NaN or infinite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgTypeError(name, "a number of seconds", value)
    if not 0 <= value < math.inf:
        raise OutOfRangeError(name, "0 or more and finite", value)
    return min(float(value), _LONGEST_SECONDS)


def _check_family(options: dict[str, Any]) -> None:
    family = options.get("family", 0)
    if isinstance(family, bool) or family not in (0, 4, 6):
        raise InvalidArgValueError("family", "must be 0, 4 or 6", family)


def _check_str(options: Mapping[str, Any], name: str) -> None:
    if name in options and not isinstance(options[name], str):
        raise InvalidArgTypeError(name, "a str", options[name])


def _split_callback(
    positional: tuple[Any, ...], callback: object
) -> tuple[list[Any], Callable[..., object] | None]:
    """Take the callback off the end of the positional arguments."""
    rest = list(positional)
    if callback is None and rest and callable(rest[-1]) and not _is_target(rest[-1]):
        callback = rest.pop()
    while rest and rest[-1] is None:
        rest.pop()
    check_callback(callback)
    return rest, callback if callable(callback) else None


def _is_target(value: object) -> bool:
    return isinstance(value, str | bytes | int | os.PathLike | Mapping | socket.socket)


def _kinds(values: Iterable[object]) -> list[str]:
    """Return what may be shown of arguments: the values may be keys."""
    return [type(value).__name__ for value in values]


def parse_connect(
    positional: tuple[Any, ...], keywords: Mapping[str, Any], names: frozenset[str]
) -> tuple[dict[str, Any], Callable[..., object] | None]:
    """Return options and callback of a call of `connect`, checked.

    Source: spec H-138.
    """
    keywords = dict(keywords)
    rest, callback = _split_callback(positional, keywords.pop("callback", None))
    mapping: dict[str, Any] = {}
    if rest and not isinstance(rest[0], Mapping):
        mapping = _connect_target(rest)
    if rest and isinstance(rest[0], Mapping):
        mapping = {**rest.pop(0), **mapping}
    if rest:
        raise InvalidArgValueError(
            "arguments", "fit no form of connect", _kinds(positional)
        )
    options = merge(names, mapping, keywords)
    _check_connect(options)
    return options, callback


def _connect_target(rest: list[Any]) -> dict[str, Any]:
    first = rest.pop(0)
    if not _is_connect_port(first):
        return {"path": first}
    options = {"port": first}
    if rest:
        options["host"] = rest.pop(0)
    return options


def _is_connect_port(value: object) -> bool:
    if isinstance(value, str):
        return is_port_text(value)
    return not isinstance(value, bytes | os.PathLike)


def _check_connect(options: dict[str, Any]) -> None:
    if "path" in options:
        options["path"] = to_path(options["path"])
    elif "port" in options:
        options["port"] = to_port(options["port"])
    else:
        raise MissingArgsError("connect needs a port or a path")
    if "local_port" in options:
        options["local_port"] = to_port(options["local_port"])
    _check_str(options, "host")
    _check_str(options, "local_address")
    _check_family(options)
    for name in (
        "timeout",
        "keep_alive_initial_delay",
        "auto_select_family_attempt_timeout",
    ):
        if name in options:
            options[name] = check_duration(name, options[name])
    if "lookup" in options and not callable(options["lookup"]):
        raise InvalidArgTypeError("lookup", "callable", options["lookup"])


def parse_listen(
    positional: tuple[Any, ...], keywords: Mapping[str, Any]
) -> tuple[dict[str, Any], Callable[..., object] | None]:
    """Return options and callback of a call of `listen`, checked.

    Source: spec H-030 to H-032.
    """
    keywords = dict(keywords)
    rest, callback = _split_callback(positional, keywords.pop("callback", None))
    mapping: Mapping[str, Any] = {}
    if rest and isinstance(rest[0], Mapping):
        mapping = rest.pop(0)
    elif rest:
        mapping = _listen_target(rest)
    if rest:
        raise InvalidArgValueError(
            "arguments", "fit no form of listen", _kinds(positional)
        )
    options = merge(LISTEN_NAMES, mapping, keywords)
    _check_listen(options)
    return options, callback


def _listen_target(rest: list[Any]) -> dict[str, Any]:
    first = rest.pop(0)
    options: dict[str, Any] = {}
    if isinstance(first, str | bytes | os.PathLike) and not (
        isinstance(first, str) and is_port_text(first)
    ):
        options["path"] = first
    elif isinstance(first, int | float | str) or first is None:
        options["port"] = first
        if rest and not isinstance(rest[0], int):
            options["host"] = rest.pop(0)
    else:
        options["handle"] = first
    if rest:
        options["backlog"] = rest.pop(0)
    return options


def _check_listen(options: dict[str, Any]) -> None:
    given = [name for name in ("path", "fd", "handle") if name in options]
    if len(given) > 1 or (given and "port" in options):
        raise InvalidArgValueError(
            "options", "name more than one target", sorted(options)
        )
    if "path" in options:
        options["path"] = to_path(options["path"])
    elif "fd" in options:
        # bool is an int; nobody means standard output by True.
        if isinstance(options["fd"], bool) or not isinstance(options["fd"], int):
            raise InvalidArgTypeError("fd", "an int", options["fd"])
    elif "handle" not in options:
        options["port"] = to_port(options.get("port", 0))
    _check_str(options, "host")
    backlog = options.setdefault("backlog", 511)
    if isinstance(backlog, bool) or not isinstance(backlog, int):
        raise InvalidArgTypeError("backlog", "an int", backlog)


def as_socket(handle: Any) -> socket.socket:
    """Return the system's socket inside a handle (spec H-032).

    Raises:
        InvalidArgValueError: If there is none.
    """
    seen = handle if isinstance(handle, socket.socket) else None
    if seen is None:
        inner = getattr(handle, "_handle", None)
        seen = inner if isinstance(inner, socket.socket) else None
    if seen is None:
        raise InvalidArgValueError("handle", "is no socket and has none", handle)
    return seen

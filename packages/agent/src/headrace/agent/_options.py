"""What an Agent can be told, and how it is checked.

Options come as keywords or as one mapping, keywords win, `None` counts as not given,
and an unknown name raises (H-002).
"""

import math
import os
from collections.abc import Callable, Mapping, Set
from typing import Any, Final, Never, TypedDict

from headrace.agent._errors import (
    InvalidArgTypeError,
    InvalidArgValueError,
    OutOfRangeError,
    UnknownOptionError,
)

__all__ = [
    "CONNECT_OPTION_NAMES",
    "OPTION_NAMES",
    "AgentOptions",
    "ConnectOptions",
    "FrozenOptions",
    "connect_options",
    "merge",
]

Check = Callable[[str, Any], Any]


class ConnectOptions(TypedDict, total=False):
    """How to make a connection: options of an Agent and of a request.

    As for `headrace.net.connect`, but a Unix socket's path is called `socket_path`.
    """

    host: str | None
    port: int | str | None
    socket_path: str | bytes | os.PathLike[str] | None
    local_address: str | None
    local_port: int | str | None
    family: int | None
    lookup: Callable[..., Any] | None
    timeout: float | None
    no_delay: bool
    auto_select_family: bool
    auto_select_family_attempt_timeout: float
    allow_half_open: bool
    high_water_mark: int


class AgentOptions(ConnectOptions, total=False):
    """Options of an `Agent`."""

    keep_alive: bool
    keep_alive_msecs: float
    max_sockets: float
    max_free_sockets: float
    max_total_sockets: float
    scheduling: str
    agent_keep_alive_timeout_buffer: float


class FrozenOptions(dict[str, Any]):
    """Options that never change: a copy of the mapping or the pairs it is made from.

    An `Agent` looks at the same object once, however often it is asked for a socket.
    A `types.MappingProxyType` would not do: who has the mapping below can change it.
    """

    __slots__ = ()

    def _refuse(self, *args: object, **keywords: object) -> Never:
        raise TypeError("these options cannot be changed")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


CONNECT_OPTION_NAMES: Final = frozenset(ConnectOptions.__annotations__)
OPTION_NAMES: Final = frozenset(AgentOptions.__annotations__)


def merge(
    names: Set[str], mapping: Mapping[str, Any] | None, keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """Join a mapping and keywords; leave out what is None.

    Raises:
        InvalidArgTypeError: If `mapping` is no mapping.
        UnknownOptionError: If a name is not in `names`.
    """
    if mapping is None:
        mapping = {}
    if not isinstance(mapping, Mapping):
        raise InvalidArgTypeError("options", "a mapping", mapping)
    merged = {**mapping, **keywords}
    for name in merged:
        if name not in names:
            raise UnknownOptionError(name)
    return {name: value for name, value in merged.items() if value is not None}


def connect_options(
    options: Mapping[str, Any], default_port: int | None
) -> dict[str, Any]:
    """Return what `net.connect` needs to know of the options of a request."""
    result = {
        name: value
        for name in CONNECT_OPTION_NAMES
        if (value := options.get(name)) is not None
    }
    result.setdefault("no_delay", True)
    path = result.pop("socket_path", None)
    if path:
        result["path"] = path
        for name in ("host", "port"):  # they only name the peer, if anything
            result.pop(name, None)
    elif default_port is not None:
        result.setdefault("port", default_port)
    return result


def check_count(name: str, value: object) -> float:
    """Return a limit: a number from 1 to infinity.

    Raises:
        InvalidArgTypeError: If it is no number.
        OutOfRangeError: If it is less than 1, or NaN.

    Source: H-090.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgTypeError(name, "a number", value)
    if not value >= 1:
        raise OutOfRangeError(name, "1 or more", value)
    return value


def check_duration(name: str, value: object) -> float:
    """Return a duration.

    Raises:
        InvalidArgTypeError: If it is no number.
        OutOfRangeError: If it is negative, NaN or infinite.

    Source: H-005.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgTypeError(name, "a number", value)
    if not 0 <= value < math.inf:
        raise OutOfRangeError(name, "0 or more and finite", value)
    return value


def check_flag(name: str, value: object) -> bool:
    """Return a boolean; raise InvalidArgTypeError if it is none."""
    if not isinstance(value, bool):
        raise InvalidArgTypeError(name, "a bool", value)
    return value


def check_scheduling(name: str, value: object) -> str:
    """Return `lifo` or `fifo`.

    Raises:
        InvalidArgTypeError: If it is no text.
        InvalidArgValueError: If it is another one.

    Source: X-058.
    """
    if not isinstance(value, str):
        raise InvalidArgTypeError(name, "a str", value)
    if value not in ("lifo", "fifo"):
        raise InvalidArgValueError(name, "must be 'lifo' or 'fifo'", value)
    return value

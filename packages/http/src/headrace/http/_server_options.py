"""What a server can be told, and how it is checked (H-002, H-005)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypedDict

from headrace.http._checks import check_duration
from headrace.http._errors import (
    InvalidArgTypeError,
    OutOfRangeError,
    UnknownOptionError,
)

if TYPE_CHECKING:
    from headrace.http._incoming import IncomingMessage
    from headrace.http._server_response import ServerResponse
    from headrace.http_parser import EngineName


class ServerOptions(TypedDict, total=False):
    """What `create_server` takes as keywords or in one mapping; see `Server`."""

    engine: EngineName
    headers_timeout: float | None
    request_timeout: float | None
    keep_alive_timeout: float | None
    keep_alive_timeout_buffer: float | None
    timeout: float | None
    connections_checking_interval: float | None
    max_header_size: int | None
    max_headers_count: int | None
    max_requests_per_socket: int | None
    max_pipelined_requests: int | None
    max_body_discard: int | None
    require_host_header: bool | None
    join_duplicate_headers: bool | None
    unique_headers: list[str] | None
    insecure_http_parser: bool | None
    reject_non_standard_body_writes: bool | None
    http_allow_half_open: bool | None
    should_upgrade_callback: Callable[[IncomingMessage], bool] | None
    incoming_message_class: type[IncomingMessage] | None
    server_response_class: type[ServerResponse] | None
    IncomingMessage: type[IncomingMessage] | None
    ServerResponse: type[ServerResponse] | None
    no_delay: bool | None
    keep_alive: bool | None
    keep_alive_initial_delay: float | None
    high_water_mark: int | None


#: Options of the `headrace.net.Server` below.
NET_OPTIONS: Final = frozenset(
    {"high_water_mark", "keep_alive", "keep_alive_initial_delay", "no_delay"}
)

_ALIASES: Final = {
    "IncomingMessage": "incoming_message_class",
    "ServerResponse": "server_response_class",
}

#: The options that are attributes of a server.
SETTINGS: Final = ServerOptions.__annotations__.keys() - NET_OPTIONS - _ALIASES.keys()

_DURATIONS: Final = (
    "connections_checking_interval",
    "headers_timeout",
    "keep_alive_timeout",
    "keep_alive_timeout_buffer",
    "request_timeout",
    "timeout",
)
_COUNTS: Final = (
    "max_body_discard",
    "max_header_size",
    "max_headers_count",
    "max_pipelined_requests",
    "max_requests_per_socket",
)
_SWITCHES: Final = (
    "http_allow_half_open",
    "insecure_http_parser",
    "join_duplicate_headers",
    "reject_non_standard_body_writes",
    "require_host_header",
)
_CALLABLES: Final = (
    "incoming_message_class",
    "server_response_class",
    "should_upgrade_callback",
)


def merge_options(options: object, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Join a mapping and keywords, which win; leave out what is None.

    Raises:
        InvalidArgTypeError: If `options` is no mapping.
    """
    if options is None:
        options = {}
    if not isinstance(options, Mapping):
        raise InvalidArgTypeError("options", "a mapping", options)
    merged = {**options, **keywords}
    return {
        _ALIASES.get(name, name): value
        for name, value in merged.items()
        if value is not None
    }


def check_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are settings of HTTP, checked.

    Raises:
        UnknownOptionError: If one does not exist.
        InvalidArgTypeError: If one has a wrong type.
        OutOfRangeError: If a number is negative or too large, or `headers_timeout`
            longer than `request_timeout`.
    """
    for name in options:
        if name not in SETTINGS:
            raise UnknownOptionError(name)
    checks: tuple[tuple[tuple[str, ...], Callable[[str, Any], object]], ...] = (
        (_DURATIONS, check_duration),
        (_COUNTS, _check_count),
        (_SWITCHES, _check_switch),
        (_CALLABLES, _check_callable),
    )
    for names, check in checks:
        for name in options.keys() & names:
            check(name, options[name])
    settings = dict(options)
    if "unique_headers" in settings:
        settings["unique_headers"] = _lower_names(settings["unique_headers"])
    return settings


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgTypeError(name, "an int", value)
    if value < 0:
        raise OutOfRangeError(name, "0 or more", value)


def _check_switch(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidArgTypeError(name, "a bool", value)


def _check_callable(name: str, value: object) -> None:
    if not callable(value):
        raise InvalidArgTypeError(name, "callable", value)


def _lower_names(names: object) -> frozenset[str]:
    if not isinstance(names, (list, tuple, set, frozenset)) or not all(
        isinstance(name, str) for name in names
    ):
        raise InvalidArgTypeError("unique_headers", "a list of names", names)
    return frozenset(name.lower() for name in names)

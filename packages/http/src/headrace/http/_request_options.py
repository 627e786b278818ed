"""From a URL and options to one checked record of where a request goes.

What depends on the place alone (host, port, path, the ready-made head) is a `Target`.
It never changes, so a URL that was seen before costs one look-up.

Source: H-058 to H-069.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict
from urllib.parse import unquote

from headrace.agent import FrozenOptions
from headrace.http._errors import (
    BadPortError,
    InvalidArgTypeError,
    InvalidArgValueError,
    InvalidProtocolError,
    InvalidTokenError,
    InvalidURLError,
    OutOfRangeError,
    UnescapedCharactersError,
    UnknownOptionError,
)
from headrace.http._headers import Fields, Headers, check_text, is_token, plain
from headrace.net import is_ipv6

if TYPE_CHECKING:
    from headrace.http_parser import EngineName

Callback = Callable[..., object]


class ConnectOptions(TypedDict, total=False):
    """Options that decide how a connection is made, and with whom it is shared."""

    family: int | None
    local_address: str | None
    local_port: int | str | None
    lookup: Callable[..., object] | None
    auto_select_family: bool | None
    auto_select_family_attempt_timeout: float | None
    no_delay: bool | None
    # TLS: see `headrace.net.TLSSocket`.
    cert: Any
    key: Any
    passphrase: Any
    ca: Any
    ssl_context: Any
    server_hostname: str | None
    alpn_protocols: Any
    reject_unauthorized: bool | None
    session: Any
    handshake_timeout: float | None


class RequestOptions(ConnectOptions, total=False):
    """Options of `request`, `get` and `ClientRequest` (H-058 to H-069)."""

    # Where to.
    protocol: str | None
    auth: str | None
    hostname: str | None
    host: str | None
    port: int | str | None
    default_port: int | None
    path: str | None
    socket_path: Any
    # What.
    method: str | None
    headers: Headers | Mapping[str, Any] | None
    set_host: bool | None
    set_default_headers: bool | None
    unique_headers: list[str] | None
    strict_content_length: bool | None
    reject_non_standard_body_writes: bool | None
    # How.
    agent: Any
    create_connection: Callable[..., Any] | None
    retry_stale: bool | None
    cancel: Any
    timeout: float | None
    connect_timeout: float | None
    total_timeout: float | None
    callback: Callback | None
    # What comes back.
    max_header_size: int | None
    max_headers_count: int | None
    insecure_http_parser: bool | None
    engine: EngineName | None
    join_duplicate_headers: bool | None


_CONNECT_NAMES: Final = frozenset(ConnectOptions.__annotations__) - {"__annotations__"}
_NAMES: Final = frozenset(RequestOptions.__annotations__)
_PLACE_NAMES: Final = _CONNECT_NAMES | {
    "auth",
    "default_port",
    "host",
    "hostname",
    "path",
    "port",
    "protocol",
    "socket_path",
}
_DURATIONS: Final = frozenset({"connect_timeout", "timeout", "total_timeout"})
_BOOLEANS: Final = frozenset(
    {
        "insecure_http_parser",
        "join_duplicate_headers",
        "reject_non_standard_body_writes",
        "retry_stale",
        "set_default_headers",
        "set_host",
        "strict_content_length",
    }
)
_COUNTS: Final = frozenset({"max_header_size", "max_headers_count"})

# URI = scheme ":" "//" [ userinfo "@" ] host [ ":" port ] path [ "?" query ] [ "#" … ]
# (RFC 3986 section 3). A reg-name may also hold letters outside ASCII: they are sent in
# their IDNA form. Whatever else is odd in path or query is refused as a target later.
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://"
    r"(?:(?P<user>[^/?#@\\\s]*)@)?"
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]+(?:%[^\]\s]+)?)\]|(?P<name>[^/?#@:\[\]\\\s]*))"
    r"(?::(?P<port>[0-9]*))?"
    r"(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?",
    re.DOTALL,
)
# The scheme of any other URL, with its colon; not a host with a port.
_OTHER_URL: Final = re.compile(r"(?!(?i:https?:))[A-Za-z][A-Za-z0-9+.\-]*:(?!\d)")
# unreserved, sub-delims and percent-encoded octets (RFC 3986 section 3.2.2), and "_".
_REG_NAME: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
# What may stand in a request target (H-064).
_NOT_TARGET: Final = re.compile(r"[^\x21-\xff]|\x7f")


class Location(NamedTuple):
    """The parts of a URL."""

    protocol: str
    auth: str | None
    hostname: str
    port: int | None
    path: str


def parse_url(url: str) -> Location:
    """Split an absolute URL; the fragment is dropped.

    Raises:
        InvalidURLError: If it is none, or names no host.

    Source: H-058, RFC 3986 section 3.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidURLError(url)
    port = int(match["port"]) if match["port"] else None
    if port is not None and (port > 65535 or len(match["port"]) > 5):
        raise InvalidURLError(url, "its port is out of range")
    return Location(
        match["scheme"].lower() + ":",
        _credentials(match["user"]),
        match["literal"] or _host_name(url, match["name"]),
        port,
        (match["path"] or "/") + (match["query"] or ""),
    )


def _credentials(user: str | None) -> str | None:
    """Return user info decoded, always with the colon that Basic needs (RFC 7617)."""
    if not user:
        return None
    name, _, password = user.partition(":")
    return f"{unquote(name)}:{unquote(password)}"


def _host_name(url: str, name: str) -> str:
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise InvalidURLError(url, "its host is no host name") from error
    if not _REG_NAME.fullmatch(name):
        raise InvalidURLError(url, "it names no valid host")
    return name


class SharedFields:
    """Header fields that several requests have; nobody changes them.

    Attributes:
        fields: They, by lower-case name, in order.
        text: Their lines.
        heads: Whole heads of a GET that has these fields and no body, by persistence;
            None if the fields say something of the body or the connection.
    """

    __slots__ = ("fields", "heads", "text")

    def __init__(self, fields: Fields, text: str) -> None:
        self.fields = fields
        self.text = text
        self.heads: dict[bool, bytes] | None
        self.heads = {} if _RULING.isdisjoint(fields) else None


# What decides about the frame of a body or the end of the connection.
_RULING: Final = frozenset(
    {"connection", "content-length", "trailer", "transfer-encoding"}
)


class Target:
    """Where requests go, and what is the same for all that go there.

    Attributes:
        protocol: ``http:`` or ``https:``.
        host: The name or address to connect to, without brackets.
        path: The request target.
        connect: The options that an agent connects with; they cannot be changed.
        bare: The header fields that every request there gets.
        authority: ``host:port`` as in a Host header.
    """

    __slots__ = (
        "_shared",
        "authority",
        "bare",
        "connect",
        "host",
        "path",
        "protocol",
    )

    def __init__(
        self,
        protocol: str,
        host: str,
        path: str,
        connect: Mapping[str, Any],
        authority: str,
        fields: Fields,
    ) -> None:
        self.protocol = protocol
        self.host = host
        self.path = path
        self.connect: Mapping[str, Any] = FrozenOptions(connect)
        self.authority = authority
        self.bare = SharedFields(fields, _lines(fields))
        # By the items of the ``headers`` that they were made of.
        self._shared: dict[tuple[tuple[str, str], ...], SharedFields] = {}

    def shared(self, headers: Headers) -> SharedFields | None:
        """Return the fields of a mapping that was given here before, if any."""
        if type(headers) is not dict:
            return None
        try:
            return self._shared.get(tuple(headers.items()))
        except TypeError:  # a list among the values
            return None

    def share(self, headers: Headers, fields: Fields) -> SharedFields | None:
        """Keep the fields that a mapping has come to, if it is short and all text."""
        if type(headers) is not dict or len(headers) > _SHARED_LENGTH_MAX:
            return None
        if any(not type(name) is type(value) is str for name, value in fields.values()):
            return None
        text = _lines(fields)
        if len(text) > _SHARED_SIZE_MAX:
            return None
        if len(self._shared) >= _SHARED_MAX:
            self._shared.clear()
        shared = SharedFields(fields, text)
        self._shared[tuple(headers.items())] = shared
        return shared


def _lines(fields: Mapping[str, tuple[str, Any]]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.values())


# Bounded, and small: most programs send one or two kinds of headers to a place.
_SHARED_MAX: Final = 16
_SHARED_LENGTH_MAX: Final = 32
_SHARED_SIZE_MAX: Final = 1024
# Bounded: a crawler sees millions of URLs. Emptied when full, which is rare and cheap.
_SEEN_MAX: Final = 1024
#: By URL, the agent's protocol and default port, and what else says where.
SEEN: Final[dict[tuple[Any, ...], Target]] = {}
# Equal values of other types (True, 1.0) are not as good.
_PLAIN: Final = frozenset({str, int})


def target_of(
    url: str | None, place: Mapping[str, Any], protocol: str, default_port: int
) -> Target:
    """Return the target of a URL and of options that say where.

    Args:
        url: An absolute URL, or None.
        place: Checked for unknown names; wins over the URL.
        protocol: What the agent speaks.
        default_port: Its port where none is named.

    Raises:
        InvalidURLError: If `url` is no URL.
        InvalidProtocolError: If the URL's protocol is another one.
        BadPortError, InvalidArgTypeError, InvalidArgValueError, InvalidCharError,
        UnescapedCharactersError: For what is wrong with an option.
    """
    key: tuple[Any, ...] = (url, protocol, default_port)
    if place:
        if not _PLAIN.issuperset(map(type, place.values())):
            return _make_target(url, place, protocol, default_port)
        key = (*key, *place.items())
    target = SEEN.get(key)
    if target is None:
        target = _make_target(url, place, protocol, default_port)
        if len(SEEN) >= _SEEN_MAX:
            SEEN.clear()
        SEEN[key] = target
    return target


def _make_target(
    url: str | None, place: Mapping[str, Any], protocol: str, default_port: int
) -> Target:
    parts = _NOWHERE if url is None else _parse_for(url, protocol)
    given = {name: value for name, value in parts.items() if value is not None}
    given.update(place)
    if "host" in place and "hostname" not in place:
        given.pop("hostname", None)
    wanted = given.get("protocol", protocol)
    _check_str("protocol", wanted)
    if wanted != protocol:
        raise InvalidProtocolError(wanted, protocol)
    host = _read_host(given)
    default_port = _read_port(given.get("default_port", default_port))
    port = _read_port(given.get("port", default_port))
    path = check_path(given.get("path") or "/")
    authority = host_field(host, port, default_port)
    connect = {"host": host, "port": port, **_read_connect(given)}
    return Target(protocol, host, path, connect, authority, _fields(authority, given))


_NOWHERE: Final[dict[str, Any]] = {}


def _parse_for(url: str, protocol: str) -> dict[str, Any]:
    """Return the parts of a URL; one of another kind has the wrong protocol first."""
    try:
        return parse_url(url)._asdict()
    except InvalidURLError:
        match = _OTHER_URL.match(url)
        if match is None or match[0].lower() == protocol:
            raise
        raise InvalidProtocolError(match[0].lower(), protocol) from None


def _fields(authority: str, given: Mapping[str, Any]) -> Fields:
    fields: Fields = {"host": ("Host", authority)}
    auth = given.get("auth")
    if auth is not None:
        _check_str("auth", auth)
        token = b64encode(auth.encode()).decode("ascii")
        fields["authorization"] = ("Authorization", f"Basic {token}")
    return fields


def _read_host(given: Mapping[str, Any]) -> str:
    for name in ("hostname", "host"):
        _check_str(name, given.get(name, ""))
    host: str = given.get("hostname") or given.get("host") or "localhost"
    host = plain(host)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    check_text("host", host)
    if (
        not host
        or any(char in host for char in "\t /?#@\\")
        or (":" in host and not is_ipv6(host))
    ):
        raise InvalidArgValueError("host", "must be a host name or an address", host)
    return host


def _read_port(port: object) -> int:
    if isinstance(port, str) and port.isascii() and port.isdigit() and len(port) <= 5:
        port = int(port)
    if type(port) is not int or not 0 <= port <= 65535:
        raise BadPortError(port)
    return port


def _read_connect(given: Mapping[str, Any]) -> dict[str, Any]:
    connect = {name: given[name] for name in _CONNECT_NAMES & given.keys()}
    if "family" in connect:
        family = connect["family"]
        if isinstance(family, bool) or family not in (0, 4, 6):
            raise InvalidArgValueError("family", "must be 0, 4 or 6", family)
    if "local_address" in connect:
        _check_str("local_address", connect["local_address"])
    if "local_port" in connect:
        connect["local_port"] = _read_port(connect["local_port"])
    if "lookup" in connect and not callable(connect["lookup"]):
        raise InvalidArgTypeError("lookup", "callable", connect["lookup"])
    path = given.get("socket_path")
    if path is not None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            raise InvalidArgTypeError("socket_path", "a path", path)
        connect["socket_path"] = path
    return connect


def host_field(host: str, port: int, default_port: int) -> str:
    """Return the value of a Host header (H-068)."""
    if ":" in host:
        # The zone of an address means something on this machine only (RFC 6874).
        host = f"[{host.partition('%')[0]}]"
    return host if port == default_port else f"{host}:{port}"


def check_path(path: object) -> str:
    """Return a request target that may go on the wire.

    Raises:
        InvalidArgTypeError: If it is not ``str``.
        UnescapedCharactersError: If it holds a space, a control character or one
            outside latin-1.

    Source: H-064.
    """
    if not isinstance(path, str):
        raise InvalidArgTypeError("path", "a str", path)
    if _NOT_TARGET.search(path) is not None:
        raise UnescapedCharactersError(path)
    return plain(path)


def check_method(method: object) -> str:
    """Return a method in upper case.

    Raises:
        InvalidArgTypeError: If it is not ``str``.
        InvalidTokenError: If it is not an HTTP token.

    Source: H-063.
    """
    if not isinstance(method, str):
        raise InvalidArgTypeError("method", "a str", method)
    if not is_token(method):
        raise InvalidTokenError("a method", method)
    return plain(method).upper()


def check_seconds(name: str, value: object) -> float:
    """Return a duration in seconds (H-005).

    Raises:
        InvalidArgTypeError: If it is not a real number.
        OutOfRangeError: If it is negative, infinite or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgTypeError(name, "a number of seconds", value)
    if not 0 <= value < inf:
        raise OutOfRangeError(name, "0 or more, and finite", value)
    return float(value)


def _check_str(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidArgTypeError(name, "a str", value)


def split_arguments(
    positional: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[str | None, dict[str, Any], Callback | None]:
    """Tell URL, options and callback apart (H-002, H-003, H-058).

    Args:
        positional: What was given by position, at most URL, mapping and callback.
        keywords: What was given by name; it is this function's to keep.

    Returns:
        The URL if there is one, the options that were given (None counts as not given),
        and the callback.

    Raises:
        InvalidArgTypeError: If something is neither of the three.
        UnknownOptionError: If an option's name is unknown.
    """
    rest = [argument for argument in positional if argument is not None]
    callback = keywords.pop("callback", None) if keywords else None
    if rest and callable(rest[-1]) and callback is None:
        callback = rest.pop()
    url = rest.pop(0) if rest and isinstance(rest[0], str) else None
    if rest and isinstance(rest[0], Mapping):
        keywords = {**rest.pop(0), **keywords}
        callback = keywords.pop("callback", None) if callback is None else callback
    if rest and url is not None:  # mostly a method before, or behind, the URL
        expected = "a mapping (the method is an option: method=...)"
        raise InvalidArgTypeError("what follows the URL", expected, rest[0])
    if rest:
        raise InvalidArgTypeError("url or options", "a str or a mapping", rest[0])
    if callback is not None and not callable(callback):
        raise InvalidArgTypeError("callback", "callable", callback)
    return url, known_options(keywords), callback


def known_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return options without those that are None.

    Raises:
        UnknownOptionError: If an option's name is unknown.
    """
    if not _NAMES.issuperset(options):
        raise UnknownOptionError(min(options.keys() - _NAMES, key=str))
    for value in options.values():
        if value is None:
            return {name: each for name, each in options.items() if each is not None}
    return options


def split_place(options: dict[str, Any]) -> dict[str, Any]:
    """Take what says where out of checked options, and return it."""
    if _PLACE_NAMES.isdisjoint(options):
        return {}
    return {name: options.pop(name) for name in _PLACE_NAMES & options.keys()}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Check the options that are plain values.

    Raises:
        InvalidArgTypeError: If one has a wrong type.
        OutOfRangeError: If a duration or a count is out of range.
    """
    for name, value in settings.items():
        if name in _DURATIONS:
            check_seconds(name, value)
        elif name in _BOOLEANS:
            if not isinstance(value, bool):
                raise InvalidArgTypeError(name, "a bool", value)
        elif name in _COUNTS:
            if isinstance(value, bool) or not isinstance(value, int):
                raise InvalidArgTypeError(name, "an int", value)
            if value < 0:
                raise OutOfRangeError(name, "0 or more", value)

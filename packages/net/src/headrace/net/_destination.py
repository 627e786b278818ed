"""Where to connect, and how, checked once for many connections."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, overload

from headrace.net import _lookup
from headrace.net._errors import InvalidArgTypeError
from headrace.net._options import CONNECT_NAMES, SOCKET_NAMES, Path, parse_connect

if TYPE_CHECKING:
    from typing import Unpack

    from headrace.net._lookup import Candidate
    from headrace.net._options import CreateConnectionOptions

_NAMES: Final = CONNECT_NAMES | SOCKET_NAMES


class Destination:
    """What `connect` is told, checked once: for who connects there again and again.

    It takes what `connect` takes, but no listener, and cannot be changed. Of
    ``connect(destination)`` only the connecting itself is left::

        place = Destination(80, "192.0.2.1", no_delay=True)
        first, second = connect(place), connect(place)

    Args:
        *args: `port[, host]` or `path`, a mapping of options, or both.
        **options: As for `connect`.

    Raises:
        MissingArgsError: If there is neither a port nor a path.
        BadPortError: If the port is none.
        InvalidArgTypeError: If there is a listener, or an option has a wrong type.

    Source: spec H-138.
    """

    __slots__ = ("candidate", "options", "socket_options")

    @overload
    def __init__(
        self,
        port: int | str,
        host: str | None = None,
        /,
        **options: "Unpack[CreateConnectionOptions]",
    ) -> None: ...
    @overload
    def __init__(
        self,
        target: int | Path | Mapping[str, Any],
        /,
        **options: "Unpack[CreateConnectionOptions]",
    ) -> None: ...
    @overload
    def __init__(self, **options: "Unpack[CreateConnectionOptions]") -> None: ...
    def __init__(self, *args: Any, **options: Any) -> None:
        parsed, callback = parse_connect(args, options, _NAMES)
        if callback is not None:
            raise InvalidArgTypeError("callback", "left out", callback)
        own = {name: parsed.pop(name) for name in SOCKET_NAMES & parsed.keys()}
        if own.get("handle") is not None or own.get("fd") is not None:
            raise InvalidArgTypeError("handle", "left out", own)
        self.socket_options: Final[Mapping[str, Any]] = own
        self.options: Final[Mapping[str, Any]] = parsed
        self.candidate: Final[Candidate | None] = _address_in(parsed)

    def __repr__(self) -> str:
        where = self.options.get("path")
        if where is None:
            host = self.options.get("host", "localhost")
            where = f"{host}:{self.options['port']}"
        return f"<{type(self).__name__} {where}>"


def _address_in(options: Mapping[str, Any]) -> "Candidate | None":
    """Return the address if the host is one; the number of a zone may change."""
    if "path" in options:
        return None
    host = options.get("host") or "localhost"
    return None if "%" in host else _lookup.literal(host, options["port"])

"""`create_server`, `connect` and `create_connection`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, overload

from headrace.net._destination import Destination
from headrace.net._options import (
    CONNECT_NAMES,
    SOCKET_NAMES,
    Path,
    Signal,
    parse_connect,
)
from headrace.net._server import Server
from headrace.net._socket import Socket

if TYPE_CHECKING:
    from typing import Unpack

    from headrace.net._options import CreateConnectionCall, ServerOptions


def create_server(*args: Any, **options: "Unpack[ServerOptions]") -> Server:
    """Return a new `Server`, not listening yet; the arguments are the same.

    Source: spec H-133.
    """
    return Server(*args, **options)


@overload
def connect(
    port: int | str,
    host: str | None = None,
    callback: Signal | None = None,
    /,
    **options: "Unpack[CreateConnectionCall]",
) -> Socket: ...
@overload
def connect(
    target: int | Path | Mapping[str, Any],
    callback: Signal | None = None,
    /,
    **options: "Unpack[CreateConnectionCall]",
) -> Socket: ...
@overload
def connect(destination: Destination, /) -> Socket: ...
@overload
def connect(**options: "Unpack[CreateConnectionCall]") -> Socket: ...
def connect(*args: Any, **options: Any) -> Socket:
    """Return a new `Socket` that connects.

    Takes what `Socket.connect` takes, and as options those of `Socket`, too; or a
    `Destination` alone.

    Source: spec H-138.
    """
    if len(args) == 1 and not options and type(args[0]) is Destination:
        return Socket._to(args[0])
    names = CONNECT_NAMES | SOCKET_NAMES
    parsed, callback = parse_connect(args, options, names)
    own = {name: parsed.pop(name) for name in SOCKET_NAMES & parsed.keys()}
    return Socket(own)._connect(parsed, callback)


create_connection = connect

"""From a host name to addresses, by the system's resolver or by the user's hook."""

import inspect
import socket
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

import anyio

from headrace.events.loop import Waiter
from headrace.net._address import is_ip
from headrace.net._errors import InvalidArgValueError, LookupFailedError
from headrace.net._options import LookupHook


class Candidate(NamedTuple):
    """An address to try: the family and what `socket.connect` takes."""

    family: int
    sockaddr: Any


_FAMILIES = {0: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}


def literal(host: str, port: int) -> Candidate | None:
    """Return the one candidate of a host that is an IP address, else None."""
    version = is_ip(host)
    if version == 4:
        return Candidate(socket.AF_INET, (host, port))
    if version == 6 and "%" not in host:
        return Candidate(socket.AF_INET6, (host, port, 0, 0))
    if version == 6:
        # Only the resolver knows a zone's number; a numeric host never blocks.
        flags = socket.AI_NUMERICHOST
        found = socket.getaddrinfo(
            host, port, socket.AF_INET6, socket.SOCK_STREAM, 0, flags
        )
        return Candidate(socket.AF_INET6, found[0][4])
    return None


async def resolve(
    host: str, port: int, family: int, hook: LookupHook | None
) -> list[Candidate]:
    """Return the addresses of `host`, in the resolver's order and without repeats.

    Args:
        host: A name.
        port: Put into each address.
        family: 4, 6, or 0 for both.
        hook: Replaces the system's resolver.

    Raises:
        LookupFailedError: If there are none.
        Exception: What the hook raised or called back with.
    """
    if hook is None:
        found = await _ask_system(host, port, family)
    else:
        found = _from_hook(host, port, await _ask_hook(host, family, hook))
    if not found:
        raise LookupFailedError(host, socket.EAI_NONAME, "ENOTFOUND")
    return list(dict.fromkeys(found))


async def _ask_system(host: str, port: int, family: int) -> list[Candidate]:
    try:
        found = await anyio.getaddrinfo(
            host, port, family=_FAMILIES[family], type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:
        raise LookupFailedError.from_exception(host, error) from error
    wanted = (socket.AF_INET, socket.AF_INET6)
    return [Candidate(row[0], row[4]) for row in found if row[0] in wanted]


async def _ask_hook(host: str, family: int, hook: LookupHook) -> object:
    options = {"family": family, "all": True}
    if inspect.iscoroutinefunction(hook):
        return await hook(host, options)
    answer: Waiter[Any] = Waiter()

    def callback(
        error: BaseException | None, address: object = None, family: object = None
    ) -> None:
        if error is None:
            answer.set(address)
        else:
            answer.fail(error)

    result = hook(host, options, callback)
    if inspect.isawaitable(result):
        return await result
    return await answer.wait() if result is None else result


def _from_hook(host: str, port: int, result: object) -> list[Candidate]:
    """Accept one address or several, each a str, a (str, family) or a mapping."""
    several = isinstance(result, Iterable) and not isinstance(result, str | Mapping)
    rows: Iterable[object] = result if several else [result]  # type: ignore[assignment]
    found = []
    for row in rows:
        address: object = row
        if isinstance(row, Mapping):
            address = row.get("address")
        elif isinstance(row, tuple) and row:
            address = row[0]
        candidate = literal(address, port) if isinstance(address, str) else None
        if candidate is None:
            raise InvalidArgValueError(f"lookup of {host!r}", "must give IPs", row)
        found.append(candidate)
    return found


def interleave(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Alternate between the families, beginning with the first one's (RFC 8305, 4)."""
    by_family: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        by_family.setdefault(candidate.family, []).append(candidate)
    rows = zip_longest(*by_family.values())
    return [candidate for row in rows for candidate in row if candidate is not None]

"""Which requests go through a proxy, and through which one (X-064)."""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from collections.abc import Mapping
from typing import Final, NamedTuple

from headrace.http._errors import (
    InvalidArgTypeError,
    InvalidProxyError,
    InvalidURLError,
)
from headrace.http._request_options import parse_url

_SCHEMES: Final = ("http:", "https:")


class Proxy(NamedTuple):
    """A proxy.

    Attributes:
        host: Its name or address.
        port: Its port.
        secure: Whether the connection to it is TLS.
        authorization: The value of Proxy-Authorization, if it needs one.
    """

    host: str
    port: int
    secure: bool
    authorization: str | None


class Proxies:
    """What the proxy variables of an environment say.

    Args:
        environment: ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY``; each name in
            lower case wins over the one in upper case.

    Raises:
        InvalidArgTypeError: If it is no mapping of text.
        InvalidProxyError: If a proxy is no URL of ``http:`` or ``https:``.

    Source: X-064.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        if not isinstance(environment, Mapping):
            raise InvalidArgTypeError("proxy_env", "a mapping", environment)
        self._proxies = {
            protocol: read_proxy(_variable(environment, protocol[:-1] + "_proxy"))
            for protocol in _SCHEMES
        }
        self._exceptions = [
            Exemption(entry)
            for entry in _variable(environment, "no_proxy").replace(",", " ").split()
        ]

    def find(self, protocol: str, host: str, port: int) -> Proxy | None:
        """Return the proxy for a server, None if it is to be reached directly."""
        proxy = self._proxies.get(protocol)
        if proxy is None or any(each.covers(host, port) for each in self._exceptions):
            return None
        return proxy


def _variable(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name) or environment.get(name.upper()) or ""
    if not isinstance(value, str):
        raise InvalidArgTypeError(name, "a str", value)
    return value.strip()


def read_proxy(url: str) -> Proxy | None:
    """Return the proxy that a URL names; None if it is empty.

    Raises:
        InvalidProxyError: If it is no URL of ``http:`` or ``https:``.
    """
    if not url:
        return None
    try:
        parts = parse_url(url if "://" in url else f"http://{url}")
    except InvalidURLError as error:
        raise InvalidProxyError(url, error.reason) from None
    if parts.protocol not in _SCHEMES:
        raise InvalidProxyError(url, "a proxy is spoken to by http: or https:")
    secure = parts.protocol == "https:"
    port = parts.port if parts.port is not None else (443 if secure else 80)
    authorization = None
    if parts.auth is not None:
        authorization = "Basic " + b64encode(parts.auth.encode()).decode("ascii")
    return Proxy(parts.hostname, port, secure, authorization)


class Exemption:
    """One entry of NO_PROXY.

    ``*`` is every host; ``.suffix`` and ``*.suffix`` the hosts below a domain, without
    it; ``name`` that host alone; an address, a network in CIDR form, or a range
    ``first-last`` the hosts given by such an address. ``:port`` behind a host limits
    the entry to that port.
    """

    __slots__ = ("_first", "_host", "_last", "_port")

    def __init__(self, entry: str) -> None:
        self._port: int | None = None
        self._first = self._last = _address(entry.strip("[]"))
        if self._first is None and not self._read_range(entry):
            entry = self._read_port(entry)
            self._first = self._last = _address(entry.strip("[]"))
        self._host = entry.lower().removeprefix("*").rstrip(".")
        if entry == "*":
            self._host = "*"

    def _read_port(self, entry: str) -> str:
        host, colon, port = entry.rpartition(":")
        if colon and port.isascii() and port.isdigit():
            self._port = int(port)
            return host
        return entry

    def _read_range(self, entry: str) -> bool:
        first, dash, last = entry.partition("-")
        ends = _address(first), _address(last)
        if dash and None not in ends:
            self._first, self._last = ends
            return True
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
        self._first, self._last = network[0], network[-1]
        return True

    def covers(self, host: str, port: int) -> bool:
        """Tell whether a server is to be reached directly."""
        if self._port is not None and port != self._port:
            return False
        first, last = self._first, self._last
        if first is not None and last is not None:
            address = _address(host.partition("%")[0])
            return (
                address is not None
                and address.version == first.version == last.version
                and int(first) <= int(address) <= int(last)
            )
        name = host.lower().rstrip(".")
        if self._host == "*":
            return True
        if self._host.startswith("."):
            return name.endswith(self._host)
        return name == self._host


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None

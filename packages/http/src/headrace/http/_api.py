"""The client's functions: `request`, `get`, and the old `create_client`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from headrace.http._agent import Agent
from headrace.http._client_request import ClientRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Unpack

    from headrace.http._headers import Headers
    from headrace.http._incoming import IncomingMessage
    from headrace.http._request_options import RequestOptions

    Place = str | Mapping[str, Any] | Callable[[IncomingMessage], object] | None
    More = Mapping[str, Any] | Callable[[IncomingMessage], object] | None
    ResponseListener = Callable[[IncomingMessage], object] | None

#: Seconds for which the sockets of `global_agent` may be idle (H-019).
_GLOBAL_TIMEOUT: Final = 5.0

#: The agent of requests that name none; assign another one to replace it (H-019).
global_agent: Any = Agent(keep_alive=True, timeout=_GLOBAL_TIMEOUT)


def request(
    url: Place = None,
    options: More = None,
    callback: ResponseListener = None,
    /,
    **keywords: Unpack[RequestOptions],
) -> ClientRequest:
    """Begin a request; call its `end` to complete it.

    Args:
        url: Where to: an absolute URL, or all options as a mapping.
        options: More options; they win over the URL.
        callback: A one-time listener of ``response``; may stand in front of them.
        **keywords: Options as keywords; they win over the mapping.

    Returns:
        The request; await it for the response.

    Raises:
        InvalidURLError: If `url` is no absolute URL.
        InvalidProtocolError: If its scheme is not that of the agent.
        UnknownOptionError: If an option does not exist.
        HTTPError: If an option has a bad value; see `RequestOptions`.

    Source: H-017, H-058.
    """
    return ClientRequest(url, options, callback, **keywords)


def get(
    url: Place = None,
    options: More = None,
    callback: ResponseListener = None,
    /,
    **keywords: Unpack[RequestOptions],
) -> ClientRequest:
    """Do as `request`, and `end` the request at once.

    ``response = await get(url)`` is all that a plain download needs.

    Source: H-018.
    """
    return ClientRequest(url, options, callback, **keywords)._end_or_drop()


class Client:
    """What `create_client` returns: it knows a server, and nothing else."""

    def __init__(self, port: int | str, host: str) -> None:
        self.port = port
        self.host = host

    def request(
        self, method: str = "GET", path: str = "/", headers: Headers | None = None
    ) -> ClientRequest:
        """Begin a request to the server of this client (H-016)."""
        return ClientRequest(
            port=self.port, host=self.host, method=method, path=path, headers=headers
        )


def create_client(port: int | str = 80, host: str = "localhost") -> Client:
    """Return an object whose requests go to one server; use `request` instead.

    Source: H-016.
    """
    warnings.warn(
        "create_client() is deprecated: use http.request()",
        DeprecationWarning,
        stacklevel=2,
    )
    return Client(port, host)

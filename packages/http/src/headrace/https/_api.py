"""`request` and `get` over TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from headrace.https._agent import Agent
from headrace.https._request import ClientRequest

if TYPE_CHECKING:
    from typing import Unpack

    from headrace.http._api import More, Place, ResponseListener
    from headrace.http._request_options import RequestOptions

#: Seconds for which the sockets of `global_agent` may be idle (H-019).
_GLOBAL_TIMEOUT: Final = 5.0

#: The agent of requests that name none; assign another one to replace it.
global_agent: Any = Agent(keep_alive=True, timeout=_GLOBAL_TIMEOUT)


def request(
    url: Place = None,
    options: More = None,
    callback: ResponseListener = None,
    /,
    **keywords: Unpack[RequestOptions],
) -> ClientRequest:
    """Begin a request over TLS; see `headrace.http.request`.

    The options of TLS (`ca`, `cert`, `key`, `server_hostname`, `reject_unauthorized`,
    …) may be given here or to the agent.

    Source: X-071.
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

    Source: X-071.
    """
    return ClientRequest(url, options, callback, **keywords)._end_or_drop()

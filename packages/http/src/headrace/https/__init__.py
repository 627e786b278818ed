"""HTTP over TLS: the same server, client and agent with TLS underneath."""

from headrace.https._agent import Agent
from headrace.https._api import get, global_agent, request
from headrace.https._request import ClientRequest
from headrace.https._server import Server, ServerOptions, create_server

__all__ = [
    "Agent",
    "ClientRequest",
    "Server",
    "ServerOptions",
    "create_server",
    "get",
    "global_agent",
    "request",
]

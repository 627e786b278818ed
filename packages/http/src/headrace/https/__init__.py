"""HTTP over TLS: the same server, client and agent with TLS underneath."""

from headrace.https._agent import Agent
from headrace.https._api import get, global_agent, request
from headrace.https._request import ClientRequest

__all__ = ["Agent", "ClientRequest", "get", "global_agent", "request"]

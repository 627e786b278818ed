"""ClientRequest with the agent of HTTPS as its default."""

from __future__ import annotations

import sys
from typing import Any

from headrace import http


class ClientRequest(http.ClientRequest):
    """A request over TLS; see `headrace.http.ClientRequest`."""

    __slots__ = ()

    @classmethod
    def _default_agent(cls) -> Any:
        return sys.modules["headrace.https"].__dict__["global_agent"]

    @classmethod
    def _own_agent(cls) -> Any:
        from headrace.https._agent import Agent

        return Agent()

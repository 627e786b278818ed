"""ClientRequest with the agent of HTTPS as its default."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from headrace import http

if TYPE_CHECKING:
    from headrace.http._client_connection import ClientConnection


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

    def _connection_lost(
        self, connection: ClientConnection, error: Exception | None
    ) -> None:
        # A server that closes behind its answer, which is told at once.
        keep_session = getattr(self.agent, "keep_session", None)
        if keep_session is not None:
            keep_session(connection.net_socket)
        super()._connection_lost(connection, error)

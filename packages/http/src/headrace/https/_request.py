"""ClientRequest with the agent of HTTPS as its default."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

from headrace import http
from headrace.http._client_exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

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

    def _connect_options(self) -> Mapping[str, Any]:
        """Return where to connect to, and whom a proxy that takes its time concerns."""
        options = super()._connect_options()
        if self._proxy is None:
            return options
        # The options live as long as the socket, which is not only for this request.
        tell = WeakMethod(self._tunnel_idle)
        return {
            **options,
            "timeout": self.timeout,
            "on_idle": lambda: (tell() or int)(),
        }

    def _tunnel_idle(self) -> None:
        """Tell that nothing happens on the way to a tunnel (H-069)."""
        self._next_tick(self._waits_long)

    def _waits_long(self) -> None:
        if self._exchange is Exchange.WAITING and not self._gone and self._timeout_due:
            self._timeout_due = False
            self.emit("timeout")

    def _connection_lost(
        self, connection: ClientConnection, error: Exception | None
    ) -> None:
        # A server that closes behind its answer, which is told at once.
        keep_session = getattr(self.agent, "keep_session", None)
        if keep_session is not None:
            keep_session(connection.net_socket)
        super()._connection_lost(connection, error)

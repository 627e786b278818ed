"""The pool of HTTP connections: `headrace.agent.Agent` that knows HTTP's habits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from headrace import agent
from headrace.http._proxy import Proxies
from headrace.http_parser import ResponseParser
from headrace.net import connect_tls

if TYPE_CHECKING:
    from collections.abc import Mapping, Set
    from typing import Unpack

    from headrace.http_parser import EngineName


class AgentOptions(agent.AgentOptions, total=False):
    """Options of an `Agent`."""

    proxy_env: Mapping[str, str] | None
    engine: EngineName


_NOTHING: Final[Mapping[str, Any]] = {}
_NAMES: Final = agent.Agent.option_names | {"engine", "proxy_env"}


class Agent(agent.Agent):
    """A pool of connections to HTTP servers.

    Args:
        options: The keywords as one mapping; keywords win.
        **keywords: As for `headrace.agent.Agent`, and `proxy_env`: a mapping such as
            `os.environ`, whose ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` say
            which requests go through a proxy (X-064). Without it none does.
            `engine`: the parser's: ``"llhttp"``, ``"h11"``, or ``"auto"`` (default),
            what the environment says, else the fastest that is installed.

    Raises:
        EngineChoiceError: If the engine does not exist or is not installed.

    Source: H-090 to H-104, X-057 to X-064, X-069, X-070.
    """

    protocol: ClassVar[str] = "http:"
    default_port: ClassVar[int] = 80
    option_names: ClassVar[Set[str]] = _NAMES
    _names_are_stable: ClassVar[bool] = True

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        /,
        **keywords: Unpack[AgentOptions],
    ) -> None:
        given = {**(options or {}), **keywords}
        environment = given.pop("proxy_env", None)
        engine = given.pop("engine", None)
        super().__init__(given)
        #: The engine of its sockets' parsers; a request's own goes first.
        self.engine: EngineName = "auto" if engine is None else engine
        if engine is not None:
            ResponseParser(self.engine)  # one that is not there is told at once
        #: Which requests go through a proxy; None: no request does.
        self.proxies = None if environment is None else Proxies(environment)

    @property
    def can_reuse(self) -> bool:
        """Whether a socket could serve a second request (H-067)."""
        settings = self._settings
        return settings.keep_alive or settings.max_sockets != _NO_LIMIT

    def get_name(self, options: Mapping[str, Any] = _NOTHING) -> str:
        """Return the name of a connection, its proxy included (H-096)."""
        name = super().get_name(options)
        proxy = options.get("proxy")
        return name if proxy is None else f"{name}:proxy={proxy.host}:{proxy.port}"

    def create_connection(
        self, options: Mapping[str, Any], callback: agent.ConnectionCallback
    ) -> Any:
        """Make a connection, with TLS if it is to a proxy that wants it (X-064)."""
        proxy = options.get("proxy")
        if proxy is None or not proxy.secure:
            return super().create_connection(options, callback)
        return connect_tls(self.connect_options(options))


_NO_LIMIT: Final = float("inf")

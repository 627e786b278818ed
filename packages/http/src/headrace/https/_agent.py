"""The pool of HTTPS connections: which may be shared, and how one is made."""

from __future__ import annotations

import os
import ssl
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Final

from headrace.http import Agent as PlainAgent
from headrace.http._errors import InvalidArgTypeError, PeerGoneError, ProxyError
from headrace.http._request_options import host_field
from headrace.http_parser import HTTPParserError
from headrace.https._request import ClientRequest
from headrace.net import TLSSocket, connect_tls, create_secure_context

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Set
    from typing import Unpack

    from headrace.agent import ConnectionCallback, SocketHolder
    from headrace.http._agent import AgentOptions
    from headrace.http._proxy import Proxy
    from headrace.net import Socket

    class SecureAgentOptions(AgentOptions, total=False):
        """Options of an `Agent`."""

        cert: Any
        key: Any
        passphrase: str | bytes | None
        ca: Any
        ssl_context: ssl.SSLContext | None
        server_hostname: str | None
        alpn_protocols: Any
        reject_unauthorized: bool | None
        session: ssl.SSLSession | None
        handshake_timeout: float | None
        max_cached_sessions: float | None


#: What an `ssl.SSLContext` is made of. Loading the system's list of authorities takes
#: milliseconds, so a context is kept for the next connection with the same options.
_CONTEXT_NAMES: Final = (
    "alpn_protocols",
    "ca",
    "cert",
    "key",
    "passphrase",
    "reject_unauthorized",
    "ssl_context",
)
_CONNECTION_NAMES: Final = ("handshake_timeout", "server_hostname", "session")
_NAMES: Final = frozenset([*_CONTEXT_NAMES, *_CONNECTION_NAMES])
_CONTEXTS_MAX: Final = 100
_NOTHING: Final[Mapping[str, Any]] = {}
_NO_SESSION: Final = (None, None)

# Where a socket keeps the name of its place in the pool.
_KEY: Final = "_headrace_https_name"


class Agent(PlainAgent):
    """A pool of connections to HTTPS servers.

    A server is verified by default, against the system's list of authorities and the
    name that was asked for.

    Args:
        options: The keywords as one mapping; keywords win.
        **keywords: As for `headrace.http.Agent`, and the client options of
            `headrace.net.TLSSocket`; `max_cached_sessions` (100; 0: none): how many
            servers' sessions are kept, so that the next connection need not begin anew.

    Source: X-071, H-096.
    """

    protocol: ClassVar[str] = "https:"
    default_port: ClassVar[int] = 443
    option_names: ClassVar[Set[str]] = PlainAgent.option_names | _NAMES
    _names_are_stable: ClassVar[bool] = True

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        /,
        **keywords: Unpack[SecureAgentOptions],
    ) -> None:
        given: dict[str, Any] = {**(options or {}), **keywords}
        cached = given.pop("max_cached_sessions", None)
        super().__init__(given)
        self.max_cached_sessions: float = 100 if cached is None else cached
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        # With its context, because it is of no use with another one.
        self._sessions: OrderedDict[str, tuple[ssl.SSLContext, ssl.SSLSession]]
        self._sessions = OrderedDict()

    def get_name(self, options: Mapping[str, Any] = _NOTHING) -> str:
        """Return the name of a connection; it covers every option of TLS.

        Keys and certificates are in it as a digest only.

        Source: H-096.
        """
        name = super().get_name(options)
        server = options.get("server_hostname")
        if server is not None:
            name += f":server={server}"
        digest = digest_of(options)
        return f"{name}:tls={digest}" if digest else name

    # Connecting

    def create_connection(
        self, options: Mapping[str, Any], callback: ConnectionCallback
    ) -> Socket | Coroutine[Any, Any, Socket] | None:
        """Make a connection with TLS, through a proxy's tunnel if there is one."""
        if options.get("proxy") is not None:
            return self._connect_through(options["proxy"], options)
        secure = self._secure(options)
        return self._named(
            connect_tls({**self.connect_options(options), **secure}), options
        )

    def _named(self, socket: TLSSocket, options: Mapping[str, Any]) -> TLSSocket:
        socket.__dict__[_KEY] = self.get_name(options)
        return socket

    def _secure(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the TLS options of a connection, with a context that may be shared."""
        secure = {
            name: options[name]
            for name in _CONNECTION_NAMES
            if options.get(name) is not None
        }
        secure["ssl_context"] = self._context(options)
        secure.setdefault("server_hostname", options.get("host") or "localhost")
        context, session = self._sessions.get(self.get_name(options), _NO_SESSION)
        if context is secure["ssl_context"]:
            secure.setdefault("session", session)
        return secure

    def _context(self, options: Mapping[str, Any]) -> ssl.SSLContext:
        given = {
            name: options[name]
            for name in _CONTEXT_NAMES
            if options.get(name) is not None
        }
        if "ssl_context" in given:
            return create_secure_context(given)
        digest = digest_of(options)
        context = self._contexts.get(digest)
        if context is None:
            given.setdefault("alpn_protocols", ["http/1.1"])
            context = self._contexts[digest] = create_secure_context(given)
            if len(self._contexts) > _CONTEXTS_MAX:
                self._contexts.popitem(last=False)
        return context

    async def _connect_through(
        self, proxy: Proxy, options: Mapping[str, Any]
    ) -> TLSSocket:
        """Have a proxy open a tunnel, and secure the connection in it (X-064)."""
        # The port is named even if it is the default: RFC 9110 section 9.3.6.
        authority = host_field(options["host"], options["port"], -1)
        headers = {"Host": authority}
        if proxy.authorization is not None:
            headers["Proxy-Authorization"] = proxy.authorization
        request = ClientRequest(
            host=proxy.host,
            port=proxy.port,
            method="CONNECT",
            path=authority,
            headers=headers,
            set_default_headers=False,  # the tunnel is to stay: no "Connection: close"
            timeout=options.get("timeout") or self.timeout,
            agent=self._agent_for(proxy),
        )
        if "on_idle" in options:
            request.on("timeout", options["on_idle"])
        try:
            response = await request.end()
        except (PeerGoneError, HTTPParserError) as error:
            raise ProxyError(None, authority) from error
        socket = response.socket
        if socket is None or not 200 <= (response.status_code or 0) < 300:
            if socket is not None:
                socket.destroy()
            raise ProxyError(response.status_code or 0, authority)
        socket.set_timeout(0.0)
        return self._named(TLSSocket(socket, self._secure(options)), options)

    def _agent_for(self, proxy: Proxy) -> PlainAgent:
        """Return an agent that connects to the proxy itself."""
        if not proxy.secure:
            return _ProxyAgent(engine=self.engine)
        given = {name: self._connect_options[name] for name in self._tls_given()}
        return Agent(given, engine=self.engine)

    def _tls_given(self) -> Set[str]:
        return _NAMES & self._connect_options.keys()

    # Sessions

    def release(self, socket: Socket, holder: SocketHolder) -> None:
        """Take back a socket; its session is kept for the next connection."""
        self.keep_session(socket)
        if not holder.reusable and isinstance(socket, TLSSocket):
            socket.notify_close()
        super().release(socket, holder)

    def keep_session(self, socket: object) -> None:
        """Keep a socket's session for the next connection to the same place.

        To be called when an answer has come: the tickets of TLS 1.3 follow the
        handshake. Harmless for a socket of another agent.
        """
        if not isinstance(socket, TLSSocket) or self.max_cached_sessions < 1:
            return
        name, session = vars(socket).get(_KEY), socket.get_session()
        context = socket.secure_context
        if name is None or session is None or context is None:
            return
        self._sessions[name] = (context, session)
        self._sessions.move_to_end(name)
        if len(self._sessions) > self.max_cached_sessions:
            self._sessions.popitem(last=False)


class _ProxyAgent(PlainAgent):
    """Connects to a proxy without TLS, for requests that are about TLS."""

    protocol: ClassVar[str] = "https:"


def digest_of(options: Mapping[str, Any]) -> str:
    """Return a short name for what a context is made of; empty for the default.

    Raises:
        InvalidArgTypeError: If a value is none that could be told from another one.
    """
    digest = sha256()
    found = False
    for name in _CONTEXT_NAMES:
        value = options.get(name)
        if value is None or (name == "reject_unauthorized" and value is True):
            continue
        found = True
        digest.update(f"\n{name}\n".encode())
        for item in value if isinstance(value, (list, tuple)) else (value,):
            digest.update(_identity(name, item) + b"\0")
    return digest.hexdigest()[:16] if found else ""


def _identity(name: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, (str, os.PathLike)):
        return os.fsencode(value)
    if isinstance(value, bool):
        return str(value).encode()
    if isinstance(value, ssl.SSLContext):
        return str(id(value)).encode()  # it lives while one of its connections does
    # Another object's identity would pass to the next object in its place.
    raise InvalidArgTypeError(name, "text, bytes, a path, or a list of these", value)

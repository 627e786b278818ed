"""TLSSocket: a Socket whose bytes are encrypted on the way."""

import logging
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from headrace.events.loop import Loop, current
from headrace.net._certificate import describe_certificate
from headrace.net._errors import InvalidArgTypeError, InvalidArgValueError
from headrace.net._options import SOCKET_NAMES, merge, parse_connect
from headrace.net._socket import Socket, transport_for
from headrace.net._socket_base import handle_of
from headrace.net._socket_below import SocketBelow
from headrace.net._state import Link, LinkMove
from headrace.net._tls import TLSTransport
from headrace.net._tls_options import (
    TLS_CONNECT_NAMES,
    TLS_NAMES,
    create_secure_context,
    handshake_timeout,
    requested_name,
)
from headrace.net._transport import Transport

if TYPE_CHECKING:
    import socket
    from typing import Unpack

    from anyio.abc import ByteStream

    from headrace.net._lookup import Candidate
    from headrace.net._server import Server
    from headrace.net._tls_options import TLSConnectOptions

logger = logging.getLogger("headrace.net")


class TLSSocket(Socket):
    """A connection with TLS; everything of `Socket` works on the plain data.

    Args:
        below: A socket to put TLS on, as its client unless `is_server` is set.
        options: The keywords as one mapping; keywords win.
        is_server: Which side of the handshake to take on `below`.
        **keywords: Those of `Socket`, and `ca`, `cert`, `key`, `passphrase`,
            `alpn_protocols`, `reject_unauthorized`, `request_cert`, `sni_callback`, or
            `ssl_context` instead of these (see `create_secure_context`);
            `server_hostname` (by default the host; empty, without verification: ask
            for none), `session` (of an earlier connection), `handshake_timeout` (120).

    Attributes:
        encrypted: True, unlike on a plain socket, which has no such attribute.

    Events:
        secure_connect (): the handshake is done, and on a client with
            `reject_unauthorized` the peer's certificate holds. Comes after ``connect``.

    Source: spec H-148, X-071.
    """

    __slots__ = ("_tls",)

    encrypted = True
    _tls_options: Mapping[str, Any] = {}

    def __init__(
        self,
        below: Socket | Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        /,
        *,
        is_server: bool = False,
        **keywords: Any,
    ) -> None:
        if isinstance(below, Mapping):
            below, options = None, below
        if below is not None and not isinstance(below, Socket):
            raise InvalidArgTypeError("below", "a Socket", below)
        given = merge(SOCKET_NAMES | TLS_NAMES, options, keywords)
        tls = {name: given.pop(name) for name in TLS_NAMES & given.keys()}
        handle = handle_of(given)
        self._init(given)
        self._tls: TLSTransport | None = None
        self._tls_options = tls
        if below is not None:
            self._put_over(below, is_server)
        elif handle is not None:
            self._owner = current().owner
            self._tls = self._make_tls(is_server, None)
            self._adopt_transport(transport_for(self, handle))
            self._begin()

    def _put_over(self, below: Socket, is_server: bool) -> None:
        """Start TLS on a connection that exists, or is being made."""
        loop = self.loop()
        self._owner = loop.owner
        self._tls = tls = self._make_tls(is_server, None)
        self._adopt_transport(SocketBelow(loop, tls, tls.receive, below))
        if below.connecting:
            below.once("connect", self._begin)
        else:
            self._begin()

    @classmethod
    def _accepted(
        cls,
        server: "Server",
        loop: Loop,
        sock: "socket.socket | ByteStream",
        remote: object,
    ) -> Self:
        self = super()._accepted(server, loop, sock, remote)
        self._tls_options = server._tls_options
        self._tls = self._make_tls(True, None)
        self._transport = self._layered(self._transport)
        self._begin()
        return self

    @classmethod
    def _put_over_for(cls, server: "Server", below: Socket) -> Self:
        """Return the server's side of TLS on a connection that exists."""
        self = cls(below, server._tls_options, is_server=True)
        self._server = server
        self._owner = self
        self._is_accepted = True
        return self

    def _is_handshaking_for(self, server: "Server") -> bool:
        return self._server is server and self.secure_connecting

    # The connection

    def connect(self, *args: Any, **options: Any) -> Self:
        """Connect as `Socket.connect` does, then secure the connection.

        Takes the options of TLS, too; the listener is one of ``secure_connect``.
        """
        names = TLS_CONNECT_NAMES - SOCKET_NAMES - {"socket"}
        parsed, callback = parse_connect(args, options, names)
        return self._connect(parsed, callback)

    def _connect(
        self,
        options: Mapping[str, Any],
        callback: Callable[..., object] | None,
        candidate: "Candidate | None" = None,
    ) -> Self:
        rest = dict(options)
        tls = {name: rest.pop(name) for name in TLS_NAMES & rest.keys()}
        self._tls_options = {**self._tls_options, **tls}
        made = self._make_tls(False, options.get("host"))
        super()._connect(rest, None, candidate)
        self._tls = made
        if callback is not None:
            self.once("secure_connect", callback)
        return self

    def _make_tls(self, server_side: bool, host: str | None) -> TLSTransport:
        options = self._tls_options
        context = create_secure_context(options, server_side=server_side)
        name = options.get("server_hostname", host or "localhost")
        if name == "" and not context.check_hostname:
            name = None  # ask for none: only who checks nothing can
        try:
            return TLSTransport(
                self.loop(),
                self,
                self._push_data,
                context,
                server_side=server_side,
                server_hostname=None if server_side else name,
                session=None if server_side else options.get("session"),
            )
        except ValueError as error:
            reason = f"cannot be used: {error}"
            raise InvalidArgValueError(
                "server_hostname or session", reason, name
            ) from (error)

    def _layered(self, transport: Transport) -> Transport:
        if self._tls is None:
            return transport
        self._tls.put_over(transport)
        return self._tls

    def _use_transport(self, transport: Transport, move: LinkMove) -> None:
        super()._use_transport(transport, move)
        if move is LinkMove.CONNECTED:
            self._begin()

    def _begin(self) -> None:
        if self._tls is not None and self._link is Link.OPEN:
            self._tls.begin(handshake_timeout(self._tls_options))

    def _is_ready(self) -> bool:
        return super()._is_ready() and not self.secure_connecting

    def _tls_established(self) -> None:
        self._tell_ready()
        deliver = self.loop().deliver
        if self._server is not None:
            deliver(self._owner, self._server._connection_secured, self)
        if self._receiver is not None:
            deliver(self._owner, self._tell_receiver)
        deliver(self._owner, self.emit, "secure_connect")

    def _tell_of_loss(self, error: BaseException | None) -> bool:
        told = super()._tell_of_loss(error)
        if self._server is None or error is None or not self._failed_early():
            return told
        self._server._handshake_failed(error, self)
        return True

    def _failed_early(self) -> bool:
        return self._tls is not None and not self._tls.was_established

    def notify_close(self) -> None:
        """Send TLS's own end now, if all that was written is sent; wait for nobody.

        For a protocol that knows its data to be complete and is about to `destroy` the
        socket, which by itself looks like a connection that was cut.

        Source: RFC 8446 section 6.1.
        """
        if self._link is Link.OPEN and not self.secure_connecting:
            self._transport.shutdown_write()

    # Facts

    @property
    def secure_connecting(self) -> bool:
        """Whether the handshake has not been completed."""
        return self._tls is None or not self._tls.was_established

    @property
    def authorized(self) -> bool:
        """Whether the peer's certificate was checked and holds."""
        if self._tls is None or not self._tls.was_established:
            return False
        return bool(self._tls.tls.getpeercert())

    @property
    def authorization_error(self) -> str | None:
        """Why the peer is not authorized; None if it is, or if nobody asked.

        `CERT_NOT_SENT`, or `CERT_NOT_CHECKED` for a client that was told not to reject.
        """
        tls = self._tls
        if tls is None or not tls.was_established or self.authorized:
            return None
        if tls.tls.getpeercert(binary_form=True) is not None:
            return "CERT_NOT_CHECKED"
        asked = tls.tls.context.verify_mode is not ssl.CERT_NONE
        return "CERT_NOT_SENT" if asked else None

    def get_peer_certificate(self, detailed: bool = False) -> dict[str, Any] | None:
        """Return the peer's certificate.

        Args:
            detailed: Accepted for Node's sake; `ssl` does not give the issuers.

        Returns:
            `subject`, `issuer`, `subjectaltname`, `valid_from`, `valid_to`,
            `serial_number`, `fingerprint…` and `raw`; empty if the peer sent none, None
            before the handshake and after `destroy`.

        Source: spec H-148.
        """
        if self._tls is None or self.secure_connecting or self.destroyed:
            return None
        return describe_certificate(self._tls.tls)

    @property
    def alpn_protocol(self) -> str | None:
        """The protocol that both sides have agreed on, if they have."""
        return None if self._tls is None else self._tls.tls.selected_alpn_protocol()

    @property
    def servername(self) -> str | None:
        """The server name that the client has asked for; None if it has not."""
        return None if self._tls is None else requested_name(self._tls.tls)

    def get_protocol(self) -> str | None:
        """Return the version in use, such as `TLSv1.3`; None before the handshake."""
        return None if self._tls is None else self._tls.tls.version()

    def get_cipher(self) -> dict[str, Any] | None:
        """Return `name`, `version` and `bits` of the cipher; None before it is set."""
        cipher = None if self._tls is None else self._tls.tls.cipher()
        if cipher is None:
            return None
        return dict(zip(("name", "version", "bits"), cipher, strict=True))

    @property
    def secure_context(self) -> ssl.SSLContext | None:
        """The settings in use; None before there are any.

        On a server that of the name asked for, when `sni_callback` has chosen.
        """
        return None if self._tls is None else self._tls.tls.context

    def get_session(self) -> ssl.SSLSession | None:
        """Return what resumes this connection later, as option `session`.

        With TLS 1.3 the server sends it after the handshake: ask when data have come.
        It works only with the same `ssl_context`. None before the handshake.
        """
        if self._tls is None or self.secure_connecting:
            return None
        return self._tls.tls.session

    def is_session_reused(self) -> bool:
        """Return whether the handshake resumed an earlier session."""
        return self._tls is not None and bool(self._tls.tls.session_reused)

    @property
    def ended_cleanly(self) -> bool:
        """Whether the peer said that its data are complete, as far as they have ended.

        False when the connection ended without TLS's own end: an attacker may have cut
        it. A protocol whose messages end with the connection must look at this.

        Source: RFC 8446 section 6.1, RFC 9112 section 9.8.
        """
        return self._tls is None or self._tls.ended_cleanly


def connect_tls(*args: Any, **options: "Unpack[TLSConnectOptions]") -> TLSSocket:
    """Return a new `TLSSocket` that connects and secures the connection.

    Args:
        *args: `port[, host]` or `path`, a mapping of options, or both; then a one-time
            listener of ``secure_connect``.
        **options: Those of `connect` and of `TLSSocket`; `socket`: put TLS on this
            connection instead of making one.

    Source: spec X-071.
    """
    keywords: dict[str, Any] = dict(options)
    below = keywords.pop("socket", None)
    if below is None and args and isinstance(args[0], Mapping):
        below = args[0].get("socket")
    if below is None:
        parsed, callback = parse_connect(args, keywords, TLS_CONNECT_NAMES)
        own = {name: parsed.pop(name) for name in SOCKET_NAMES & parsed.keys()}
        return TLSSocket(own)._connect(parsed, callback)
    return _over(below, args, keywords)


def _over(below: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> TLSSocket:
    callback = keywords.pop("callback", None)
    rest = list(args)
    mapping = dict(rest.pop(0)) if rest and isinstance(rest[0], Mapping) else {}
    if callback is None and rest and callable(rest[-1]):
        callback = rest.pop()
    given = merge(TLS_CONNECT_NAMES, mapping, keywords)
    given.pop("socket", None)
    name = given.pop("host", None)
    if name is not None:
        given.setdefault("server_hostname", name)
    own = {key: given[key] for key in (SOCKET_NAMES | TLS_NAMES) & given.keys()}
    result = TLSSocket(below, own)
    if callback is not None:
        result.once("secure_connect", callback)
    return result

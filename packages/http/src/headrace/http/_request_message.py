"""What a client's request says: its line, its headers, the frame of its body.

The life of the exchange is in `_client_request.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from headrace.events import channel, specialized
from headrace.http._errors import BodyNotAllowedError, HeadersSentError
from headrace.http._framing import BODILESS_METHODS, Framing
from headrace.http._header_queue import ENDED, FINISHED, FIXED, SENT
from headrace.http._headers import Fields, Headers, HeaderValue, lower_name
from headrace.http._outgoing import OutgoingMessage
from headrace.http._request_head import (
    HEAD_ONLY,
    check_field,
    frame_request,
    persistence,
    read_headers,
)
from headrace.http._request_options import (
    SharedFields,
    Target,
    check_method,
    check_path,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.http._proxy import Proxies, Proxy

#: What `set_default_headers=False` takes out (X-043).
AUTOMATIC_HEADERS: Final = frozenset(
    {"connection", "content-length", "transfer-encoding"}
)

#: Methods that may be repeated: doing them twice has the effect of once (RFC 9110
#: section 9.2.2), and a body is no part of their usual life.
REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


# Members of an Enum are slow to look up on the hot path (Python 3.11).
_NO_BODY: Final = Framing.NONE

_started: Final = channel("http.client.request.start")  # for tools


class RequestMessage(OutgoingMessage):
    """A request as a message: everything but how it gets to its server.

    Source: H-063 to H-068, H-087, H-121, H-122.
    """

    __slots__ = (
        "_in_one",
        "_length_kept",
        "_method",
        "_path",
        "_proxy",
        "_shared",
        "_target",
        "_whole",
        "should_keep_alive",
    )

    # `super()` costs a look-up at every call.
    _init_outgoing = specialized(OutgoingMessage.__init__)

    def __init__(self) -> None:
        self._init_outgoing()
        #: The whole body where `end` was the first to send any of it: it can be
        #: repeated.
        self._whole: bytes | None = None
        #: The whole request, if it is one piece that waits for its socket.
        self._in_one: bytes | None = None
        self._length_kept = True  # the body has the length that was declared
        self._proxy: Proxy | None = None  # who forwards this request, if anybody
        #: Whose the fields are, until this request has its own.
        self._shared: SharedFields | None = None

    def _init_message(
        self,
        target: Target,
        method: str,
        headers: Headers | None,
        *,
        keep: bool,
        with_host: bool = True,
    ) -> None:
        self._target = target
        self._method = method
        self._path = target.path
        #: Whether the connection is to be used again afterwards (H-088).
        self.should_keep_alive = keep
        shares = with_host and method != "CONNECT"
        if shares:
            shared = target.bare if headers is None else target.shared(headers)
            if shared is not None:
                self._share(shared)
                return
        fields, lines = read_headers(headers if headers is not None else {})
        self._fields = fields
        if lines is not None:
            self._lines = lines
            self._stage = FIXED
            return
        self._add_fields(fields, with_host)
        if shares and headers is not None:
            shared = target.share(headers, fields)
            if shared is not None:
                self._share(shared)

    def _share(self, shared: SharedFields) -> None:
        self._shared = shared
        self._fields = shared.fields
        self._text = shared.text

    def _add_fields(self, fields: Fields, with_host: bool) -> None:
        """Add Host and Authorization behind the user's headers (H-065, H-068)."""
        for lowered, field in self._target.bare.fields.items():
            if lowered != "host":
                fields.setdefault(lowered, field)
            elif self._method == "CONNECT":
                fields.setdefault(lowered, ("Host", self._path))
            elif with_host:
                fields.setdefault(lowered, field)

    def _use_proxy(self, proxies: Proxies) -> None:
        """Find out who forwards this request, and speak to it as it expects (X-064)."""
        target, connect = self._target, self._target.connect
        if "socket_path" in connect:
            return
        proxy = proxies.find(target.protocol, target.host, connect["port"])
        if proxy is None:
            return
        self._proxy = proxy
        if target.protocol != "http:" or proxy.authorization is None:
            return  # a tunnel has a request of its own, to which this header belongs
        if "proxy-authorization" not in self._fields:
            field = ("Proxy-Authorization", proxy.authorization)
            self._own_fields()
            self._fields["proxy-authorization"] = field
            if self._lines is not None:
                self._lines.append(field)

    def _connect_options(self) -> Mapping[str, Any]:
        """Return where the agent is to connect to."""
        options, proxy = self._target.connect, self._proxy
        if proxy is None:
            return options
        forwarded = {**options, "proxy": proxy}
        if self._target.protocol == "http:":
            forwarded.update(host=proxy.host, port=proxy.port)
        return forwarded

    def _request_target(self) -> str:
        """Return what stands in the request line (RFC 9112 section 3.2)."""
        path, target = self._path, self._target
        if self._proxy is None or target.protocol != "http:":
            return path
        if self._method == "CONNECT" or not path.startswith(("/", "*")):
            return path
        path = "" if path == "*" else path
        return f"{target.protocol}//{target.authority}{path}"

    # The line

    @property
    def method(self) -> str:
        """The method, in upper case.

        Raises:
            HeadersSentError: If it is assigned after the head was sent.
            InvalidArgTypeError, InvalidTokenError: If it is no method.

        Source: H-063.
        """
        return self._method

    @method.setter
    def method(self, method: str) -> None:
        if self._stage >= SENT:
            raise HeadersSentError("change the method")
        self._method = check_method(method)

    @property
    def path(self) -> str:
        """The request target, query included.

        Raises:
            HeadersSentError: If it is assigned after the head was sent.
            UnescapedCharactersError: If it holds a space, a control character or one
                outside latin-1.

        Source: H-064.
        """
        return self._path

    @path.setter
    def path(self, path: str) -> None:
        if self._stage >= SENT:
            raise HeadersSentError("change the path")
        self._path = check_path(path)

    @property
    def host(self) -> str:
        """The name or address of the server."""
        return self._target.host

    @property
    def protocol(self) -> str:
        """``http:`` or ``https:``."""
        return self._target.protocol

    # The headers

    def set_header(self, name: str, value: HeaderValue) -> Self:
        """Queue one header for the head, replacing an earlier one of that name.

        Raises:
            InvalidArgTypeError: If Host is given a list; else as on a response.

        Source: H-087, H-049.
        """
        check_field(lower_name(name), name, value)
        self._own_fields()
        return super().set_header(name, value)

    def remove_header(self, name: str) -> None:
        """Take out a queued header; an automatic one of that name is not added.

        Source: H-087, H-053, H-122.
        """
        self._own_fields()
        super().remove_header(name)

    def _own_fields(self) -> None:
        """Make the fields this request's own, to change them."""
        if self._shared is not None:
            self._shared = self._text = None
            self._fields = dict(self._fields)

    # The head

    def flush_headers(self) -> None:
        """Send the head now, before there is any body; again: no effect.

        A method that usually has no body then has none, unless a header announces it.

        Source: H-080.
        """
        if self._stage < SENT and not self._gone:
            self._put(self._compose_head(HEAD_ONLY))
            self._stage = SENT

    def _compose_head(self, body_size: int | None) -> bytes:
        shared = self._shared
        if (
            body_size != 0
            or shared is None
            or shared.heads is None
            or self._method != "GET"
            or self._path is not self._target.path
            or self._proxy is not None
            or self._removed
        ):
            return self._write_head(body_size)
        self._framing = _NO_BODY
        head = shared.heads.get(self.should_keep_alive)
        if head is None:
            head = self._write_head(body_size)
            shared.heads[self.should_keep_alive] = head
        return head

    def _write_head(self, body_size: int | None) -> bytes:
        if self._trailers and self._lines is not None and self._has_body(body_size):
            body_size = None  # a list fixed the head without a length: they can follow
        frame = frame_request(self._method, self._fields, self._removed, body_size)
        if frame.without in self._fields:
            self._drop_field(frame.without)
        self._framing = frame.framing
        self._declared = frame.declared
        self.should_keep_alive, connection = persistence(
            self._fields, self._removed, self.should_keep_alive
        )
        text = (
            f"{self._method} {self._request_target()} HTTP/1.1\r\n"
            f"{self._user_lines()}{connection}{frame.line}\r\n"
        )
        return text.encode("latin-1")

    def _has_body(self, body_size: int | None) -> bool:
        """Tell whether a body is sent, an empty one, too."""
        if body_size is None or body_size == HEAD_ONLY:
            return False  # nobody can tell yet
        return body_size > 0 or self._method not in BODILESS_METHODS

    def _drop_field(self, lowered: str) -> None:
        self._shared = self._text = None
        self._fields = {k: v for k, v in self._fields.items() if k != lowered}
        if self._lines is not None:
            self._lines = [line for line in self._lines if line[0].lower() != lowered]

    # The body

    def _check_body(self, size: int) -> None:
        # A body without a frame would be read as the next request.
        if size and self._framing is _NO_BODY:
            raise BodyNotAllowedError
        super()._check_body(size)

    def _give_up_persistence(self) -> None:
        self._length_kept = False

    def _finish_body(self, chunk: bytes) -> None:
        if _started.has_subscribers:
            _started.publish({"request": self})
        if not self._body_written:
            self._whole = chunk
        if not (chunk or self._held or self._held_callbacks or self._wire):
            # The usual GET: nothing was sent, and nothing is but the head.
            head = self._compose_head(0) if self._stage < SENT else b""
            if self._framing is _NO_BODY:
                self._stage = ENDED
                self._in_one = head
                return
        super()._finish_body(chunk)

    def _hold_end(self, data: bytes) -> None:
        if data and self._held is None and self._held_callbacks is None:
            self._in_one = data
        else:
            super()._hold_end(data)

    # Sending it once more

    def _is_repeatable(self) -> bool:
        """Tell whether all that was sent can be sent again (X-056)."""
        return self._method in REPEATABLE and (
            not self._body_written if self._stage < ENDED else self._whole is not None
        )

    def _rewind(self) -> None:
        """Hold everything back again for another socket."""
        stage = self._stage
        self._wire = self._held = self._held_callbacks = None
        if stage < SENT:
            return
        self._stage = FIXED
        self._body_written = 0
        if stage < ENDED:
            self.flush_headers()
            return
        self._finish_body(self._whole or b"")
        if stage == FINISHED:
            # ``finish`` was emitted: once is enough.
            whole, self._in_one = self._in_one, None
            if whole is not None:
                self._hold_back(whole)
            self._held_callbacks = [self._flushed_again]

    def _held_size(self) -> int:
        if self._in_one is None or self._gone:
            return super()._held_size()
        return len(self._in_one)

    def _flushed_again(self, error: Exception | None) -> None:
        if error is None and not self._gone:
            self._stage = FINISHED
            self._finished()

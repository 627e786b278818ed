"""The server over TLS: all of HTTP, who is let in, and how it ends (X-071)."""

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest
import trustme

from headrace import http, https, net
from headrace.events import once
from headrace.http.testing import RawClient
from headrace.net.testing import port_of, record

Engine = Literal["h11", "llhttp"]
Request = http.IncomingMessage
Response = http.ServerResponse

AUTHORITY = trustme.CA()


def pem(*blobs: trustme.Blob) -> bytes:
    return b"".join(blob.bytes() for blob in blobs)


def certificate(*names: str, authority: trustme.CA = AUTHORITY) -> dict[str, Any]:
    issued = authority.issue_cert(*names)
    return {"cert": pem(*issued.cert_chain_pems), "key": pem(issued.private_key_pem)}


CA = pem(AUTHORITY.cert_pem)
SERVER = certificate("localhost", "127.0.0.1")
CLIENT = certificate("client.test")

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def trusting(authority: bytes = CA) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.decode())


def greet(request: Request, response: Response) -> None:
    response.end("hello")


def listening(listener: Any = greet, **options: Any) -> https.Server:
    server = https.create_server({**SERVER, **options}, listener)
    return server.listen(0, "127.0.0.1")


@asynccontextmanager
async def serving(
    listener: Any = greet, **options: Any
) -> AsyncIterator[tuple[https.Server, RawClient]]:
    """Run a server with one client of anyio's TLS connected to it."""
    async with (
        listening(listener, **options) as server,
        RawClient(server, ssl_context=trusting()) as client,
    ):
        yield server, client


@pytest.fixture(params=["h11", "llhttp"])
def engine(request: pytest.FixtureRequest) -> Engine:
    name: Engine = request.param
    return name


async def fetch(server: https.Server, **options: Any) -> str:
    """Ask with a client of our own, on a new connection."""
    response = await https.get(
        f"https://127.0.0.1:{port_of(server)}/", {"ca": CA, "agent": False, **options}
    )
    return await response.text()


# HTTP, the same as without TLS


async def test_request_and_answer(engine: Engine) -> None:
    """A request with a body, a chunked answer with trailers (X-071, N-172, H-057)."""

    async def echo(request: Request, response: Response) -> None:
        response.set_header("Trailer", "X-Sum")
        async for chunk in request:
            response.write(chunk)
        response.add_trailers({"X-Sum": request.trailers["x-sent"]})
        response.end()

    async with serving(echo, engine=engine) as (_, client):
        answer = await client.ask(
            "POST / HTTP/1.1\nTransfer-Encoding: chunked",
            b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sent: yes\r\n\r\n",
        )
    assert (answer.status, answer.body) == (200, b"abcde")
    assert answer.trailers == "X-Sum: yes"


async def test_pipelined_answers_keep_their_order(engine: Engine) -> None:
    """Answers leave as the requests came, however they finish (H-127)."""
    waiting: list[Response] = []

    def collect(request: Request, response: Response) -> None:
        waiting.append(response)
        if len(waiting) == 3:
            for number, one in reversed(list(enumerate(waiting))):
                one.end(str(number))

    async with serving(collect, engine=engine) as (_, client):
        await client.send(GET * 3)
        answers = [(await client.response()).body for _ in range(3)]
    assert answers == [b"0", b"1", b"2"]


async def test_expectations(engine: Engine) -> None:
    """100 Continue goes out before the body comes (H-024)."""

    async def answer(request: Request, response: Response) -> None:
        response.end(await request.body())

    async with serving(answer, engine=engine) as (_, client):
        first = await client.ask(
            "PUT / HTTP/1.1\nExpect: 100-continue\nContent-Length: 4"
        )
        await client.send(b"body")
        assert first.status == 100
        assert (await client.response()).body == b"body"


@pytest.mark.parametrize(
    "ask",
    [
        b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ],
    ids=["connect", "upgrade"],
)
async def test_leaving_http(ask: bytes, engine: Engine) -> None:
    """The socket stays encrypted, and is the listener's (H-025, H-026)."""

    def echo(request: Request, socket: net.Socket, head: bytes) -> None:
        socket.write(b"switched " + head)
        socket.pipe(socket)

    async with serving(engine=engine) as (server, client):
        server.on("connect", echo).on("upgrade", echo)
        await client.send(ask + b"head")
        assert await client.read_exactly(13) == b"switched head"
        await client.send(b"x" * 100_000)
        assert await client.read_exactly(100_000) == b"x" * 100_000


async def test_large_bodies_both_ways(engine: Engine) -> None:
    """Megabytes through a pipe arrive as they were sent (H-143)."""
    data = bytes(range(256)) * 20_000

    def echo(request: Request, response: Response) -> None:
        request.pipe(response)

    async with listening(echo, engine=engine) as server:
        request = https.request(
            f"https://127.0.0.1:{port_of(server)}/",
            {"ca": CA, "agent": False, "method": "POST"},
        )
        request.end(data)
        assert await (await request).body() == data


async def test_bad_input_is_answered(engine: Engine) -> None:
    """What is no HTTP gets its 400, inside of TLS (H-027)."""
    async with serving(engine=engine) as (_, client):
        await client.send(b"NONSENSE\r\n\r\n")
        assert (await client.response()).status == 400
        assert await client.read_all() == b""
        assert not client.was_cut


async def test_a_client_that_half_closes_gets_its_answer(engine: Engine) -> None:
    """close_notify ends one direction only (H-129, design 5)."""
    pending: list[Response] = []

    async with listening(lambda _, response: pending.append(response)) as server:
        client = net.connect_tls(port_of(server), "127.0.0.1", ca=CA)
        client.allow_half_open = True
        asked = once(server, "request")
        client.end(GET)
        await asked
        pending[0].end("late")
        received = b"".join([chunk async for chunk in client])
        assert received.endswith(b"late")
        assert client.ended_cleanly


async def test_requests_that_wait_before_close_notify_are_answered(
    engine: Engine,
) -> None:
    """The end does not overtake requests whose reading was held up (H-127, H-129)."""
    bodies = iter([b"x" * 500_000, *[b"y"] * 9])
    async with listening(
        lambda _, response: response.end(next(bodies)), engine=engine
    ) as server:
        client = net.connect_tls(port_of(server), "127.0.0.1", ca=CA)
        client.allow_half_open = True
        client.end(GET * 10)
        received = b"".join([chunk async for chunk in client])
    assert received.count(b"HTTP/1.1 200 OK") == 10
    assert received.endswith(b"y")


@pytest.mark.parametrize("ask", [LAST, b"GET / HTTP/1.0\r\n\r\n"])
async def test_an_answer_at_the_end_of_a_connection_ends_it_properly(
    ask: bytes,
) -> None:
    """TLS's own end follows the answer (RFC 9112 section 9.8)."""

    def in_pieces(request: Request, response: Response) -> None:
        response.write("until ")
        response.end("the end")

    async with serving(in_pieces) as (_, client):
        await client.send(ask)
        assert b"the end" in await client.read_all()
        assert not client.was_cut


async def test_an_answer_that_breaks_off_has_no_proper_end() -> None:
    """A body until the close that is not complete must not look so (9112 9.8)."""

    def broken(request: Request, response: Response) -> None:
        response.write("half", callback=lambda error: response.destroy())

    async with serving(broken) as (_, client):
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.read_all()).endswith(b"half")
        assert client.was_cut


async def test_our_client_sees_a_broken_answer() -> None:
    """The same with our own client: aborted, never complete (N-048)."""

    def broken(request: Request, response: Response) -> None:
        response.remove_header("Transfer-Encoding")  # it ends with the connection
        response.write("half", callback=lambda error: response.destroy())

    async with listening(broken) as server:
        with pytest.raises(ConnectionResetError, match="aborted"):
            await fetch(server)


# What is known of a connection


async def test_facts_of_the_socket() -> None:
    """encrypted, servername, alpn_protocol, peer certificate (H-115, H-148)."""
    found: list[Any] = []

    def look(request: Request, response: Response) -> None:
        socket = request.socket
        assert isinstance(socket, net.TLSSocket)
        found.extend(
            [socket.encrypted, socket.servername, socket.get_peer_certificate()]
        )
        found.extend([socket.authorized, socket.authorization_error])
        response.end()

    async with listening(look) as server:
        await fetch(server, server_hostname="localhost")
    assert found == [True, "localhost", {}, False, None]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["h2", "http/1.1"], "http/1.1"), (["h2"], None), (None, None)],
)
async def test_alpn(offered: list[str] | None, chosen: str | None) -> None:
    """http/1.1 is agreed on when it is offered (X-071)."""
    context = trusting()
    if offered is not None:
        context.set_alpn_protocols(offered)
    async with (
        listening() as server,
        RawClient(server, ssl_context=context) as client,
    ):
        answer = await client.ask("GET / HTTP/1.1")
        assert answer.body == b"hello"
        (connection,) = server._connections
        assert isinstance(connection, net.TLSSocket)
        assert connection.alpn_protocol == chosen


async def test_alpn_protocols_can_be_others() -> None:
    """The option replaces the default (X-071)."""

    def name(request: Request, response: Response) -> None:
        socket = request.socket
        assert isinstance(socket, net.TLSSocket)
        response.end(socket.alpn_protocol)

    async with listening(name, alpn_protocols=["x/9", "http/1.1"]) as server:
        assert await fetch(server, alpn_protocols=["http/1.1", "x/9"]) == "x/9"


async def test_client_certificates() -> None:
    """request_cert asks, authorized and the certificate tell (H-148)."""

    def who(request: Request, response: Response) -> None:
        socket = request.socket
        assert isinstance(socket, net.TLSSocket)
        shown = socket.get_peer_certificate()
        assert shown is not None
        name = shown.get("subjectaltname")
        response.end(f"{socket.authorized} {socket.authorization_error} {name}")

    asking = {"request_cert": True, "reject_unauthorized": False, "ca": CA}
    async with listening(who, **asking) as server:
        assert await fetch(server, **CLIENT) == "True None DNS:client.test"
        assert await fetch(server) == "False CERT_NOT_SENT None"


async def test_a_client_without_a_certificate_is_refused() -> None:
    """request_cert with reject_unauthorized, the default (X-071)."""
    async with listening(request_cert=True, ca=CA) as server:
        failures = record(server, "tls_client_error")
        requests = record(server, "request")
        with pytest.raises(OSError):  # noqa: PT011 - an alert, or merely a reset
            await fetch(server)
        assert await fetch(server, **CLIENT) == "hello"
        ((_, error, _),) = failures
        assert error.code == "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE"
        assert len(requests) == 1


async def test_a_client_certificate_of_a_stranger_is_refused() -> None:
    """Another authority's: the server's error names the reason (X-071)."""
    stranger = certificate("client.test", authority=trustme.CA())
    async with listening(request_cert=True, ca=CA) as server:
        failures = record(server, "tls_client_error")
        with pytest.raises(OSError):  # noqa: PT011 - an alert, or merely a reset
            await fetch(server, **stranger)
    ((_, error, _),) = failures
    assert error.code == "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"


# Where the certificate comes from


async def test_a_finished_context() -> None:
    """ssl_context takes the place of all others, and stays as it is (X-071)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    server = https.create_server(ssl_context=context)
    async with server.on("request", greet).listen(0, "127.0.0.1"):
        assert server.secure_context is context
        assert await fetch(server) == "hello"


async def test_a_callback_chooses_by_name() -> None:
    """sni_callback gets the name and gives a context (X-071)."""
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("other.test").configure_cert(other)
    asked: list[str | None] = []

    def choose(name: str | None) -> ssl.SSLContext | None:
        asked.append(name)
        return other if name == "other.test" else None

    async with listening(sni_callback=choose) as server:
        assert await fetch(server, server_hostname="other.test") == "hello"
        assert await fetch(server) == "hello"
    assert asked == ["other.test", None]


async def test_a_certificate_is_replaced_while_serving() -> None:
    """set_secure_context is for later connections; earlier ones go on (X-071)."""
    renewed = trustme.CA()
    async with serving() as (server, client):
        assert (await client.ask("GET / HTTP/1.1")).status == 200
        server.set_secure_context(certificate("127.0.0.1", authority=renewed))
        assert await fetch(server, ca=pem(renewed.cert_pem)) == "hello"
        assert (await client.ask("GET / HTTP/1.1")).status == 200


async def test_files_and_a_passphrase(tmp_path: Path) -> None:
    """Paths do as well as text, and the key may be encrypted (X-071)."""
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(SERVER["key"], None)
    locked = key.private_bytes(
        form.Encoding.PEM,
        form.PrivateFormat.PKCS8,
        form.BestAvailableEncryption(b"open sesame"),
    )
    (tmp_path / "cert.pem").write_bytes(SERVER["cert"])
    (tmp_path / "key.pem").write_bytes(locked)
    async with listening(
        cert=tmp_path / "cert.pem", key=tmp_path / "key.pem", passphrase="open sesame"
    ) as server:
        assert await fetch(server) == "hello"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"certificate": b""}, TypeError),
        ({"server_hostname": "x"}, TypeError),
        ({"ssl_context": ssl.create_default_context(), "ca": CA}, ValueError),
        ({"ssl_context": "none"}, TypeError),
        ({"cert": 5}, TypeError),
        ({"cert": CLIENT["cert"], "key": SERVER["key"]}, ssl.SSLError),
        ({"cert": "/no/such/file"}, FileNotFoundError),
        ({"handshake_timeout": -1}, ValueError),
        ({"headers_timeout": 9.0, "request_timeout": 8.0}, ValueError),
        ({"timeout": True}, TypeError),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else None,
)
def test_options_are_checked(options: dict[str, Any], error: type[Exception]) -> None:
    """Unknown names, wrong types and contradictions raise at once (H-002)."""
    with pytest.raises(error):
        https.create_server(options)


def test_options_and_listener_may_be_left_out() -> None:
    """The forms of create_server are those of http (H-015)."""
    assert https.create_server().listener_count("request") == 0
    assert https.create_server(greet).listeners("request") == [greet]
    server = https.create_server({"timeout": 7.0}, greet, keep_alive_timeout=3.0)
    assert isinstance(server, http.Server)
    assert isinstance(server, net.TLSServer)
    assert (server.timeout, server.keep_alive_timeout) == (7.0, 3.0)
    assert server.listeners("request") == [greet]


# Handshakes that fail


async def leave(client: RawClient) -> None:
    await client.end()


async def reset(client: RawClient) -> None:
    await client.reset()


#: The beginning of a ClientHello: the rest of its 512 bytes does not come.
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

INTRUDERS: dict[str, tuple[bytes, Callable[[RawClient], Any] | None, str]] = {
    "plain http": (GET, None, "ERR_SSL_HTTP_REQUEST"),
    "plain connect": (b"CONNECT x:1 HTTP/1.1\r\n", None, "ERR_SSL_HTTPS_PROXY_REQUEST"),
    "garbage": (bytes(range(200, 256)), None, "ERR_SSL_WRONG_VERSION_NUMBER"),
    "nothing": (b"", leave, "ECONNRESET"),
    "half a hello": (HALF_HELLO, leave, "ECONNRESET"),
    "reset in it": (HALF_HELLO, reset, "ECONNRESET"),
}


@pytest.mark.parametrize("case", INTRUDERS)
async def test_an_intruder_harms_nobody(case: str) -> None:
    """tls_client_error and client_error tell; others are served on (issue: TLS)."""
    sent, then, code = INTRUDERS[case]
    async with serving() as (server, client):
        failures = record(server, "tls_client_error", "client_error")
        before = await client.ask("GET / HTTP/1.1")
        heard = once(server, "client_error")
        async with RawClient(server) as intruder:
            await intruder.send(sent)
            if then is not None:
                await then(intruder)
            await heard
        after = await client.ask("GET / HTTP/1.1")
        assert (before.body, after.body) == (b"hello", b"hello")
        assert await fetch(server) == "hello"
    assert [(event, error.code) for event, error, _ in failures] == [
        ("tls_client_error", code),
        ("client_error", code),
    ]
    assert all(victim.destroyed for _, _, victim in failures)


async def test_a_client_that_does_not_trust_us() -> None:
    """A clear error there, an alert here (issue: TLS)."""
    async with listening() as server:
        failure = once(server, "tls_client_error")
        with pytest.raises(net.TLSError) as caught:
            await fetch(server, ca=pem(trustme.CA().cert_pem))
        error, victim = await failure
        assert victim.local_port == port_of(server)  # for a log, as in Node
    assert caught.value.code == "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"
    assert error.code == "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"


async def test_a_handshake_that_never_ends() -> None:
    """handshake_timeout cuts it; the default is 120 s (X-071)."""
    async with serving(handshake_timeout=0.05) as (server, client):
        failure = once(server, "tls_client_error")
        async with RawClient(server) as silent:
            await silent.send(HALF_HELLO)
            error, victim = await failure
            assert error.code == "ERR_TLS_HANDSHAKE_TIMEOUT"
            assert victim.destroyed
            assert await silent.read_all() == b""
        assert (await client.ask("GET / HTTP/1.1")).body == b"hello"


async def test_a_broken_record_on_an_open_connection() -> None:
    """It ends that connection; client_error tells (H-027)."""
    async with listening() as server:
        heard = once(server, "client_error")
        client = net.connect_tls(port_of(server), "127.0.0.1", ca=CA)
        client.on("error", lambda error: None)
        await client
        client._transport._below.write([b"\x17\x03\x03\x00\x20" + bytes(32)])  # type: ignore[attr-defined]
        error, _ = await heard
        assert error.code == "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
        assert await fetch(server) == "hello"


async def test_nobody_listens_to_a_failed_handshake() -> None:
    """Then it is in the log at DEBUG, and nowhere else (H-010)."""
    async with listening() as server:
        async with RawClient(server) as intruder:
            await intruder.send(GET)
            await intruder.read_all()
        assert await fetch(server) == "hello"


def plain_bug(error: Exception, socket: net.Socket) -> None:
    raise ZeroDivisionError


async def async_bug(error: Exception, socket: net.Socket) -> None:
    raise ZeroDivisionError


def late_answer(error: Exception, socket: net.Socket) -> None:
    socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("event", ["tls_client_error", "client_error"])
@pytest.mark.parametrize("listener", [plain_bug, async_bug, late_answer])
async def test_a_bug_in_the_listener_of_a_failure(
    listener: Any, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; the server serves on (H-010)."""
    async with listening() as server:
        heard = once(server, "client_error")
        server.custom.on(event, listener)
        async with RawClient(server) as intruder:
            await intruder.send(GET)
            await heard
            await intruder.read_all()
        assert await fetch(server) == "hello"
    errors = [entry for entry in caplog.records if entry.levelname == "ERROR"]
    assert len(errors) == (0 if listener is late_answer else 1)


async def test_a_bug_in_a_listener_of_secure_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It costs that connection only (H-010)."""
    async with listening() as server:
        server.once("secure_connection", plain_bug_of_one)
        with pytest.raises(OSError):  # noqa: PT011 - however it is cut
            await fetch(server)
        assert await fetch(server) == "hello"
    assert "ZeroDivisionError" in caplog.text


def plain_bug_of_one(socket: net.Socket) -> None:
    raise ZeroDivisionError


# The end


async def test_close_ends_handshakes_and_idle_connections() -> None:
    """Neither has asked for anything (H-034, X-010)."""
    server = listening()
    async with (
        RawClient(server, ssl_context=trusting()) as idle,
        RawClient(server) as shaking,
    ):
        await idle.ask("GET / HTTP/1.1")
        await shaking.send(HALF_HELLO)
        await fetch(server)  # it is accepted behind the others
        await server.aclose()
        assert await idle.read_all() == b""
        assert not idle.was_cut
        assert await shaking.read_all() == b""


async def test_close_lets_an_answer_finish() -> None:
    """An exchange under way is completed, and the connection ended (H-034)."""
    pending: list[Response] = []
    server = listening(lambda _, response: pending.append(response))
    asked = once(server, "request")
    async with RawClient(server, ssl_context=trusting()) as client:
        await client.send(GET)
        await asked
        server.close()
        pending[0].end("done")
        received = await client.read_all()
        assert received.endswith(b"done")
        assert b"Connection: close" in received
        assert not client.was_cut
        await server.aclose()


async def test_close_all_connections() -> None:
    """Busy, idle and shaking ones are cut at once (X-009)."""
    server = listening(lambda request, response: None)
    asked = once(server, "request")
    async with (
        RawClient(server, ssl_context=trusting()) as busy,
        RawClient(server, ssl_context=trusting()) as idle,
        RawClient(server) as shaking,
    ):
        await busy.send(GET)
        await asked
        while len(server._connections) < 3:
            await once(server, "connection")
        server.close_all_connections()
        for client in (busy, idle, shaking):
            assert await client.read_all() == b""
        await server.aclose()
    assert not server._connections


async def test_a_block_that_fails_leaves_nothing() -> None:
    """async with: everything is cut and ``close`` has come (design 3)."""
    gone: list[str] = []

    async def wait(request: Request, response: Response) -> None:
        try:
            await once(response, "drain")
        finally:
            gone.append("handler")

    server = listening(wait)
    server.on("close", lambda: gone.append("server"))

    async def fail() -> None:
        async with server, RawClient(server, ssl_context=trusting()) as client:
            asked = once(server, "request")
            await client.send(GET)
            await asked
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert sorted(gone) == ["handler", "server"]
    assert not server._connections


async def test_connections_that_rest_too_long_are_ended_properly() -> None:
    """keep_alive_timeout, with TLS's own end (H-040)."""
    async with serving(keep_alive_timeout=0.05, keep_alive_timeout_buffer=0.0) as (
        _,
        client,
    ):
        await client.ask("GET / HTTP/1.1")
        assert await client.read_all() == b""
        assert not client.was_cut


async def test_the_time_for_a_head_begins_behind_the_handshake() -> None:
    """A silent secured connection gets its 408 (X-001)."""
    async with serving(headers_timeout=0.05) as (_, client):
        assert (await client.response()).status == 408


# A connection that somebody else has accepted


async def test_a_connection_of_ones_own() -> None:
    """`emit("connection", socket)` secures it, as a proxy that looks inside (X-026)."""
    inner = https.create_server(SERVER, greet)

    def take(request: Request, socket: net.Socket, head: bytes) -> None:
        socket.write("HTTP/1.1 200 OK\r\n\r\n")
        inner.emit("connection", socket)

    async with http.create_server().on("connect", take).listen(0, "127.0.0.1") as proxy:
        environment = {"https_proxy": f"http://127.0.0.1:{port_of(proxy)}"}
        async with https.Agent(proxy_env=environment, ca=CA) as agent:
            response = await https.get("https://localhost/", agent=agent)
            assert await response.text() == "hello"
    assert not inner._connections


async def test_a_connection_of_ones_own_that_fails() -> None:
    """Its handshake is reported like any other (X-026)."""
    inner = https.create_server(SERVER, greet)
    failure = once(inner, "tls_client_error")
    outer = net.create_server(lambda socket: inner.emit("connection", socket))
    async with outer.listen(0, "127.0.0.1"), RawClient(port_of(outer)) as client:
        await client.send(GET)
        error, _ = await failure
        assert error.code == "ERR_SSL_HTTP_REQUEST"
        await client.read_all()
    assert not inner._connections


# Options of the sockets below, and cancellation


async def test_settings_of_accepted_sockets() -> None:
    """They reach the connection below TLS (X-017)."""
    async with serving(keep_alive=True, high_water_mark=1234) as (server, client):
        await client.ask("GET / HTTP/1.1")
        (connection,) = server._connections
        handle = connection._handle
        assert handle is not None
        assert handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert connection.readable_high_water_mark == 1234


async def test_connections_beyond_the_limit_are_dropped() -> None:
    """max_connections counts those in their handshake, too (H-135)."""
    async with listening() as server:
        server.max_connections = 1
        dropped = once(server, "drop")
        async with RawClient(server) as shaking, RawClient(server) as surplus:
            await shaking.send(HALF_HELLO)
            await dropped
            assert await surplus.read_all() == b""


async def test_a_cancelled_block_leaves_nothing() -> None:
    """Cancelled with a handshake and an answer under way: all is cut (design 3)."""
    server = listening(lambda request, response: None)
    closes = record(server, "close")
    with anyio.CancelScope() as scope:
        async with (
            server,
            RawClient(server) as shaking,
            RawClient(server, ssl_context=trusting()) as busy,
        ):
            asked = once(server, "request")
            await shaking.send(HALF_HELLO)
            await busy.send(GET)
            await asked
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert closes == ["close"]
    assert not server._connections


async def test_a_request_cancelled_in_its_handshake() -> None:
    """Neither side keeps anything of it (H-072)."""
    deaf = net.create_server(lambda accepted: accepted.resume())
    async with deaf.listen(0, "127.0.0.1"), https.Agent(ca=CA) as agent:
        connected = once(deaf, "connection")
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def cancel() -> None:
                    await connected
                    scope.cancel()

                tasks.start_soon(cancel)
                await https.get(f"https://127.0.0.1:{port_of(deaf)}/", agent=agent)
        assert scope.cancelled_caught
        while agent.total_socket_count:  # its close comes with a later turn
            await anyio.lowlevel.checkpoint()


async def test_the_systems_authorities_are_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without ca; OpenSSL's variable names the list (X-071)."""
    (tmp_path / "ca.pem").write_bytes(CA)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with listening() as server:
        assert await fetch(server, ca=None) == "hello"

"""TLS sockets and servers (H-148, X-071, design 5)."""

import socket
import ssl
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from headrace import net
from headrace.events import once
from headrace.events.loop import checkpoint
from headrace.net.testing import closed, port_of, record, socket_pair

AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("localhost", "127.0.0.1", "other.example")
CA = AUTHORITY.cert_pem.bytes()
CHAIN = b"".join(pem.bytes() for pem in CERTIFICATE.cert_chain_pems)
KEY = CERTIFICATE.private_key_pem.bytes()
SERVER: dict[str, Any] = {"cert": CHAIN, "key": KEY}


class Secured:
    """A TLS server and a client that is connected to it."""

    def __init__(self, server: dict[str, Any], client: dict[str, Any]) -> None:
        self.server = net.create_tls_server({**SERVER, **server})
        self.options = {"ca": CA, **client}

    async def __aenter__(self) -> tuple[net.TLSSocket, net.TLSSocket]:
        await self.server.listen(0, "127.0.0.1")
        arrival = once(self.server, "secure_connection")
        port = port_of(self.server)
        self.client = net.connect_tls(port, "localhost", self.options, family=4)
        await self.client
        (self.accepted,) = await arrival
        return self.client, self.accepted

    async def __aexit__(self, *_: object) -> None:
        self.client.destroy()
        self.accepted.destroy()
        await self.server.aclose()


def secured(server: dict[str, Any] | None = None, **client: Any) -> Secured:
    return Secured(server or {}, client)


async def read_all(source: net.Socket) -> bytes:
    return b"".join([chunk async for chunk in source])


async def test_net_tls_order_of_events() -> None:
    """Client: ``connect``, ``ready``, ``secure_connect``; then data, end, close."""
    server = net.create_tls_server(SERVER, lambda accepted: accepted.end("hello"))
    seen = record(server, "secure_connection")
    async with server.listen(0, "127.0.0.1"):
        client = net.connect_tls(port_of(server), "127.0.0.1", {"ca": CA})
        events = ["connect", "ready", "secure_connect", "data", "end", "close"]
        order = record(client, *events)
        await closed(client)
    assert order == [
        "connect",
        "ready",
        "secure_connect",
        ("data", b"hello"),
        "end",
        "close",
    ]
    assert len(seen) == 1


async def test_net_tls_facts() -> None:
    """What both sides know of each other."""
    options = {"alpn_protocols": ["a", "b"]}
    async with secured(options, alpn_protocols=["b", "a"]) as (client, accepted):
        assert client.encrypted
        assert (client.authorized, client.authorization_error) == (True, None)
        assert (accepted.authorized, accepted.authorization_error) == (False, None)
        assert client.alpn_protocol == accepted.alpn_protocol == "a"
        assert client.servername == accepted.servername == "localhost"
        assert client.get_protocol() == accepted.get_protocol()
        cipher = client.get_cipher()
        assert cipher is not None
        assert sorted(cipher) == ["bits", "name", "version"]
        assert client.remote_port == accepted.local_port
        assert not client.secure_connecting


async def test_net_tls_peer_certificate() -> None:
    """A mapping; empty if none was sent; None before and after (H-148)."""
    early = net.TLSSocket()
    assert early.get_peer_certificate() is None
    async with secured() as (client, accepted):
        found = client.get_peer_certificate(True)
        assert found is not None
        assert found["raw"] == ssl.PEM_cert_to_DER_cert(CHAIN.decode().split("-\n-")[0])
        assert "DNS:localhost" in found["subjectaltname"]
        assert found["subject"]["organizationName"].startswith("trustme")
        assert len(found["fingerprint256"]) == 95
        assert accepted.get_peer_certificate() == {}
        client.destroy()
        assert client.get_peer_certificate() is None
    assert not hasattr(net.Socket(), "get_peer_certificate")


async def test_net_tls_half_close() -> None:
    """`end()` sends close_notify and goes on reading."""
    async with secured({"allow_half_open": True}) as (client, accepted):
        client.end("question")
        assert await read_all(accepted) == b"question"
        assert accepted.writable
        accepted.write(b"answer " * 10_000)
        accepted.end()
        assert await read_all(client) == b"answer " * 10_000
        assert client.ended_cleanly
        assert accepted.ended_cleanly
        await closed(client)
        await closed(accepted)


async def test_net_tls_large_transfer_both_ways() -> None:
    """Megabytes in both directions at once, with a slow reader."""
    data = bytes(range(256)) * 20_000
    async with secured() as (client, accepted):
        accepted.pipe(accepted)
        assert client.write(data) is False
        client.end()
        received = bytearray()
        async for chunk in client:
            received += chunk
            await checkpoint()
        assert received == data
        assert client.bytes_written == client.bytes_read == len(data)


async def test_net_tls_pause_holds_the_sender_up() -> None:
    """Back-pressure works through the layer; memory stays bounded."""
    async with secured() as (client, accepted):
        accepted.pause()
        for _ in range(300):
            client.write(bytes(65536))
            await checkpoint()
        assert client.writable_need_drain
        assert accepted.bytes_read <= 4 * accepted.readable_high_water_mark
        client.end()
        assert len(await read_all(accepted.resume())) == 300 * 65536


async def test_net_tls_answers_for_a_peer_that_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Key updates ask for answers: what waits of them is bounded (design 9)."""
    monkeypatch.setattr("headrace.net._tls._ANSWERS_BYTES", 100)
    async with secured() as (client, accepted):
        errors = record(accepted, "error")
        accepted.resume()
        client.pause()
        accepted.write(bytes(32 << 20))  # more than the system takes
        asked = 0
        while not errors:
            # In the place of OpenSSL, which puts its answer there.
            accepted._transport._outgoing.write(bytes(30))  # type: ignore[attr-defined]
            asked += 1
            received = accepted.bytes_read
            client.write("x")
            while accepted.bytes_read == received and not errors:
                await checkpoint()
        await closed(accepted)
        assert errors[0][1].code == "ERR_TLS_ANSWERS_UNREAD"
        assert asked == 4


async def test_net_tls_writes_before_the_handshake() -> None:
    """What is written and ended early is sent when the connection is secure."""
    server = net.create_tls_server(SERVER, allow_half_open=True)
    async with server.listen(0, "127.0.0.1"):
        arrival = once(server, "secure_connection")
        client = net.connect_tls(port_of(server), "127.0.0.1", ca=CA)
        client.write("early ")
        client.end("bird")
        (accepted,) = await arrival
        assert await read_all(accepted) == b"early bird"
        accepted.end()
        await closed(client.resume())


async def test_net_tls_receiver() -> None:
    """`consume` and `send` work on plain bytes, from the first moment on."""

    class Echo:
        def __init__(self, owner: net.Socket) -> None:
            self.owner = owner
            owner.consume(self)

        def data_received(self, data: memoryview) -> None:
            self.owner.send([b"<", bytes(data), b">"])

        def eof_received(self) -> None:
            self.owner.end()

        def flushed(self) -> None: ...
        def connection_lost(self, error: Exception | None) -> None: ...

    server = net.create_tls_server(SERVER)
    server.on("connection", Echo)
    async with server.listen(0, "127.0.0.1"):
        client = net.connect_tls(port_of(server), "127.0.0.1", ca=CA)
        client.write("hi")
        assert await once(client, "data") == (b"<hi>",)
        client.end()
        await closed(client)


@pytest.mark.parametrize(
    ("host", "options", "code"),
    [
        ("localhost", {"ca": None}, "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
        ("localhost", {"server_hostname": "x.y"}, "ERR_TLS_CERT_ALTNAME_INVALID"),
        ("127.0.0.1", {"server_hostname": "::1"}, "ERR_TLS_CERT_ALTNAME_INVALID"),
    ],
)
async def test_net_tls_client_refuses_certificates(
    host: str, options: dict[str, Any], code: str
) -> None:
    """A clear error on the client; the server serves on (design 5)."""
    server = net.create_tls_server(SERVER, lambda accepted: accepted.end("fine"))
    failures = record(server, "tls_client_error")
    async with server.listen(0, "127.0.0.1"):
        client = net.connect_tls(port_of(server), host, {"ca": CA, **options}, family=4)
        with pytest.raises(net.TLSError) as caught:
            await client
        assert caught.value.code == code
        assert not client.authorized
        while not failures:
            await checkpoint()
        good = net.connect_tls(port_of(server), host, ca=CA, family=4)
        assert await read_all(good) == b"fine"
    ((_, error, victim),) = failures
    assert isinstance(error, net.TLSError | net.SocketError)
    assert victim.destroyed


async def test_net_tls_client_accepts_unchecked_certificates() -> None:
    """`reject_unauthorized=False`: connected, and told so."""
    async with secured(ca=None, reject_unauthorized=False) as (client, _):
        assert not client.authorized
        assert client.authorization_error == "CERT_NOT_CHECKED"
        found = client.get_peer_certificate()
        assert found is not None
        assert "raw" in found


async def test_net_tls_client_certificates() -> None:
    """`request_cert`: the client shows one, and the server knows it."""
    mine = AUTHORITY.issue_cert("client.example")
    own = {
        "cert": b"".join(pem.bytes() for pem in mine.cert_chain_pems),
        "key": mine.private_key_pem.bytes(),
    }
    asking = {"request_cert": True, "ca": CA}
    async with secured(asking, **own) as (_, accepted):
        assert accepted.authorized
        found = accepted.get_peer_certificate()
        assert found is not None
        assert found["subjectaltname"] == "DNS:client.example"
    async with secured({**asking, "reject_unauthorized": False}) as (_, accepted):
        assert not accepted.authorized
        assert accepted.authorization_error == "CERT_NOT_SENT"


async def test_net_tls_server_demands_a_client_certificate() -> None:
    """Without one: ``tls_client_error``; the client is cut off."""
    server = net.create_tls_server({**SERVER, "request_cert": True, "ca": CA})
    secure = record(server, "secure_connection")
    async with server.listen(0, "127.0.0.1"):
        failure = once(server, "tls_client_error")
        client = net.connect_tls(port_of(server), "127.0.0.1", ca=CA)
        error, _ = await failure
        await closed(client.resume())
        assert error.code == "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE"
    assert secure == []


async def test_net_tls_sni_callback_chooses_the_context() -> None:
    """By name; None keeps the server's own; an exception refuses that client only."""
    other = trustme.CA()
    other_certificate = other.issue_cert("other.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other_certificate.configure_cert(context)
    asked: list[str | None] = []

    def choose(name: str | None) -> ssl.SSLContext | None:
        asked.append(name)
        if name == "bug.example":
            raise ZeroDivisionError
        return context if name == "other.example" else None

    server = net.create_tls_server({**SERVER, "sni_callback": choose})
    server.on("secure_connection", lambda accepted: accepted.resume().end())
    async with server.listen(0, "127.0.0.1"):
        for name, authority in (
            ("localhost", CA),
            ("other.example", other.cert_pem.bytes()),
        ):
            client = net.connect_tls(
                port_of(server), "127.0.0.1", server_hostname=name, ca=authority
            )
            await client
            await client.resume().aclose()
        with pytest.raises(net.TLSError, match="internal error"):
            await net.connect_tls(
                port_of(server), "127.0.0.1", server_hostname="bug.example", ca=CA
            )
    assert asked == ["localhost", "other.example", "bug.example"]


async def test_net_tls_session_is_resumed() -> None:
    """`get_session()` and the option `session`, with one context."""
    context = net.create_secure_context(ca=CA)
    server = net.create_tls_server(SERVER, lambda accepted: accepted.end("x"))
    async with server.listen(0, "127.0.0.1"):
        options = {"ssl_context": context}
        first = net.connect_tls(port_of(server), "127.0.0.1", options)
        await read_all(first)
        session = first.get_session()
        assert (session is not None, first.is_session_reused()) == (True, False)
        second = net.connect_tls(port_of(server), "127.0.0.1", options, session=session)
        await second
        assert second.is_session_reused()
        await read_all(second)


@pytest.mark.parametrize("greeting", [b"GET / HTTP/1.1\r\n\r\n", b"", b"\x16\x03\x01"])
async def test_net_tls_server_survives_what_is_no_tls(greeting: bytes) -> None:
    """A plain client, or one that leaves: ``tls_client_error``, nobody else is hurt."""
    server = net.create_tls_server(SERVER, lambda accepted: accepted.end("fine"))
    async with server.listen(0, "127.0.0.1"):
        failure = once(server, "tls_client_error")
        intruder = net.connect(port_of(server), "127.0.0.1")
        intruder.on("error", lambda error: None)
        intruder.end(greeting)
        error, victim = await failure
        assert error.code in (
            "ERR_SSL_HTTP_REQUEST",
            "ECONNRESET",
            "ERR_SSL_UNEXPECTED_MESSAGE",
        )
        assert victim.destroyed
        await closed(intruder.resume())
        client = net.connect_tls(port_of(server), "127.0.0.1", ca=CA)
        assert await read_all(client) == b"fine"


async def test_net_tls_client_meets_a_plain_server() -> None:
    """A server that speaks no TLS: a clear error."""
    server = net.create_server(lambda accepted: accepted.resume().end("220 hello\r\n"))
    async with server.listen(0, "127.0.0.1"):
        with pytest.raises(net.TLSError, match="TLS failed") as caught:
            await net.connect_tls(port_of(server), "127.0.0.1", ca=CA)
        assert caught.value.code == "ERR_SSL_WRONG_VERSION_NUMBER"


async def test_net_tls_client_meets_a_server_that_leaves() -> None:
    """Disconnected during the handshake: ECONNRESET with Node's explanation."""
    server = net.create_server(lambda accepted: accepted.resume().end())
    async with server.listen(0, "127.0.0.1"):
        with pytest.raises(ConnectionResetError, match="before the secure connection"):
            await net.connect_tls(port_of(server), "127.0.0.1", ca=CA)


async def test_net_tls_handshake_timeout() -> None:
    """A silent peer is given up, on both sides (120 s by default)."""
    server = net.create_tls_server({**SERVER, "handshake_timeout": 0.01})
    async with server.listen(0, "127.0.0.1"):
        failure = once(server, "tls_client_error")
        silent = await net.connect(port_of(server), "127.0.0.1")
        error, _ = await failure
        assert isinstance(error, TimeoutError)
        assert error.code == "ERR_TLS_HANDSHAKE_TIMEOUT"  # type: ignore[attr-defined]
        await closed(silent.resume())
    deaf = net.create_server(lambda accepted: accepted.resume())
    async with deaf.listen(0, "127.0.0.1"):
        with pytest.raises(net.TLSHandshakeTimeoutError):
            await net.connect_tls(
                port_of(deaf), "127.0.0.1", ca=CA, handshake_timeout=0.01
            )


async def test_net_tls_cut_off_is_not_a_clean_end() -> None:
    """Without close_notify the data end all the same; `ended_cleanly` tells."""
    async with secured() as (client, accepted):
        accepted.write("part")
        await once(client, "data")
        accepted._transport._below._socket.shutdown(socket.SHUT_WR)  # type: ignore[attr-defined]
        await once(client.resume(), "end")
        assert not client.ended_cleanly


async def test_net_tls_reset() -> None:
    """A reset below is ECONNRESET above (X-080)."""
    async with secured() as (client, accepted):
        errors = record(accepted, "error")
        client.reset_and_destroy()
        await closed(accepted)
        assert [error.code for _, error in errors] == ["ECONNRESET"]


async def test_net_tls_tampered_record(caplog: pytest.LogCaptureFixture) -> None:
    """A record that does not decrypt: an error, and the peer gets an alert."""
    async with secured() as (client, accepted):
        client._transport._below.write([b"\x17\x03\x03\x00\x20" + bytes(32)])  # type: ignore[attr-defined]
        errors = record(accepted, "error")
        alerts = record(client, "error")
        await closed(accepted)
        await closed(client)
    assert [error.code for _, error in errors] == [
        "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    ]
    assert len(alerts) == 1


async def test_net_tls_over_a_socket() -> None:
    """TLS on connections that exist: in memory, and inside another TLS connection."""

    async def secure(
        client_end: net.Socket, server_end: net.Socket
    ) -> tuple[net.TLSSocket, net.TLSSocket]:
        server = net.TLSSocket(server_end, SERVER, is_server=True)
        client = net.connect_tls(socket=client_end, host="localhost", ca=CA)
        await server
        return await client, server

    client, server = await secure(*await secure(*socket_pair()))
    server.end("twice encrypted " * 10_000)
    assert await read_all(client) == b"twice encrypted " * 10_000
    assert client.authorized
    await closed(server.resume())


@pytest.mark.parametrize("size", [1, 5, 100, 20_000])
async def test_net_tls_in_pieces_of_any_size(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the records are cut on their way, the data are the same."""
    monkeypatch.setattr("headrace.net._memory.LINK_BYTES", size)
    one, other = socket_pair()
    server = net.TLSSocket(other, SERVER, is_server=True)
    client = net.connect_tls(socket=one, ca=CA)
    data = bytes(range(256)) * (4 if size < 100 else 400)
    server.pipe(server)
    client.end(data)
    assert await read_all(client) == data
    assert client.ended_cleanly
    assert server.ended_cleanly
    await closed(server)


async def test_net_tls_over_a_connecting_socket_and_a_handle() -> None:
    """Below may still be connecting, or be a system's socket."""
    server = net.create_tls_server(SERVER, lambda accepted: accepted.end("fine"))
    async with server.listen(0, "127.0.0.1"):
        below = net.connect(port_of(server), "127.0.0.1")
        called = anyio.Event()
        over = net.connect_tls({"socket": below, "ca": CA}, called.set)
        assert await read_all(over) == b"fine"
        assert called.is_set()
        await closed(below)
        raw = socket.create_connection(("127.0.0.1", port_of(server)))
        handle = net.TLSSocket(handle=raw, ca=CA)
        assert await read_all(handle) == b"fine"


async def test_net_tls_reconnects() -> None:
    """The same object connects again, with a new handshake (H-138)."""
    server = net.create_tls_server(SERVER, lambda accepted: accepted.end("x"))
    async with server.listen(0, "127.0.0.1"):
        client = net.TLSSocket(ca=CA)
        for _ in range(3):
            await client.connect(port_of(server), "127.0.0.1")
            assert await read_all(client) == b"x"
            await closed(client)


async def test_net_tls_bug_in_a_handler(caplog: pytest.LogCaptureFixture) -> None:
    """A listener that raises costs its connection only (H-010)."""

    def buggy(accepted: net.Socket) -> None:
        raise ZeroDivisionError

    async def buggy_later(accepted: net.Socket) -> None:
        raise ZeroDivisionError

    for listener in (buggy, buggy_later):
        server = net.create_tls_server(SERVER, listener)
        async with server.listen(0, "127.0.0.1"):
            client = net.connect_tls(port_of(server), "127.0.0.1", ca=CA)
            await closed(client.resume())
            assert server.listening
    assert [entry.levelname for entry in caplog.records] == ["ERROR", "ERROR"]


async def test_net_tls_options_from_files_and_text(tmp_path: Path) -> None:
    """PEM as bytes, text or the path of a file; several authorities."""
    for name, content in (("cert", CHAIN), ("key", KEY), ("ca", CA)):
        (tmp_path / name).write_bytes(content)
    forms: list[tuple[Any, Any, Any]] = [
        (CHAIN.decode(), KEY.decode(), [CA.decode(), trustme.CA().cert_pem.bytes()]),
        (tmp_path / "cert", str(tmp_path / "key"), tmp_path / "ca"),
    ]
    for cert, key, authority in forms:
        async with secured({"cert": cert, "key": key}, ca=authority) as (client, _):
            assert client.authorized


def test_net_tls_options_are_checked() -> None:
    """Wrong types, wrong files and contradictions raise at once."""
    context = ssl.create_default_context()
    wrong: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"ssl_context": context, "cert": CHAIN}, net.InvalidArgValueError),
        ({"ssl_context": "none"}, net.InvalidArgTypeError),
        ({"cert": 5}, net.InvalidArgTypeError),
        ({"ca": True}, net.InvalidArgTypeError),
        ({"ca": {}}, net.InvalidArgTypeError),
        ({"ca": [CHAIN, 5]}, net.InvalidArgTypeError),
        ({"cert": "/no/such/file"}, FileNotFoundError),
        ({"cert": CHAIN, "key": b"-----BEGIN nonsense"}, ssl.SSLError),
        ({"sni_callback": 5}, net.InvalidArgTypeError),
        ({"handshake_timeout": -1}, net.OutOfRangeError),
        ({"certificate": CHAIN}, net.InvalidArgTypeError),
    ]
    for options, error in wrong:
        with pytest.raises(error):
            net.create_tls_server(options)


async def test_net_tls_bad_host_names_raise() -> None:
    """A name that no certificate can have, a session of another context."""
    for name in ("", ".x", "\N{SNOWMAN}" * 100):
        with pytest.raises(net.InvalidArgValueError):
            net.connect_tls(1, "127.0.0.1", server_hostname=name)


def test_net_tls_encrypted_keys() -> None:
    """A key with a passphrase; a wrong or missing one raises and asks nobody."""
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(KEY, None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )
    net.create_tls_server({"cert": CHAIN, "key": locked, "passphrase": "open sesame"})
    for passphrase in ("wrong", None):
        with pytest.raises(ssl.SSLError):
            net.create_tls_server(
                {"cert": CHAIN, "key": locked, "passphrase": passphrase}
            )


async def test_net_tls_notify_close() -> None:
    """The peer sees a proper end although the socket is destroyed (RFC 8446 6.1)."""
    async with secured() as (client, accepted):
        accepted.write("all")
        await once(client, "data")
        accepted.notify_close()
        accepted.destroy()
        await once(client.resume(), "end")
        assert client.ended_cleanly
        accepted.notify_close()  # harmless when closed
    net.TLSSocket().notify_close()  # and before there is a connection


async def test_net_tls_session_and_context_before_the_handshake() -> None:
    """There is no session yet; the context is that of the options."""
    context = net.create_secure_context(ca=CA)
    early = net.TLSSocket(ssl_context=context)
    assert (early.get_session(), early.secure_context) == (None, None)
    server = net.create_tls_server(SERVER, lambda accepted: accepted.end("x"))
    async with server.listen(0, "127.0.0.1"):
        early.connect(port_of(server), "127.0.0.1")
        assert early.get_session() is None
        assert early.secure_context is context
        await read_all(await early)
        assert early.get_session() is not None


async def test_net_tls_server_secures_a_given_connection() -> None:
    """`emit("connection", socket)`: the server need not listen (X-026)."""
    one, other = socket_pair()
    server = net.create_tls_server(SERVER)
    arrival = once(server, "secure_connection")
    server.emit("connection", other)
    client = net.connect_tls(socket=one, ca=CA)
    (accepted,) = await arrival
    accepted.end("fine")
    assert await read_all(client) == b"fine"
    await closed(accepted.resume())
    assert not server._connections


async def test_net_tls_given_connection_that_is_no_tls() -> None:
    """It is a ``tls_client_error`` like any other (X-026)."""
    one, other = socket_pair()
    server = net.create_tls_server(SERVER)
    failure = once(server, "tls_client_error")
    server.emit("connection", other)
    one.on("error", lambda error: None)
    one.write("GET / HTTP/1.1\r\n\r\n")
    error, _ = await failure
    assert error.code == "ERR_SSL_HTTP_REQUEST"
    await closed(one.resume())


@pytest.mark.parametrize("is_async", [False, True])
async def test_net_tls_bug_in_the_listener_of_a_failure(
    is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the server goes on (H-010)."""

    def bug(error: Exception, victim: net.Socket) -> None:
        raise ZeroDivisionError

    async def async_bug(error: Exception, victim: net.Socket) -> None:
        raise ZeroDivisionError

    server = net.create_tls_server(SERVER, lambda accepted: accepted.end("fine"))
    server.on("tls_client_error", async_bug if is_async else bug)
    async with server.listen(0, "127.0.0.1"):
        intruder = net.connect(port_of(server), "127.0.0.1")
        intruder.on("error", lambda error: None)
        intruder.write("GET / HTTP/1.1\r\n\r\n")
        await closed(intruder.resume())
        good = net.connect_tls(port_of(server), "127.0.0.1", ca=CA)
        assert await read_all(good) == b"fine"
    assert [entry.levelname for entry in caplog.records] == ["ERROR"]

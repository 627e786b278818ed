"""A receiver that is there before the connection."""

import ssl

import trustme

from headrace import net
from headrace.events.loop import Waiter, current
from headrace.net.testing import port_of, record


class Listener:
    """Keeps the first bytes that come."""

    def __init__(self) -> None:
        self.first: Waiter[bytes] = Waiter()

    def data_received(self, data: memoryview) -> None:
        self.first.set(bytes(data))

    def eof_received(self) -> None: ...
    def flushed(self) -> None: ...
    def connection_lost(self, error: Exception | None) -> None: ...


async def test_net_consume_before_connect() -> None:
    """`consume` on a connecting socket: the first bytes go to the receiver."""
    server = net.create_server(lambda socket: socket.end(b"hello"))
    async with server.listen(0, "127.0.0.1"):
        client = net.connect(port_of(server), "127.0.0.1")
        listener = Listener()
        client.consume(listener)
        assert await listener.first.wait() == b"hello"
        assert client.readable_length == 0
        client.destroy()


class Waiting(Listener):
    """Wants to know of the connection, and notes what comes before that."""

    def __init__(self, client: net.Socket, seen: list[str]) -> None:
        super().__init__()
        self.client = client
        self.seen = seen

    def connection_opened(self) -> None:
        self.seen.append("told")
        self.client.send([b"hello"])


async def test_net_receiver_is_told_of_the_connection() -> None:
    """Before ``connect`` and ``ready``; it can send at once."""
    server = net.create_server(lambda socket: socket.pipe(socket))
    async with server.listen(0, "127.0.0.1"):
        client = net.connect(port_of(server), "127.0.0.1")
        seen = record(client, "connect", "ready")
        listener = Waiting(client, seen)
        client.consume(listener)
        assert await listener.first.wait() == b"hello"
        assert seen == ["told", "connect", "ready"]
        client.destroy()


async def test_net_receiver_that_raises_when_it_is_told() -> None:
    """What it raises is reported, and changes nothing else (H-010)."""

    class Failing(Waiting):
        def connection_opened(self) -> None:
            super().connection_opened()
            raise ZeroDivisionError

    reported: list[BaseException] = []

    class Runner:
        def fail(self, error: BaseException) -> None:
            reported.append(error)

    server = net.create_server(lambda socket: socket.pipe(socket))
    async with server.listen(0, "127.0.0.1"):
        current().runner = Runner()
        try:
            client = net.connect(port_of(server), "127.0.0.1")
            seen = record(client, "connect", "ready")
            listener = Failing(client, seen)
            client.consume(listener)
            assert await listener.first.wait() == b"hello"
            assert seen == ["told", "connect", "ready"]
            client.destroy()
        finally:
            current().runner = None
    assert [type(error) for error in reported] == [ZeroDivisionError]


async def test_net_receiver_is_told_when_the_connection_is_secure() -> None:
    """With TLS behind ``connect`` and before ``secure_connect``."""
    authority = trustme.CA()
    server = net.create_tls_server(
        lambda socket: socket.pipe(socket),
        ssl_context=certificate(authority),
    )
    async with server.listen(0, "127.0.0.1"):
        client = net.connect_tls(
            port_of(server), "127.0.0.1", ca=authority.cert_pem.bytes().decode()
        )
        seen = record(client, "connect", "ready", "secure_connect")
        listener = Waiting(client, seen)
        client.consume(listener)
        assert await listener.first.wait() == b"hello"
        assert seen == ["connect", "ready", "told", "secure_connect"]
        client.destroy()


def certificate(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context

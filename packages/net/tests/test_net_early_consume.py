"""A receiver that is there before the connection."""

from headrace import net
from headrace.events.loop import Waiter
from headrace.net.testing import port_of


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

"""Echo over loopback, with a half-close as the sign that all was said."""

from headrace import net


async def main() -> bytes:
    server = net.create_server(lambda socket: socket.pipe(socket))
    async with server.listen(0, "127.0.0.1"):
        address = server.address()
        assert isinstance(address, net.Address)
        client = net.connect(address.port, "127.0.0.1")
        client.end(b"said once")
        return b"".join([chunk async for chunk in client])


echoed = net.run(main)
assert echoed == b"said once", echoed
print(f"echoed {len(echoed)} bytes over loopback")

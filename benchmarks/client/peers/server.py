"""The fixed, fast server that all clients are measured against.

`/hello` is a small answer, `/down/SIZE` a body of so many bytes, anything else is read
to its end and answered. It prints its port.
"""

import asyncio
from typing import Any

HELLO = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n"
    b"Keep-Alive: timeout=65\r\n\r\nHello, world!"
)
PIECE = bytes(256 * 1024)


class Answering(asyncio.Protocol):
    """One connection; it understands no more than these clients send."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.buffer = b""
        self.left = 0  # of a body that is being received
        self.chunked = False
        self.to_send = 0
        self.closing = False
        self.paused = False

    def data_received(self, data: bytes) -> None:
        if self.left or self.chunked:
            self.receive_body(data)
            return
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            self.answer(head)

    def answer(self, head: bytes) -> None:
        lowered = head.lower()
        self.closing = b"\r\nconnection: close" in lowered
        path = head.split(b" ", 2)[1]
        if path.startswith(b"/down/"):
            self.to_send = int(path[6:])
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.to_send
            )
            self.resume_writing()
            return
        if b"\r\ncontent-length:" in lowered:
            value = lowered.partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0]
            self.left = int(value)
        self.chunked = b"\r\ntransfer-encoding: chunked" in lowered
        if self.left or self.chunked:
            rest, self.buffer = self.buffer, b""
            self.receive_body(rest)
        else:
            self.say_hello()

    def receive_body(self, data: bytes) -> None:
        if self.chunked:
            if data.endswith(b"0\r\n\r\n"):
                self.chunked = False
                self.say_hello()
            return
        self.left -= len(data)
        if not self.left:
            self.say_hello()

    def say_hello(self) -> None:
        self.transport.write(HELLO)
        if self.closing:
            self.transport.close()

    def resume_writing(self) -> None:
        # Not re-entrant: a write may call `pause_writing`, never this.
        self.paused = False
        while self.to_send and not self.paused:
            piece = PIECE[: self.to_send]
            self.to_send -= len(piece)
            self.transport.write(piece)

    def pause_writing(self) -> None:
        self.paused = True


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop

        uvloop.run(main())
    except ImportError:
        asyncio.run(main())

"""A bare blocking socket: what the system alone takes, for so many bytes a call."""

import socket
import sys

from commands import Command, obey

#: How much is sent, or read at most, by one system call.
BYTES = int(sys.argv[1]) * 1024


def run(command: Command) -> None:
    with socket.create_connection(("127.0.0.1", command.port)) as peer:
        if command.case == "down":
            peer.sendall(f"GET /down/{command.amount} HTTP/1.1\r\n\r\n".encode())
            buffer = bytearray(BYTES)
            left = command.amount
            while left > 0:
                left -= peer.recv_into(buffer)
        else:
            length = f"Content-Length: {command.amount}"
            peer.sendall(f"POST / HTTP/1.1\r\n{length}\r\n\r\n".encode())
            piece = bytes(BYTES)
            for _ in range(command.amount // BYTES):
                peer.sendall(piece)
            peer.recv(BYTES)


if __name__ == "__main__":
    obey(run)

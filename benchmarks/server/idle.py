"""What connections cost a server while nothing, or hardly anything, moves on them.

Memory is the growth of the resident size, so what the system holds in the buffers of
sockets is not in it. All servers have their timeouts on.

    python benchmarks/server/idle.py --connections 5000 --seconds 60
"""

import argparse
import resource
import socket
import sys
import time
from pathlib import Path

from compare import SERVERS, Running
from load import ask_hello

DOWNLOAD = b"GET /download/20 HTTP/1.1\r\nHost: x\r\n\r\n"
READERS = 50
#: Each slow reader takes so much, ten times a second.
SIP = 16 * 1024


def kib(server: Running, field: str) -> int:
    """Return VmRSS, the size now, or VmHWM, the greatest size so far."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0])


def connect(port: int) -> socket.socket:
    """Open a connection that has a small receive buffer."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SIP)
    peer.connect(("127.0.0.1", port))
    return peer


def idle(server: Running, connections: int, seconds: float) -> tuple[float, float]:
    """Return KiB per idle connection, and milliseconds of CPU in a minute."""
    with connect(server.port) as first:
        ask_hello(first)
    before = kib(server, "VmRSS")
    peers = [connect(server.port) for _ in range(connections)]
    for peer in peers:
        ask_hello(peer)
    time.sleep(1)
    size = (kib(server, "VmRSS") - before) / connections
    used = server.cpu()
    time.sleep(seconds)
    used = (server.cpu() - used) / seconds * 60 * 1000
    for peer in peers:
        ask_hello(peer)  # else the server had closed it, and the numbers mean nothing
        peer.close()
    return size, used


def slow_readers(server: Running, seconds: float) -> float:
    """Return the MiB by which a server grows for 50 slow readers of 20 MB."""
    with connect(server.port) as first:
        ask_hello(first)
    before = kib(server, "VmRSS")
    peers = [connect(server.port) for _ in range(READERS)]
    for peer in peers:
        peer.sendall(DOWNLOAD)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for peer in peers:
            peer.recv(SIP)
        time.sleep(0.1)
    for peer in peers:
        peer.close()
    return (kib(server, "VmHWM") - before) / 1024


def main() -> None:
    """Print one line per server."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--server", action="append", choices=list(SERVERS))
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for the servers too
    if hard != resource.RLIM_INFINITY and arguments.connections > hard - 100:
        sys.exit(f"no more than {hard} descriptors are allowed")
    print(
        "| server | KiB per idle connection | ms CPU per idle minute "
        f"| MiB for {READERS} slow readers |\n|---|---|---|---|"
    )
    for name in arguments.server or SERVERS:
        server = Running(name)
        try:
            size, used = idle(server, arguments.connections, arguments.seconds)
        finally:
            server.stop()
        server = Running(name)
        try:
            grown = slow_readers(server, min(arguments.seconds, 5))
        finally:
            server.stop()
        print(f"| {name} | {size:.1f} | {used:.0f} | {grown:.1f} |", flush=True)


if __name__ == "__main__":
    main()

"""What TLS costs a server: per request, per connection, per MiB, and at rest.

As compare.py and idle.py, over TLS: every round asks every server the same, in turn. A
connection per request is a full handshake each. All servers have the same certificate
(ECDSA, P-256). Needs trustme, wrk and node.

    python benchmarks/server/bench_tls.py [rounds]
"""

import shutil
import socket
import ssl
import sys
import tempfile
import time
from pathlib import Path

import trustme
from compare import SERVERS, Running, compare, versions
from idle import kib
from load import Case, ask_hello, wrk

CONNECTIONS = 1000
MIB = 64
NAMES = ("node", "headrace", "headrace uvloop", "headrace trio", "uvicorn uvloop")


def certificate(folder: str) -> tuple[ssl.SSLContext, list[str]]:
    """Return what a client trusts, and the files of a server."""
    authority = trustme.CA()
    made = authority.issue_cert("localhost")
    files = [str(Path(folder) / name) for name in ("cert.pem", "key.pem")]
    made.cert_chain_pems[0].write_to_path(files[0])
    made.private_key_pem.write_to_path(files[1])
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context, files


def connect(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Open a connection."""
    below = socket.create_connection(("127.0.0.1", port))
    return context.wrap_socket(below, server_hostname="localhost")


def idle(server: Running, context: ssl.SSLContext) -> float:
    """Return KiB per connection that has had one answer."""
    for _ in range(20):
        with connect(server.port, context) as first:
            ask_hello(first)
    before = kib(server, "VmRSS")
    peers = [connect(server.port, context) for _ in range(CONNECTIONS)]
    for peer in peers:
        ask_hello(peer)
    time.sleep(1)
    size = (kib(server, "VmRSS") - before) / CONNECTIONS
    for peer in peers:
        peer.close()
    return size


def cases(context: ssl.SSLContext) -> list[Case]:
    """Return what is asked."""

    def download(port: int, seconds: float) -> int:
        with connect(port, context) as peer:
            peer.sendall(
                f"GET /download/{MIB} HTTP/1.1\r\nHost: x\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            buffer, received = bytearray(1 << 18), 0
            while size := peer.recv_into(buffer):
                received += size
        assert received > MIB << 20
        return MIB

    once = ("-H", "Connection: close")
    return [
        Case("hello", wrk("/", 32, scheme="https")),
        Case("connection per request", wrk("/", 32, *once, scheme="https")),
        Case(f"download {MIB} MiB", download, "MB"),
    ]


def main() -> None:
    """Print a table of CPU, and a line about memory."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    if shutil.which("node") is None:
        sys.exit("node is not installed: there is nothing to compare with")
    with tempfile.TemporaryDirectory() as folder:
        context, files = certificate(folder)
        for name in NAMES:
            SERVERS[name] = [*SERVERS[name], *files]
        print(versions(), end="\n\n")
        print("| case | " + " | ".join(NAMES) + " |")
        print("|---|" + "---|" * len(NAMES))
        servers = [Running(name) for name in NAMES]
        try:
            for case in cases(context):
                result = compare(case, servers, rounds, 1)
                cells = [f"{cost:.1f} ({ratio:.2f})" for cost, ratio in result.values()]
                print(f"| {case.name} | " + " | ".join(cells) + " |", flush=True)
        finally:
            for server in servers:
                server.stop()
        sizes = []
        for name in NAMES:
            server = Running(name)
            try:
                sizes.append(f"{idle(server, context):.1f}")
            finally:
                server.stop()
        print("| KiB per idle connection | " + " | ".join(sizes) + " |")


if __name__ == "__main__":
    main()

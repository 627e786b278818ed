"""What is asked of a server: the cases, and the load that each one makes."""

import re
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

#: Twelve header fields, as a browser sends them.
HEADERS = {
    "Accept": "text/html,application/json;q=0.9,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "en-GB,en;q=0.9",
    "Cache-Control": "no-cache",
    "Cookie": "session=0123456789abcdef; theme=dark",
    "Origin": "http://example.test",
    "Pragma": "no-cache",
    "Referer": "http://example.test/page",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) headrace-benchmark",
    "X-Request-Id": "8c1f0d5e",
    "X-Forwarded-For": "192.0.2.1",
}


_FIELD_LINES = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())

#: The requests that are counted one by one; the bodies of the answers have one length.
REQUESTS = {
    "hello": b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
    "json": f"GET /json HTTP/1.1\r\nHost: x\r\n{_FIELD_LINES}\r\n".encode(),
    "post": b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1024\r\n\r\n"
    + b"x" * 1024,
    "chunked": b"GET /chunked HTTP/1.1\r\nHost: x\r\n\r\n",
}


HELLO_ENDS = (b"Hello World\n", b"Hello World\n\r\n0\r\n\r\n")


def ask_hello(peer: socket.socket) -> None:
    """Ask for the small page and read it, whether it has a length or is chunked."""
    peer.sendall(REQUESTS["hello"])
    answer = b""
    while not answer.endswith(HELLO_ENDS):
        received = peer.recv(65536)
        assert received, answer
        answer += received


class Asker:
    """Asks one question over one connection, again and again.

    Args:
        port: Where the server listens.
        name: Which of `REQUESTS`.
    """

    def __init__(self, port: int, name: str) -> None:
        self._request = REQUESTS[name]
        self._peer = socket.create_connection(("127.0.0.1", port))
        self._peer.sendall(self._request)
        self._peer.settimeout(30.0)
        self._size = 0  # of an answer, which has come when nothing more comes
        try:
            while received := self._peer.recv(65536):
                self._size += len(received)
                self._peer.settimeout(1.0)
        except TimeoutError:
            self._peer.settimeout(60.0)
        assert self._size, "no answer"

    def ask(self, times: int) -> None:
        """Send the request so many times, each after the answer to the last."""
        for _ in range(times):
            self._peer.sendall(self._request)
            missing = self._size
            while missing > 0:
                received = self._peer.recv(65536)
                assert received, "the connection was closed"
                missing -= len(received)

    def close(self) -> None:
        """Close the connection."""
        self._peer.close()


@dataclass(frozen=True)
class Case:
    """One question to the servers.

    Attributes:
        name: What the table calls it.
        run: Makes the load on a port; returns how many units were done.
        unit: What is counted: requests or MB.
    """

    name: str
    run: Callable[[int, float], int]
    unit: str = "request"


def wrk(
    path: str, connections: int, *extra: str, scheme: str = "http"
) -> Callable[[int, float], int]:
    """Return a load by wrk with one thread."""

    def run(port: int, seconds: float) -> int:
        url = f"{scheme}://127.0.0.1:{port}{path}"
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *extra, url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        errors = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
        assert errors is None, done.stdout
        found = re.search(r"(\d+) requests in", done.stdout)
        assert found is not None, done.stdout
        return int(found[1])

    return run


def script(text: str) -> list[str]:
    """Write a wrk script beside the others; return its options."""
    path = Path(gettempdir()) / f"headrace-bench-{abs(hash(text))}.lua"
    path.write_text(text)
    return ["-s", str(path)]


def pipelined(depth: int) -> list[str]:
    """Send requests in groups on each connection."""
    return script(
        "init = function() local r = {} "
        f"for i = 1, {depth} do r[i] = wrk.format('GET', '/') end "
        "batch = table.concat(r) end "
        "request = function() return batch end"
    )


def transfer(up: int, down: int) -> Callable[[int, float], int]:
    """Return a load that moves so many MiB up or down through one connection."""

    def run(port: int, seconds: float) -> int:
        with socket.create_connection(("127.0.0.1", port)) as peer:
            if up:
                send_body(peer, up)
            else:
                peer.sendall(
                    f"GET /download/{down} HTTP/1.1\r\nHost: x\r\n"
                    "Connection: close\r\n\r\n".encode()
                )
            buffer = bytearray(1 << 18)
            received = 0
            while size := peer.recv_into(buffer):
                received += size
        assert received > down << 20
        return up or down

    return run


def send_body(peer: socket.socket, mib: int) -> None:
    """Send a POST with a body of so many MiB."""
    peer.sendall(
        f"POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Length: {mib << 20}\r\n\r\n".encode()
    )
    block = b"x" * (1 << 18)
    for _ in range(mib * 4):
        peer.sendall(block)


_FIELDS = [
    option for name, value in HEADERS.items() for option in ("-H", f"{name}: {value}")
]
_POST = script(
    "wrk.method = 'POST' wrk.path = '/echo' wrk.body = string.rep('x', 1024)"
)

CASES = {
    case.name: case
    for case in (
        Case("hello", wrk("/", 32)),
        Case("json", wrk("/json", 32, *_FIELDS)),
        Case("one connection", wrk("/", 1)),
        Case("1000 connections", wrk("/", 1000)),
        Case("pipelined x16", wrk("/", 32, *pipelined(16))),
        Case("connection per request", wrk("/", 32, "-H", "Connection: close")),
        Case("POST 1 KiB", wrk("/echo", 32, *_POST)),
        Case("chunked, 8 writes", wrk("/chunked", 32)),
        Case("upload 512 MiB", transfer(512, 0), "MB"),
        Case("download 512 MiB", transfer(0, 512), "MB"),
    )
}

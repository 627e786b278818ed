"""What one hostile client can make our server hold: a few MiB, whatever it sends.

Source: the limits in the list of known advisories; H-127, H-130, X-001 to X-006.
"""

import contextlib
import socket
import sys
from collections.abc import Iterator
from itertools import repeat

import pytest
from peers import Program, our_server, running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
CODING = b"Transfer-Encoding: chunked"
UPGRADE = GET[:-2] + b"Connection: upgrade\r\nUpgrade: echo\r\n\r\n"
CONNECT = b"CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: x\r\n\r\n"
MIB = 1 << 20
BOUND_KIB = 16 * 1024


@pytest.fixture(
    scope="module",
    params=[
        ("asyncio", "llhttp"),
        ("asyncio", "h11"),
        ("uvloop", "llhttp"),
        ("trio", "llhttp"),
    ],
    ids="-".join,
)
def server(request: pytest.FixtureRequest) -> Iterator[Program]:
    """One server for all attacks: what one leaves behind, the next would show."""
    with running(our_server(*request.param)) as program:
        talk(program, [GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")])
        before = program.peak_kib()
        yield program
        assert program.peak_kib() - before < BOUND_KIB
        assert "Warning" not in program.errors()


def connect(server: Program) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", server.port))
    peer.settimeout(30)
    return peer


def push(peer: socket.socket, pieces: Iterator[bytes], patience: float) -> int:
    """Send until the server takes no more; return how many bytes it took."""
    peer.settimeout(patience)
    sent = 0
    with contextlib.suppress(OSError):
        for piece in pieces:
            while piece:
                taken = peer.send(piece)
                sent += taken
                piece = piece[taken:]
    return sent


def read_all(peer: socket.socket) -> bytes:
    """Read until the server closes, by FIN or by RST."""
    peer.settimeout(30)
    answer = b""
    with contextlib.suppress(ConnectionError):
        while received := peer.recv(MIB):
            answer += received
    return answer


def talk(server: Program, pieces: list[bytes]) -> bytes:
    """Send it all, as far as it is taken, and return the answer."""
    with connect(server) as peer:
        push(peer, iter(pieces), 30)
        return read_all(peer)


def test_a_flood_of_requests_whose_answers_nobody_reads(server: Program) -> None:
    """The server stops reading: pipelined requests are bounded (H-127, X-025)."""
    with connect(server) as peer:
        sent = push(peer, repeat(GET * 2_000, 500), 0.5)
    assert sent < 500 * 2_000 * len(GET)


def test_a_body_that_is_never_read(server: Program) -> None:
    """The server stops reading at the high-water mark (H-161)."""
    head = b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (
        64 * MIB
    )
    with connect(server) as peer:
        peer.sendall(head)
        assert push(peer, repeat(bytes(MIB), 64), 0.5) < 32 * MIB


def test_many_who_ask_for_much_and_read_nothing(server: Program) -> None:
    """Answers wait with their handlers, not in memory (H-054)."""
    peers = [connect(server) for _ in range(50)]
    for peer in peers:
        peer.sendall(b"GET /big/20 HTTP/1.1\r\nHost: x\r\n\r\n")
    for peer in peers:
        assert peer.recv(1024).startswith(b"HTTP/1.1 200 OK")
        peer.close()


def test_a_head_without_end(server: Program) -> None:
    """More than 16 KiB of head is 431, and the end (X-006, CVE-2018-12121)."""
    with connect(server) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        push(peer, repeat(b"X-Header: " + b"y" * 1000 + b"\r\n", 65_536), 30)
        # The answer can be lost to the RST that surplus bytes provoke.
        assert read_all(peer)[:12] in (b"HTTP/1.1 431", b"")


ENDLESS = pytest.mark.parametrize(
    ("start", "more", "status"),
    [
        pytest.param(b"GET /", b"a" * 1000, 431, id="target"),
        pytest.param(GET[:-2], b"X: " + b"y" * 997, 431, id="field"),
        pytest.param(GET[:-2], b"X: y\r\n" * 100, 431, id="fields"),
        pytest.param(b"", b"\r\n" * 500, 431, id="blank lines"),
        pytest.param(b"", b"G" * 1000, 400, id="method"),
        pytest.param(CHUNKED + b"1;", b"x" * 1000, 413, id="extension"),
        pytest.param(CHUNKED, b"1;" + b"x" * 500 + b"\r\ny\r\n", 413, id="extensions"),
        pytest.param(CHUNKED + b"1", b" " * 1000, 413, id="blanks of an extension"),
        pytest.param(CHUNKED + b"0\r\nX: ", b"y" * 1000, 431, id="trailer"),
        pytest.param(CHUNKED + b"0\r\n", b"X: y\r\n" * 100, 431, id="trailers"),
        pytest.param(CHUNKED, b"0" * 1000, 400, id="chunk size"),
    ],
)


@ENDLESS
def test_the_end_comes_soon_behind_a_limit(
    server: Program, start: bytes, more: bytes, status: int
) -> None:
    """Within 64 KiB past 16 KiB of what is no body: X-006, H-123, CVE-2022-32213."""
    with connect(server) as peer:
        peer.sendall(start)
        for _ in range((16 + 64) * 1024 // len(more)):
            with contextlib.suppress(ConnectionError):
                peer.sendall(more)
        # The answer can be lost to the RST that surplus bytes provoke.
        answer = read_all(peer)
        assert answer[:12] in (b"HTTP/1.1 %d" % status, b"")
        assert answer.count(b"HTTP/1.1") <= 1


@ENDLESS
def test_framing_without_end(
    server: Program, start: bytes, more: bytes, status: int
) -> None:
    """Whatever is not a body has a limit, and ends the connection (H-123, X-006).

    CVE-2024-22019, CVE-2026-22815.
    """
    with connect(server) as peer:
        peer.sendall(start)
        sent = push(peer, repeat(more, 64 * MIB // len(more)), 10)
    assert sent < 32 * MIB


@pytest.mark.parametrize("url", [b"/ignore", b"/echo", b"/early", b"/raise"])
@pytest.mark.parametrize("framing", [b"Content-Length: 99999999", CODING])
def test_a_long_body(server: Program, url: bytes, framing: bytes) -> None:
    """Whatever the handler does about it, it waits with its sender (X-024, H-161)."""
    piece = bytes(MIB) if framing != CODING else b"100000\r\n%b\r\n" % bytes(MIB)
    with connect(server) as peer:
        peer.sendall(b"POST %b HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % (url, framing))
        assert push(peer, repeat(piece, 64), 0.3) < 48 * MIB


def test_answers_of_a_mebibyte_each(server: Program) -> None:
    """Nothing is read behind the first that waits, and so no more are made (H-127).

    That is so for plain listeners. Async ones run beside each other, as many as
    `max_pipelined_requests` lets wait.
    """
    with connect(server) as peer:
        push(peer, repeat(GET.replace(b"/", b"/mebibyte", 1) * 2_000, 20), 0.5)


@pytest.mark.parametrize("first", [b"/ignore", b"/big/20"])
@pytest.mark.parametrize("way_out", [UPGRADE, CONNECT])
def test_what_waits_behind_a_switch(
    server: Program, first: bytes, way_out: bytes
) -> None:
    """Bytes of the other protocol are not read before its turn (H-025, H-026)."""
    with connect(server) as peer:
        peer.sendall(GET.replace(b"/", first, 1) + way_out)
        assert push(peer, repeat(bytes(MIB), 64), 0.3) < 48 * MIB


def test_a_body_in_single_bytes(server: Program) -> None:
    """300,000 chunks of one byte are a body like any other (CVE-2025-69229)."""
    answer = talk(
        server,
        [
            CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
            b"1\r\nx\r\n" * 300_000,
            b"0\r\n\r\n",
        ],
    )
    assert answer.endswith(b"\r\n\r\n300000")

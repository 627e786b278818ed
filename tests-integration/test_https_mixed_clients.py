"""Honest clients among hostile ones: all answered, and nothing stays (X-071)."""

import os
import random
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import trustme

from headrace import http, https
from headrace.events.loop import checkpoint
from headrace.net.testing import port_of

AUTHORITY = trustme.CA()
CONNECTIONS = 60
WORKERS = 4

LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
BIG = b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    AUTHORITY.configure_trust(context)
    return context


CONTEXT = trusting()
DISTRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def reset_on_close(below: socket.socket) -> None:
    below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def plain_http(below: socket.socket) -> None:
    below.sendall(LAST)
    below.recv(100)


def garbage(below: socket.socket) -> None:
    below.sendall(bytes(range(256)))


def half_hello(below: socket.socket) -> None:
    below.sendall(HALF_HELLO)
    reset_on_close(below)


def distrusts(below: socket.socket) -> None:
    with pytest.raises(ssl.SSLError):
        DISTRUSTING.wrap_socket(below, server_hostname="localhost")


def secured(below: socket.socket) -> ssl.SSLSocket:
    return CONTEXT.wrap_socket(below, server_hostname="localhost")


def says_nothing(below: socket.socket) -> None:
    secured(below).close()


def half_body(below: socket.socket) -> None:
    with secured(below) as sock:
        sock.sendall(HALF_BODY)


def resets_in_the_answer(below: socket.socket) -> None:
    with secured(below) as sock:
        sock.sendall(BIG)
        sock.recv(1000)
        reset_on_close(sock)


def honest(below: socket.socket) -> None:
    with secured(below) as sock:
        sock.sendall(LAST)
        answer = b""
        while chunk := sock.recv(4096):
            answer += chunk
    assert answer.endswith(b"\r\n\r\nhello")


CLIENTS: list[Callable[[socket.socket], None]] = [
    plain_http,
    garbage,
    half_hello,
    distrusts,
    says_nothing,
    half_body,
    resets_in_the_answer,
    honest,
]


def work(port: int, seed: int) -> Counter[str]:
    """Be many clients, one after the other; return how often each was one."""
    dice = random.Random(seed)
    done: Counter[str] = Counter()
    for _ in range(CONNECTIONS):
        client = dice.choice(CLIENTS)
        with socket.create_connection(("127.0.0.1", port), 50) as below:
            try:
                client(below)
            except OSError:
                if client is honest:
                    raise
        done[client.__name__] += 1
    return done


def code_of(error: Any) -> str:
    return str(error.code)


async def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    if request.url == "/big":
        response.write(bytes(300_000))
    await request.body()
    response.end("hello")


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
async def test_honest_clients_among_others(engine: str) -> None:
    """Every honest one is answered; no connection or descriptor stays."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    server = https.create_server({"ssl_context": context, "engine": engine}, answer)
    codes: Counter[Any] = Counter()
    server.on("tls_client_error", lambda error, _: codes.update([code_of(error)]))
    done: Counter[str] = Counter()

    async def run(port: int, seed: int) -> None:
        done.update(await anyio.to_thread.run_sync(work, port, seed))

    async with server.listen(0, "127.0.0.1"):
        before = len(os.listdir("/proc/self/fd"))
        async with anyio.create_task_group() as tasks:
            for seed in range(WORKERS):
                tasks.start_soon(run, port_of(server), seed)
        while server._connections:
            await checkpoint()
        assert len(os.listdir("/proc/self/fd")) <= before
    assert done.total() == CONNECTIONS * WORKERS
    assert codes["ERR_SSL_HTTP_REQUEST"] == done["plain_http"]
    assert codes["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"] == done["distrusts"]
    assert set(done) == {client.__name__ for client in CLIENTS}

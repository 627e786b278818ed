"""What TLS costs the server, beside asyncio's own: CPU per small echo and per MB.

A client in a process of its own echoes 64 bytes, uploads, or downloads; only the CPU of
the serving process counts. The subjects take turns, each round in a fresh process; each
number is the median of the rounds. Needs trustme.

Usage: bench_tls.py [rounds]
"""

import asyncio
import multiprocessing
import os
import socket
import ssl
import sys
import time
from statistics import median
from typing import Any

import anyio
import trustme

from headrace import net

ECHOES = 5_000
MEGABYTES = 100
MEGABYTE = bytes(1_000_000)
UNITS = {"echo": ECHOES, "upload": MEGABYTES, "download": MEGABYTES}

AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("localhost")


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATE.configure_cert(context)
    return context


class Receiver:
    """headrace.net's side."""

    def __init__(self, connection: net.Socket, work: str, done: anyio.Event) -> None:
        self.connection, self.work, self.done = connection, work, done
        self.left = MEGABYTES
        connection.consume(self)

    def data_received(self, data: memoryview) -> None:
        if self.work == "echo":
            self.connection.send([bytes(data)])
        elif self.work == "download":
            self.flushed()

    def flushed(self) -> None:
        while self.left:
            self.left -= 1
            if not self.connection.send([MEGABYTE]):
                break

    def eof_received(self) -> None:
        self.connection.destroy()

    def connection_lost(self, error: Exception | None) -> None:
        self.done.set()


async def serve_headrace(listener: socket.socket, work: str) -> None:
    done = anyio.Event()
    server = net.create_tls_server({"ssl_context": server_context()})
    server.on("secure_connection", lambda accepted: Receiver(accepted, work, done))
    async with server.listen(listener):
        await done.wait()


class Protocol(asyncio.Protocol):
    """asyncio's side."""

    work: str
    done: asyncio.Event

    def connection_made(self, transport: Any) -> None:
        self.transport, self.left, self.full = transport, MEGABYTES, False

    def data_received(self, data: bytes) -> None:
        if self.work == "echo":
            self.transport.write(data)
        elif self.work == "download":
            self.resume_writing()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        while self.left and not self.full:
            self.left -= 1
            self.transport.write(MEGABYTE)

    def connection_lost(self, error: Exception | None) -> None:
        self.done.set()


async def serve_asyncio(listener: socket.socket, work: str) -> None:
    Protocol.work, Protocol.done = work, asyncio.Event()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Protocol, sock=listener, ssl=server_context())
    await Protocol.done.wait()
    server.close()


SUBJECTS = {
    ("headrace", "asyncio"): serve_headrace,
    ("headrace", "uvloop"): serve_headrace,
    ("headrace", "trio"): serve_headrace,
    ("asyncio's TLS", "asyncio"): serve_asyncio,
    ("asyncio's TLS", "uvloop"): serve_asyncio,
}


def run_client(address: Any, work: str) -> None:
    context = ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode())
    plain = socket.create_connection(address)
    with context.wrap_socket(plain, server_hostname="localhost") as client:
        if work == "echo":
            for _ in range(ECHOES):
                client.sendall(b"x" * 64)
                client.recv(1000)
        elif work == "upload":
            for _ in range(MEGABYTES):
                client.sendall(MEGABYTE)
        else:
            client.sendall(b"go")
            buffer, left = bytearray(1 << 18), MEGABYTES * len(MEGABYTE)
            while left:
                left -= client.recv_into(buffer)


def measure(name: str, runtime: str, work: str, result: Any) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    child = os.fork()
    if not child:
        run_client(listener.getsockname(), work)
        os._exit(0)
    options = {"use_uvloop": runtime == "uvloop"} if runtime != "trio" else {}
    before = time.process_time_ns()
    backend = "trio" if runtime == "trio" else "asyncio"
    serve = SUBJECTS[name, runtime]
    anyio.run(serve, listener, work, backend=backend, backend_options=options)
    result.send((time.process_time_ns() - before) / 1000 / UNITS[work])
    os.waitpid(child, 0)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    context = multiprocessing.get_context("fork")
    results: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(rounds):
        for work in UNITS:
            for name, runtime in SUBJECTS:
                ours, theirs = context.Pipe(duplex=False)
                arguments = (name, runtime, work, theirs)
                process = context.Process(target=measure, args=arguments)
                process.start()
                costs = results.setdefault((work, name, runtime), [])
                costs.append(ours.recv())
                process.join()
    for (work, name, runtime), costs in results.items():
        unit = "echo" if work == "echo" else "MB"
        print(f"{work:9} {name:14} {runtime:8} {median(costs):6.0f} us CPU per {unit}")


if __name__ == "__main__":
    main()

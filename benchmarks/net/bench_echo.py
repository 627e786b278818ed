"""What a small echo costs the server: CPU microseconds, by transport and by runtime.

A client in a process of its own sends 64 bytes and waits for them, over 8 connections
in turn; only the CPU of the serving process counts. The subjects take turns, each round
in a fresh process; each number is the median of the rounds.

Usage: bench_echo.py [rounds] [echoes]
"""

import asyncio
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median
from typing import Any

import anyio

from headrace import net

CONNECTIONS = 8
MESSAGE = b"x" * 64
#: Serves on the listening socket until the last client has left.
Serve = Callable[[socket.socket], Awaitable[None]]


class Receiver:
    """headrace.net, past the stream: what headrace.http uses."""

    def __init__(self, connection: net.Socket) -> None:
        self.connection, self.send = connection, connection.send
        connection.consume(self)

    def data_received(self, data: memoryview) -> None:
        self.send([bytes(data)])

    def eof_received(self) -> None:
        self.connection.destroy()

    def flushed(self) -> None: ...
    def connection_lost(self, error: Exception | None) -> None: ...


async def serve_headrace(
    handle: Callable[[net.Socket], object], listener: socket.socket
) -> None:
    left = CONNECTIONS
    done = anyio.Event()

    def accepted(connection: net.Socket) -> None:
        connection.on("close", gone)
        handle(connection)

    def gone() -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    async with net.create_server(accepted).listen(listener):
        await done.wait()


def by_stream(connection: net.Socket) -> None:
    """headrace.net, as a stream: a listener that writes."""
    connection.on("data", connection.write)


class EchoProtocol(asyncio.Protocol):
    """asyncio's own way."""

    left = CONNECTIONS
    done: asyncio.Event

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        type(self).left -= 1
        if not self.left:
            self.done.set()


async def serve_protocol(listener: socket.socket) -> None:
    EchoProtocol.done = asyncio.Event()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(EchoProtocol, sock=listener)
    await EchoProtocol.done.wait()
    server.close()


async def serve_anyio(listener: socket.socket) -> None:
    """anyio's streams: a task for each connection."""

    async def echo(number: int) -> None:
        raw, _ = await anyio.to_thread.run_sync(listener.accept)
        async with await anyio.abc.SocketStream.from_socket(raw) as stream:
            async for data in stream:
                await stream.send(data)

    listener.setblocking(True)
    async with anyio.create_task_group() as tasks:
        for number in range(CONNECTIONS):
            tasks.start_soon(echo, number)


SUBJECTS: dict[str, tuple[Serve, list[str]]] = {
    "headrace, receiver": (
        partial(serve_headrace, Receiver),
        ["asyncio", "uvloop", "trio"],
    ),
    "headrace, stream": (
        partial(serve_headrace, by_stream),
        ["asyncio", "uvloop", "trio"],
    ),
    "asyncio.Protocol": (serve_protocol, ["asyncio", "uvloop"]),
    "anyio streams": (serve_anyio, ["asyncio", "uvloop", "trio"]),
}


def run_client(address: Any, echoes: int) -> None:
    clients = [socket.create_connection(address) for _ in range(CONNECTIONS)]
    for number in range(echoes):
        client = clients[number % CONNECTIONS]
        client.sendall(MESSAGE)
        received = 0
        while received < len(MESSAGE):
            received += len(client.recv(65536))
    for client in clients:
        client.close()


def measure(serve: Serve, runtime: str, echoes: int, result: Any) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    child = os.fork()
    if not child:
        run_client(listener.getsockname(), echoes)
        os._exit(0)
    options = {"use_uvloop": runtime == "uvloop"} if runtime != "trio" else {}
    before = time.process_time_ns()
    backend = "trio" if runtime == "trio" else "asyncio"
    anyio.run(serve, listener, backend=backend, backend_options=options)
    result.send((time.process_time_ns() - before) / 1000 / echoes)
    os.waitpid(child, 0)


def in_fresh_process(serve: Serve, runtime: str, echoes: int) -> float:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(serve, runtime, echoes, theirs))
    process.start()
    microseconds: float = ours.recv()
    process.join()
    return microseconds


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    echoes = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    results: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for name, (serve, runtimes) in SUBJECTS.items():
            for runtime in runtimes:
                cost = in_fresh_process(serve, runtime, echoes)
                results.setdefault((name, runtime), []).append(cost)
    for (name, runtime), costs in results.items():
        print(f"{name:20} {runtime:8} {median(costs):6.1f} us CPU per echo")


if __name__ == "__main__":
    main()

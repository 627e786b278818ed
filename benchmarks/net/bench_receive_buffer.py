"""What receiving costs by the size of the shared buffer: CPU microseconds per MB.

A client in a process of its own sends as fast as it can; only the CPU of the receiving
process counts. The sizes take turns, each round in a fresh process; each number is the
median of the rounds.

Usage: bench_receive_buffer.py [rounds] [megabytes]
"""

import multiprocessing
import os
import socket
import sys
import time
from statistics import median
from typing import Any

import anyio

from headrace import net

SIZES = (16, 32, 64, 128, 256)
RUNTIMES = ("asyncio", "uvloop", "trio")


class Sink:
    """Takes the bytes and looks at none."""

    def __init__(self, connection: net.Socket, lost: anyio.Event) -> None:
        self.connection, self.lost = connection, lost
        connection.consume(self)

    def data_received(self, data: memoryview) -> None: ...

    def eof_received(self) -> None:
        self.connection.destroy()

    def flushed(self) -> None: ...

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set()


async def receive(listener: socket.socket) -> None:
    lost = anyio.Event()
    server = net.create_server(lambda connection: Sink(connection, lost))
    async with server.listen(listener):
        await lost.wait()


def measure(kibibytes: int, runtime: str, megabytes: int, result: Any) -> None:
    # The size is no option: this is the one who asks what it should be.
    inside = sys.modules["headrace.net._socket_transport"]
    setattr(inside, "RECEIVE_BUFFER_BYTES", kibibytes * 1024)  # noqa: B010
    listener = socket.create_server(("127.0.0.1", 0))
    child = os.fork()
    if not child:
        client = socket.create_connection(listener.getsockname())
        for _ in range(megabytes):
            client.sendall(bytes(1_000_000))
        os._exit(0)
    options = {"use_uvloop": runtime == "uvloop"} if runtime != "trio" else {}
    before = time.process_time_ns()
    backend = "trio" if runtime == "trio" else "asyncio"
    anyio.run(receive, listener, backend=backend, backend_options=options)
    result.send((time.process_time_ns() - before) / 1000 / megabytes)
    os.waitpid(child, 0)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    context = multiprocessing.get_context("fork")
    results: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for runtime in RUNTIMES:
            for size in SIZES:
                ours, theirs = context.Pipe(duplex=False)
                arguments = (size, runtime, megabytes, theirs)
                process = context.Process(target=measure, args=arguments)
                process.start()
                results.setdefault((runtime, size), []).append(ours.recv())
                process.join()
    for (runtime, size), costs in results.items():
        print(f"{runtime:8} {size:4} KiB {median(costs):6.0f} us CPU per MB")


if __name__ == "__main__":
    main()

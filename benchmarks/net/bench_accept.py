"""What accepting costs, and what an idle connection holds: microseconds and bytes.

Clients connect at once and stay silent; the server gives each socket to a receiver, as
HTTP does. CPU is that of accepting, including the system's; bytes are Python's own
(tracemalloc) on the server's side.

Usage: bench_accept.py [rounds] [connections]
"""

import multiprocessing
import os
import resource
import socket
import sys
import time
import tracemalloc
from statistics import median
from typing import Any

import anyio

from headrace import net

RUNTIMES = ("asyncio", "uvloop", "trio")


class Silent:
    """Waits for bytes that do not come."""

    def data_received(self, data: memoryview) -> None: ...
    def eof_received(self) -> None: ...
    def flushed(self) -> None: ...
    def connection_lost(self, error: Exception | None) -> None: ...


async def accept(
    listener: socket.socket, connections: int, traced: bool
) -> tuple[float, float]:
    receiver = Silent()
    sockets: list[net.Socket] = []
    complete = anyio.Event()

    def accepted(connection: net.Socket) -> None:
        connection.consume(receiver)
        sockets.append(connection)
        if len(sockets) == connections:
            complete.set()

    server = net.create_server(accepted)
    if traced:
        tracemalloc.start()
    before = time.process_time_ns()
    await server.listen(listener)
    await complete.wait()
    microseconds = (time.process_time_ns() - before) / 1000 / connections
    held = tracemalloc.get_traced_memory()[0] / connections
    server.close()
    for connection in sockets:
        connection.destroy()
    return microseconds, held


def measure(runtime: str, connections: int, traced: bool, result: Any) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * connections + 100,) * 2)
    listener = socket.create_server(("127.0.0.1", 0), backlog=connections)
    child = os.fork()
    if not child:
        address = listener.getsockname()
        peers = [socket.create_connection(address) for _ in range(connections)]
        for peer in peers:
            peer.recv(1)
        os._exit(0)
    time.sleep(0.3)  # all wait in the backlog
    options = {"use_uvloop": runtime == "uvloop"} if runtime != "trio" else {}
    backend = "trio" if runtime == "trio" else "asyncio"
    arguments = (listener, connections, traced)
    result.send(anyio.run(accept, *arguments, backend=backend, backend_options=options))
    os.waitpid(child, 0)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    connections = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    context = multiprocessing.get_context("fork")
    costs: dict[str, list[float]] = {runtime: [] for runtime in RUNTIMES}
    held: dict[str, float] = {}
    for number in range(rounds + 1):
        for runtime in RUNTIMES:
            ours, theirs = context.Pipe(duplex=False)
            traced = not number  # tracing slows the rest down: a round of its own
            process = context.Process(
                target=measure, args=(runtime, connections, traced, theirs)
            )
            process.start()
            microseconds, size = ours.recv()
            process.join()
            if traced:
                held[runtime] = size
            else:
                costs[runtime].append(microseconds)
    for runtime in RUNTIMES:
        print(f"{runtime:8} {median(costs[runtime]):6.1f} us CPU per accept")
        print(f"{runtime:8} {held[runtime]:6.0f} bytes per idle connection")


if __name__ == "__main__":
    main()

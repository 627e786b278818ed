"""A chunk through Readable -> Transform -> Writable: CPU microseconds for each chunk.

Beside it the same in Node, a chain of anyio's memory object streams, a chain of
asyncio's queues, and, as the floor, three plain functions that call each other. All
take turns in one run; a number is the median of the rounds. Node is left out when it is
not installed.

Usage: bench_pipeline.py [rounds]
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import anyio

from headrace.streams import Readable, Transform, Writable, pipeline

SIZES = (1024, 65536)
CHUNKS = 20_000
PEER = Path(__file__).parent / "peers" / "pipeline.js"

Contender = Callable[[int], float]


class Source(Readable):
    def __init__(self, chunk: bytes) -> None:
        super().__init__()
        self.chunk = chunk
        self.left = CHUNKS

    def _read(self, size: int) -> None:
        if self.left:
            self.left -= 1
            self.push(self.chunk)
        else:
            self.push(None)


class Unchanged(Transform):
    def _transform(
        self, chunk: bytes, encoding: str, callback: Callable[..., None]
    ) -> None:
        callback(None, chunk)


class Sink(Writable):
    def __init__(self) -> None:
        super().__init__()
        self.received = 0

    def _write(
        self, chunk: bytes, encoding: str, callback: Callable[..., None]
    ) -> None:
        self.received += len(chunk)
        callback()


async def headrace(size: int) -> None:
    sink = Sink()
    await pipeline(Source(b"x" * size), Unchanged(), sink)
    assert sink.received == CHUNKS * size


async def anyio_streams(size: int) -> None:
    first, second = (anyio.create_memory_object_stream[bytes](16) for _ in range(2))
    received = 0

    async def produce() -> None:
        chunk = b"x" * size
        async with first[0]:
            for _ in range(CHUNKS):
                await first[0].send(chunk)

    async def transform() -> None:
        async with second[0]:
            async for chunk in first[1]:
                await second[0].send(chunk)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(produce)
        tasks.start_soon(transform)
        async for chunk in second[1]:
            received += len(chunk)
    assert received == CHUNKS * size


async def asyncio_queues(size: int) -> None:
    first: asyncio.Queue[bytes | None] = asyncio.Queue(16)
    second: asyncio.Queue[bytes | None] = asyncio.Queue(16)
    received = 0

    async def produce() -> None:
        chunk = b"x" * size
        for _ in range(CHUNKS):
            await first.put(chunk)
        await first.put(None)

    async def transform() -> None:
        while (chunk := await first.get()) is not None:
            await second.put(chunk)
        await second.put(None)

    tasks = [asyncio.create_task(step()) for step in (produce, transform)]
    while (chunk := await second.get()) is not None:
        received += len(chunk)
    await asyncio.gather(*tasks)
    assert received == CHUNKS * size


async def callbacks(size: int) -> None:
    received = 0

    def take(chunk: bytes, done: Callable[[], None]) -> None:
        nonlocal received
        received += len(chunk)
        done()

    def pass_on(chunk: bytes, done: Callable[[], None]) -> None:
        take(chunk, done)

    def written() -> None:
        """Do nothing."""

    chunk = b"x" * size
    for _ in range(CHUNKS):
        pass_on(chunk, written)
    assert received == CHUNKS * size


def here(run: Callable[[int], Any]) -> Contender:
    def measure(size: int) -> float:
        started = process_time()
        asyncio.run(run(size))
        return (process_time() - started) / CHUNKS * 1e6

    return measure


def node(size: int) -> float:
    answer = subprocess.run(
        ["node", PEER, str(size), str(CHUNKS)], capture_output=True, check=True
    )
    return float(answer.stdout)


CONTENDERS: dict[str, Contender] = {
    "headrace": here(headrace),
    "Node": node,
    "anyio memory streams": here(anyio_streams),
    "asyncio queues": here(asyncio_queues),
    "plain callbacks": here(callbacks),
}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    contenders = {
        name: run
        for name, run in CONTENDERS.items()
        if name != "Node" or shutil.which("node")
    }
    results: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for size in SIZES:
            for name, run in contenders.items():
                results.setdefault((name, size), []).append(run(size))
    print(f"CPU us for each chunk, median of {rounds} rounds of {CHUNKS:,} chunks")
    print("| | " + " | ".join(f"{size // 1024} KiB" for size in SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    for name in contenders:
        cells = " | ".join(f"{median(results[name, size]):.2f}" for size in SIZES)
        print(f"| {name} | {cells} |")


if __name__ == "__main__":
    main()

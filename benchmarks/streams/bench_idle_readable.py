"""A Readable that nobody reads: CPU nanoseconds to make one, bytes to keep one.

Many are made and none is used: an HTTP message whose body is not looked at. Node's
numbers stand beside ours when it is installed.

Usage: bench_idle_readable.py [rounds]
"""

import gc
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time_ns

from headrace.events import EventEmitter
from headrace.streams import Duplex, PassThrough, Readable, Writable

COUNT = 20_000
PEER = Path(__file__).parent / "peers" / "idle_readable.js"


class Message(Readable):
    """A user's class with an attribute, as most are."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "x"


def with_state() -> Readable:
    stream = Readable()
    stream.pause()
    return stream


SUBJECTS: dict[str, Callable[[], object]] = {
    "EventEmitter": EventEmitter,
    "Readable": Readable,
    "Readable, its buffer made": with_state,
    "Readable with an attribute": Message,
    "Writable": Writable,
    "Duplex": Duplex,
    "PassThrough": PassThrough,
}


def nanoseconds(make: Callable[[], object]) -> float:
    gc.disable()
    started = process_time_ns()
    for _ in range(COUNT):
        make()
    spent = process_time_ns() - started
    gc.enable()
    return spent / COUNT


def size(make: Callable[[], object]) -> float:
    kept: list[object] = [None] * COUNT
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for index in range(COUNT):
        kept[index] = make()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / COUNT


def node() -> tuple[float, float]:
    answer = subprocess.run(
        ["node", "--expose-gc", PEER, str(COUNT)], capture_output=True, check=True
    )
    spent, kept = answer.stdout.split()
    return float(spent), float(kept)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    times: dict[str, list[float]] = {name: [] for name in SUBJECTS}
    peers: list[tuple[float, float]] = []
    for _ in range(rounds):
        for name, make in SUBJECTS.items():
            times[name].append(nanoseconds(make))
        if shutil.which("node"):
            peers.append(node())
    print(f"median of {rounds} rounds of {COUNT:,}")
    print("| | CPU ns to make | bytes to keep |")
    print("|---|---|---|")
    for name, make in SUBJECTS.items():
        print(f"| {name} | {median(times[name]):.0f} | {size(make):.0f} |")
    if peers:
        spent, kept = (median(column) for column in zip(*peers, strict=True))
        print(f"| Node's Readable | {spent:.0f} | {kept:.0f} |")


if __name__ == "__main__":
    main()

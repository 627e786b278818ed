"""What an emitter costs: CPU nanoseconds for each operation, beside pyee and blinker.

The subjects take turns, so that whatever else the machine does hits all of them alike;
each number is the median of the rounds, less the loop around the operation. pyee and
blinker are left out when they are not installed.

Usage: bench_emitter.py [rounds]
"""

import sys
import tracemalloc
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from time import process_time_ns
from typing import Any

from headrace.events import EventEmitter

CALLS = 20_000
Operation = Callable[[int], None]


def listener(value: object) -> None:
    """Do nothing: the benchmark is about everything around this."""


def listeners(count: int) -> list[Callable[[object], None]]:
    """Return `count` different functions, because pyee keeps one of each."""
    return [lambda value: None for _ in range(count)]


def emit_name(count: int) -> str:
    return f"emit, {count} listener{'' if count == 1 else 's'}"


def nothing(calls: int) -> None:
    for _ in range(calls):
        pass


def bare(count: int) -> Operation:
    """The floor: a list of functions, called through a function with ``*args``."""
    functions = listeners(count)

    def emit(*args: object) -> None:
        for function in functions:
            function(*args)

    def run(calls: int) -> None:
        for _ in range(calls):
            emit(1)

    return run


def emitting(emitter: Any, count: int) -> Operation:
    for function in listeners(count):
        emitter.on("event", function)

    def run(calls: int) -> None:
        for _ in range(calls):
            emitter.emit("event", 1)

    return run


def returning(emitter: Any) -> Operation:
    """A listener like ``lambda request, response: response.end()``."""
    emitter.on("event", lambda value: emitter)

    def run(calls: int) -> None:
        for _ in range(calls):
            emitter.emit("event", 1)

    return run


def once_and_emit(emitter: Any) -> Operation:
    def run(calls: int) -> None:
        for _ in range(calls):
            emitter.once("event", listener)
            emitter.emit("event", 1)

    return run


def adding_and_removing(emitter: Any, beside: int) -> Operation:
    for function in listeners(beside):
        emitter.on("event", function)

    def run(calls: int) -> None:
        for _ in range(calls):
            emitter.on("event", listener)
            emitter.remove_listener("event", listener)

    return run


def making(make: Callable[[], object]) -> Operation:
    def run(calls: int) -> None:
        for _ in range(calls):
            make()

    return run


def blinker_operations() -> dict[str, Operation]:
    from blinker import Signal

    def emitting(count: int) -> Operation:
        signal, kept = Signal(), listeners(count)
        for function in kept:
            signal.connect(function)

        def run(calls: int) -> None:
            for _ in range(calls):
                signal.send(1)

        # blinker holds its receivers weakly: the operation has to keep them.
        run.__dict__["kept"] = kept
        return run

    def adding_and_removing(beside: int) -> Operation:
        signal, kept = Signal(), listeners(beside)
        for function in kept:
            signal.connect(function)

        def run(calls: int) -> None:
            for _ in range(calls):
                signal.connect(listener)
                signal.disconnect(listener)

        run.__dict__["kept"] = kept
        return run

    return {
        **{emit_name(count): emitting(count) for count in (0, 1, 5)},
        "on + off, alone": adding_and_removing(0),
        "on + off, beside another": adding_and_removing(1),
        "new emitter": making(Signal),
    }


def emitter_operations(make: Callable[[], Any]) -> dict[str, Operation]:
    return {
        **{emit_name(count): emitting(make(), count) for count in (0, 1, 5)},
        "emit, 1 that returns an object": returning(make()),
        "once + emit": once_and_emit(make()),
        "on + off, alone": adding_and_removing(make(), 0),
        "on + off, beside another": adding_and_removing(make(), 1),
        "new emitter": making(make),
    }


def subjects() -> dict[str, dict[str, Operation]]:
    found = {"headrace": emitter_operations(EventEmitter)}
    if find_spec("pyee"):
        from pyee import EventEmitter as Pyee

        found["pyee"] = emitter_operations(Pyee)
    if find_spec("blinker"):
        found["blinker"] = blinker_operations()
    found["bare list"] = {emit_name(count): bare(count) for count in (0, 1, 5)}
    return found


def measure(rounds: int) -> dict[tuple[str, str], float]:
    runs = {("", "nothing"): nothing} | {
        (subject, name): operation
        for subject, operations in subjects().items()
        for name, operation in operations.items()
    }
    spent: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            begin = process_time_ns()
            run(CALLS)
            spent[key].append((process_time_ns() - begin) / CALLS)
    floor = median(spent.pop(("", "nothing")))
    return {key: median(each) - floor for key, each in spent.items()}


def bytes_each(make: Callable[[], object]) -> float:
    count = 1000
    kept: list[object] = [None] * count
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for index in range(count):
        kept[index] = make()
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return size / count


def memory() -> dict[str, tuple[float, float]]:
    """Return, for each, the bytes of one without and of one with a listener."""
    makers: dict[str, Callable[[], Any]] = {"headrace": EventEmitter}
    if find_spec("pyee"):
        from pyee import EventEmitter as Pyee

        makers["pyee"] = Pyee

    def listened(make: Callable[[], Any]) -> Callable[[], object]:
        def make_and_listen() -> object:
            emitter = make()
            emitter.on("event", listener)
            return emitter

        return make_and_listen

    return {
        name: (bytes_each(make), bytes_each(listened(make)))
        for name, make in makers.items()
    }


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    results = measure(rounds)
    names = list(dict.fromkeys(name for _, name in results))
    columns = list(dict.fromkeys(subject for subject, _ in results))
    print(f"CPU nanoseconds, median of {rounds} rounds of {CALLS} calls\n")
    print("|", " | ".join(["operation", *columns, "headrace / pyee"]), "|")
    print("|---" * (len(columns) + 2) + "|")
    for name in names:
        cells = [results.get((column, name)) for column in columns]
        ours, theirs = results["headrace", name], results.get(("pyee", name))
        ratio = f"{ours / theirs:.2f}" if theirs else "-"
        shown = ["-" if cell is None else f"{cell:.0f}" for cell in cells]
        print("|", " | ".join([name, *shown, ratio]), "|")
    print("\nbytes: no listener, one listener")
    for name, (empty, one) in memory().items():
        print(f"{name}: {empty:.0f}, {one:.0f}")


if __name__ == "__main__":
    main()

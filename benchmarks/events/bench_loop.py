"""What the loop costs: CPU nanoseconds for each operation, on every runtime there is.

Each number is the median of the rounds, less the loop around the operation. "In a
delivery" is where nearly all ticks are scheduled: by code that I/O has called.

Usage: bench_loop.py [rounds]
"""

import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from statistics import median
from time import process_time_ns
from typing import Any

import anyio

from headrace.events.loop import Loop, current

CALLS = 10_000
Operation = Callable[[int], None]


def nothing(calls: int) -> None:
    for _ in range(calls):
        pass


def callback(value: object) -> None:
    """Do nothing: the benchmark is about everything around this."""


def ask_for_the_loop(calls: int) -> None:
    for _ in range(calls):
        current()


def deliver(here: Loop, calls: int) -> None:
    call = here.deliver
    for _ in range(calls):
        call(None, callback, 1)


def deliver_with_a_tick(here: Loop, calls: int) -> None:
    call = here.deliver

    def listener(value: object) -> None:
        here.next_tick(callback, value)

    for _ in range(calls):
        call(None, listener, 1)


def ticks_in_a_delivery(here: Loop, calls: int) -> None:
    def listener() -> None:
        call = here.next_tick_for
        for _ in range(100):
            call(None, callback, 1)

    for _ in range(calls // 100):
        here.deliver(None, listener)


def drain_nothing(here: Loop, calls: int) -> None:
    call = here.drain
    for _ in range(calls):
        call()


def set_and_cancel_a_timer(here: Loop, calls: int) -> None:
    call = here.call_later
    for _ in range(calls):
        call(30, callback, 1).cancel()


def cost(operation: Operation) -> float:
    start = process_time_ns()
    operation(CALLS)
    used = process_time_ns() - start
    start = process_time_ns()
    nothing(CALLS)
    return (used - (process_time_ns() - start)) / CALLS


async def coroutine() -> None:
    """Do nothing, in a task of its own."""


async def cost_of_spawning(here: Loop) -> float:
    start = process_time_ns()
    for _ in range(CALLS // 50):
        tasks = [here.spawn(coroutine()) for _ in range(50)]
        for task in tasks:
            await task.wait()
    return (process_time_ns() - start) / CALLS


async def measure(rounds: int) -> dict[str, float]:
    here = current()
    operations: dict[str, Operation] = {
        "current()": ask_for_the_loop,
        "deliver": partial(deliver, here),
        "deliver, with one tick": partial(deliver_with_a_tick, here),
        "next_tick_for and its run": partial(ticks_in_a_delivery, here),
        "drain, nothing to do": partial(drain_nothing, here),
        "call_later, cancel": partial(set_and_cancel_a_timer, here),
    }
    found = {
        name: median(cost(operation) for _ in range(rounds))
        for name, operation in operations.items()
    }
    found["spawn, run, wait"] = median(
        [await cost_of_spawning(here) for _ in range(rounds)]
    )
    return found


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    runtimes: dict[str, dict[str, Any]] = {"asyncio": {"backend": "asyncio"}}
    if find_spec("uvloop"):
        runtimes["uvloop"] = {"backend_options": {"use_uvloop": True}}
    if find_spec("trio"):
        runtimes["trio"] = {"backend": "trio"}
    found = {
        name: anyio.run(measure, rounds, **options)
        for name, options in runtimes.items()
    }
    print(f"{'ns of CPU each':28}" + "".join(f"{name:>9}" for name in found))
    for operation in found["asyncio"]:
        numbers = "".join(f"{each[operation]:9.0f}" for each in found.values())
        print(f"{operation:28}{numbers}")


if __name__ == "__main__":
    main()

"""Which loop runs here: `current()` in threads, in sequence, nested, without any."""

import asyncio
import gc
import subprocess
import sys
import threading
import weakref

import anyio
import pytest
import trio

from headrace.events import loop
from headrace.events.loop import NoRunningLoopError

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


async def get() -> loop.Loop:
    return loop.current()


async def test_loop_is_the_same_object_throughout() -> None:
    """One loop has one `Loop`, in tasks, callbacks and functions alike."""
    here = loop.current()
    seen: list[object] = []
    here.call_soon(lambda: seen.append(loop.current()))
    here.next_tick(lambda: seen.append(loop.running()))
    async with anyio.create_task_group() as group:
        group.start_soon(get)
    await here.wait_idle()
    assert seen == [here, here]
    assert hash(loop.running()) == hash(here)


async def test_loop_keeps_values_of_its_own() -> None:
    """`locals` belongs to one loop."""
    loop.current().locals["key"] = "value"
    assert loop.current().locals == {"key": "value"}


def test_loop_outside_of_any_is_an_error() -> None:
    """Without a running loop there is a RuntimeError with a code."""
    with pytest.raises(RuntimeError) as raised:
        loop.current()
    assert isinstance(raised.value, NoRunningLoopError)
    assert raised.value.code == "ERR_NO_RUNNING_LOOP"


@BACKENDS
def test_loop_of_each_run_is_its_own(backend: str) -> None:
    """Two runs one after the other have two loops, and nothing in common."""
    first = anyio.run(get, backend=backend)
    second = anyio.run(get, backend=backend)
    assert first is not second


@BACKENDS
def test_loop_is_let_go_with_its_run(backend: str) -> None:
    """Nobody keeps the loop of a run that is over."""
    dead = weakref.ref(anyio.run(get, backend=backend))
    gc.collect()
    assert dead() is None


@BACKENDS
def test_loop_of_another_thread_is_another(backend: str) -> None:
    """Each thread sees its own loop, and none if it runs none."""
    found: list[object] = []

    def in_thread() -> None:
        try:
            found.append(loop.current())
        except NoRunningLoopError:
            found.append(None)
        found.append(anyio.run(get, backend=backend))

    async def main() -> loop.Loop:
        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
        return loop.current()

    here = anyio.run(main, backend=backend)
    assert found[0] is None
    assert found[1] is not here


def test_loop_of_trio_comes_first() -> None:
    """Where both answer, the code that runs belongs to trio."""

    async def main() -> tuple[str, str]:
        inner = trio.run(get)
        return type(inner).__name__, type(loop.current()).__name__

    assert asyncio.run(main()) == ("TrioLoop", "AsyncioLoop")


def test_loop_imports_no_runtime_by_itself() -> None:
    """Neither asyncio nor trio is needed to import the module or to ask it."""
    code = """
import sys
from headrace.events import loop
try:
    loop.current()
except RuntimeError:
    print(sorted({"asyncio", "trio", "anyio"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("runtime", "other", "call"),
    [
        ("asyncio", "trio", "asyncio.run(main())"),
        ("trio", "anyio", "trio.run(main)"),
    ],
)
def test_loop_needs_only_the_runtime_that_runs(
    runtime: str, other: str, call: str
) -> None:
    """A program on one runtime never loads what it does not use."""
    code = f"""
import sys
import {runtime}
from headrace.events import loop
async def main():
    loop.next_tick(print, type(loop.current()).__module__)
    await loop.checkpoint()
    print({other!r} in sys.modules)
{call}
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [f"headrace.events.loop._{runtime}", "False"]

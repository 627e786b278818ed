"""`run()`: what keeps a program going, and how it ends (H-009, H-010)."""

import asyncio
import os
import signal
import subprocess
import sys
from typing import Any

import anyio
import pytest

from headrace import net
from headrace.events.loop import call_later, next_tick, spawn
from headrace.net.testing import port_of, socket_pair

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class BugError(Exception):
    """What is raised here."""


def bug(*_: object) -> None:
    raise BugError


@BACKENDS
def test_net_run_returns_what_main_returns(backend: str) -> None:
    """Plain or async, with arguments."""

    async def later(number: int) -> int:
        await anyio.lowlevel.checkpoint()
        return number

    assert net.run(abs, -5, backend=backend) == 5
    assert net.run(later, 7, backend=backend) == 7


@BACKENDS
def test_net_run_waits_for_all_that_counts(backend: str) -> None:
    """Timers, tasks, ticks, a server and its connections are waited for (H-009)."""
    done: list[str] = []

    async def task() -> None:
        await anyio.sleep(0.01)
        done.append("task")

    def main() -> str:
        call_later(0.01, done.append, "timer")
        spawn(task())
        next_tick(done.append, "tick")
        server = net.create_server(lambda accepted: accepted.resume().end("hello"))

        def connect() -> None:
            client = net.connect(port_of(server), "127.0.0.1")
            client.on("data", lambda chunk: done.append(chunk.decode()))
            client.on("close", lambda: server.close())

        server.listen(0, "127.0.0.1", connect)
        return "result"

    assert net.run(main, backend=backend) == "result"
    assert sorted(done) == ["hello", "task", "tick", "timer"]


@BACKENDS
def test_net_run_does_not_wait_for_what_is_unreferenced(backend: str) -> None:
    """`unref()` on server, socket and timer, before and after listening (N-069)."""
    opened: list[Any] = []

    async def main() -> None:
        early = net.create_server().unref().unref()
        opened.append(await early.listen(0, "127.0.0.1"))
        late = net.create_server(lambda accepted: accepted.unref())
        await late.listen(0, "127.0.0.1")
        opened.append(late.unref())
        client = net.Socket().unref().connect(port_of(late), "127.0.0.1")
        opened.append(await client)
        opened.extend(end.unref() for end in socket_pair())
        call_later(3600, bug).unref()

    net.run(main, backend=backend)
    assert len(opened) == 5


@BACKENDS
def test_net_run_ref_puts_it_back(backend: str) -> None:
    """After `ref()` it is waited for again; both are idempotent (H-136)."""
    done: list[str] = []

    async def main() -> None:
        server = net.create_server(lambda accepted: accepted.unref())
        server.unref().ref().ref()
        await server.listen(0, "127.0.0.1")
        client = net.connect(port_of(server), "127.0.0.1").unref().ref()
        await client
        call_later(0.02, done.append, "timer").unref()
        call_later(0.03, finish, server, client).unref()

    def finish(server: net.Server, client: net.Socket) -> None:
        client.destroy()
        server.close()
        server._destroy_connections()

    net.run(main, backend=backend)
    assert done == ["timer"]


@BACKENDS
def test_net_run_ends_with_the_first_unhandled_exception(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """`main` is cancelled, the bare exception raised; later ones are logged (H-010)."""
    cancelled: list[bool] = []

    async def main() -> None:
        next_tick(bug)
        next_tick(bug)
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(True)

    with pytest.raises(BugError):
        net.run(main, backend=backend)
    assert cancelled == [True]
    assert [entry.name for entry in caplog.records] == ["headrace.net"]


@BACKENDS
def test_net_run_raises_what_main_raises(backend: str) -> None:
    """An exception of `main` itself ends the program, whatever is open."""

    async def main() -> None:
        await net.create_server().listen(0, "127.0.0.1")
        raise BugError

    with pytest.raises(BugError):
        net.run(main, backend=backend)


async def test_net_run_inside_a_loop() -> None:
    """Inside a running loop: RuntimeError (H-009)."""
    with pytest.raises(RuntimeError):
        net.run(abs, 1)


def test_net_run_takes_backend_options() -> None:
    """anyio's own options, such as uvloop."""
    pytest.importorskip("uvloop")

    async def main() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert net.run(main, backend_options={"use_uvloop": True}).startswith("uvloop")


PROGRAM = """
import sys
from headrace import net

def main():
    def on_connection(accepted):
        print("ready", flush=True)
    server = net.create_server(on_connection)
    server.on("close", lambda: print("must not be closed by itself"))
    def connect():
        client = net.connect(server.address().port, "127.0.0.1")
        client.set_timeout(3600)
    server.listen(0, "127.0.0.1", connect)

try:
    net.run(main, backend=sys.argv[1])
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@BACKENDS
def test_net_run_is_interrupted(backend: str) -> None:
    """SIGINT: everything is destroyed in silence, KeyboardInterrupt raised (H-009)."""
    child = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, backend],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, signal.SIGINT)
    output, errors = child.communicate(timeout=20)
    assert (output, errors, child.returncode) == ("interrupted\n", "", 0)


LEAVING = """
import sys, anyio
from headrace import net

async def main():
    server = await net.create_server(lambda accepted: accepted.pause()).listen(0)
    client = await net.connect(server.address().port, "127.0.0.1")
    client.write(bytes(10_000_000))
    net.connect(1, "name.invalid")

anyio.run(main, backend=sys.argv[1])
"""


@BACKENDS
def test_net_program_that_ends_without_closing(backend: str) -> None:
    """No task, socket or ResourceWarning is left by the loop's end (design 4)."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", LEAVING, backend]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)

"""The idle timer of sockets (H-145, N-070, N-071)."""

import random
from typing import Any

import anyio
import pytest

from headrace import net
from headrace.events import once
from headrace.net._timeouts import IdleTimer
from headrace.net.testing import closed, connected, record, socket_pair


async def test_net_timeout_fires_once_idle() -> None:
    """After the time without bytes: ``timeout``, once; the socket stays open."""
    one, other = socket_pair()
    fired = anyio.Event()
    seen = record(one, "timeout", "close")
    assert one.set_timeout(0.01, fired.set) is one
    assert one.timeout == 0.01
    await fired.wait()
    await anyio.sleep(0.05)
    assert seen == ["timeout"]
    assert one.listener_count("timeout") == 1  # the recorder: the callback is one-time
    one.destroy()
    other.destroy()


@pytest.mark.parametrize("direction", ["read", "write"])
async def test_net_timeout_is_restarted_by_bytes(direction: str) -> None:
    """Each byte in either direction starts it again, also after it has fired."""
    async with connected() as (client, accepted):
        client.resume()
        accepted.resume()
        client.set_timeout(0.2)
        active = accepted if direction == "read" else client
        started = anyio.current_time()
        for _ in range(5):
            await anyio.sleep(0.06)
            active.write("x")
        await once(client, "timeout")
        assert anyio.current_time() - started >= 0.5 - 0.01
        active.write("x")
        started = anyio.current_time()
        await once(client, "timeout")
        assert 0.19 <= anyio.current_time() - started < 5


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("1", "ERR_INVALID_ARG_TYPE"),
        (None, "ERR_INVALID_ARG_TYPE"),
        (True, "ERR_INVALID_ARG_TYPE"),
        (-0.1, "ERR_OUT_OF_RANGE"),
        (float("nan"), "ERR_OUT_OF_RANGE"),
        (float("inf"), "ERR_OUT_OF_RANGE"),
    ],
)
def test_net_timeout_refuses_bad_values(value: Any, code: str) -> None:
    """No number: ERR_INVALID_ARG_TYPE; negative, NaN, inf: ERR_OUT_OF_RANGE (H-005)."""
    with pytest.raises((TypeError, ValueError)) as caught:
        net.Socket().set_timeout(value)
    assert isinstance(caught.value, net.NetError)
    assert caught.value.code == code


def test_net_timeout_refuses_a_bad_callback() -> None:
    """A callback that cannot be called: ERR_INVALID_ARG_TYPE."""
    callback: Any = 5
    with pytest.raises(net.InvalidArgTypeError):
        net.Socket().set_timeout(1, callback)


async def test_net_timeout_zero_turns_it_off() -> None:
    """0 disables, and with a callback removes that callback."""
    one, other = socket_pair()
    calls: list[str] = []

    def callback() -> None:
        calls.append("fired")

    one.set_timeout(0.01, callback)
    one.set_timeout(0, callback)
    assert (one.timeout, one.listener_count("timeout")) == (None, 0)
    seen = record(one, "timeout")
    await anyio.sleep(0.03)
    assert (seen, calls) == ([], [])
    one.destroy()
    other.destroy()


async def test_net_timeout_ends_with_destroy() -> None:
    """A destroyed socket does not time out."""
    one, other = socket_pair()
    seen = record(one, "timeout")
    one.set_timeout(0.01)
    one.destroy()
    one.set_timeout(0.01)
    other.destroy()
    await anyio.sleep(0.03)
    assert seen == []


async def test_net_timeout_counts_from_before_the_connection() -> None:
    """As an option of connect it also runs while nothing answers (X-053)."""

    async def silent(*_: object) -> str:
        await anyio.sleep_forever()
        return ""

    client = net.connect(1, "some.name", lookup=silent, timeout=0.01)
    await once(client, "timeout")
    assert (client.connecting, client.timeout) == (True, 0.01)
    client.destroy()
    await closed(client)


def test_net_timeout_does_not_keep_a_program_alive() -> None:
    """An unref'd socket's timer lets `run()` return (N-070)."""

    async def main() -> str:
        one, other = socket_pair()
        one.set_timeout(3600)
        one.unref()
        other.unref()
        return "done"

    assert net.run(main) == "done"
    assert net.run(main, backend="trio") == "done"


async def test_net_timeout_set_without_a_loop_runs_from_connect_on() -> None:
    """A timeout set before there was a loop is kept."""
    client = await anyio.to_thread.run_sync(lambda: net.Socket().set_timeout(0.01))
    client.connect(1, "some.name", lookup=lambda *_: None)
    await once(client, "timeout")
    client.destroy()
    await closed(client)


class FakeLoop:
    """Time under the test's control."""

    owner = None

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Any]] = []
        self.locals: dict[str, Any] = {}

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Any) -> "FakeLoop":
        self.timers.append((self.now + delay, callback))
        return self

    def unref(self) -> None: ...

    def advance(self, until: float) -> None:
        while self.timers and min(self.timers)[0] <= until:
            self.timers.sort(key=lambda timer: timer[0])
            self.now, callback = self.timers.pop(0)
            callback()
        self.now = until


class Idler:
    """Notes when it was told."""

    def __init__(self, times: list[float], loop: FakeLoop) -> None:
        self.times, self.loop = times, loop

    def idled(self) -> None:
        self.times.append(self.loop.now)


def test_net_idle_timer_is_lazy() -> None:
    """A thousand activities cost two timers, and it fires exactly when due."""
    loop: Any = FakeLoop()
    fired: list[float] = []
    idle = IdleTimer(loop, 10.0, Idler(fired, loop))
    armed = 1
    for step in range(1, 1001):
        before = len(loop.timers)
        loop.now = 100 + step / 100
        idle.touch()
        armed += len(loop.timers) - before
    loop.advance(119.0)
    assert (armed, fired) == (1, [])
    loop.advance(200.0)
    assert fired == [120.0]
    assert loop.timers == []
    idle.touch()
    loop.advance(300.0)
    assert fired == [120.0, 210.0]


def test_net_idle_timers_share_one_timer() -> None:
    """A thousand sockets wait with one timer, and each is told when it is due."""
    loop: Any = FakeLoop()
    fired: list[float] = []
    timers = []
    for step in range(1000):
        loop.now = 100 + step / 1000
        timers.append(IdleTimer(loop, 10.0, Idler(fired, loop)))
    assert len(loop.timers) == 1
    for step, timer in enumerate(timers[:500]):
        loop.now = 105 + step / 1000
        timer.touch()
    for timer in timers[900:]:
        timer.cancel()
    loop.advance(300.0)
    untouched = [110 + step / 1000 for step in range(500, 900)]
    touched = [115 + step / 1000 for step in range(500)]
    assert fired == pytest.approx(untouched + touched)
    assert loop.timers == []
    assert not any(timer.waits for timer in timers[:900])


@pytest.mark.parametrize("seed", range(20))
def test_net_idle_timers_model(seed: int) -> None:
    """Whatever is touched and cancelled when, all are told exactly in time."""
    chance = random.Random(seed)
    loop: Any = FakeLoop()
    fired: list[float] = []
    timers: dict[IdleTimer, list[float]] = {}
    for _ in range(400):
        loop.advance(loop.now + chance.random())
        what = chance.random()
        if what < 0.3 or not timers:
            times: list[float] = []
            timers[IdleTimer(loop, 5.0, Idler(times, loop))] = times
        elif what < 0.9:
            timer = chance.choice(list(timers))
            before = list(timers[timer])
            touched = loop.now
            timer.touch()
            assert timers[timer] == before
            assert timer.last == touched
        else:
            timer = chance.choice(list(timers))
            timer.cancel()
            fired += timers.pop(timer)
        for timer, times in timers.items():
            due = timer.last + 5.0
            assert timer.waits == (due > loop.now)
            assert timer.waits or times[-1] == pytest.approx(due)
    loop.advance(loop.now + 20)
    assert all(times[-1] == pytest.approx(t.last + 5) for t, times in timers.items())
    assert loop.timers == []

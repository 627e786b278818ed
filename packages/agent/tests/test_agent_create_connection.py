"""`create_connection`: every way to give a socket, and every way not to."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from headrace.agent import Agent, ConnectionCallback
from headrace.agent.testing import Order
from headrace.events.loop import Waiter, checkpoint, current
from headrace.net import Socket, run
from headrace.net.testing import socket_pair


class Maker(Agent):
    """Calls a function of the test for each connection."""

    def __init__(self, make: Callable[..., Any], **options: Any) -> None:
        super().__init__(**options)
        self.make = make

    def create_connection(
        self, options: Mapping[str, Any], callback: ConnectionCallback
    ) -> Any:
        return self.make(options, callback)


async def outcome(make: Callable[..., Any]) -> Order:
    """Return a request that a Maker has served, or not."""
    order = Order()
    agent = Maker(make)
    agent.add_request(order, {"port": 1})
    while not order.is_settled:
        await checkpoint()
    agent.destroy()
    assert len(order.sockets) + len(order.errors) == 1
    return order


async def test_hook_may_return_the_socket() -> None:
    """The result is the socket, and options are the request's (H-104)."""
    ours, _ = socket_pair()

    def make(options: Mapping[str, Any], callback: ConnectionCallback) -> Socket:
        assert options["port"] == 1
        return ours

    assert (await outcome(make)).sockets == [ours]


async def test_hook_may_call_back() -> None:
    """At once or later, with `None` and the socket (H-104)."""
    (ours, _), (late, _) = socket_pair(), socket_pair()

    def make_later(options: Any, callback: Any) -> None:
        current().call_soon(callback, None, late)

    order = await outcome(lambda options, callback: callback(None, ours))
    assert order.sockets == [ours]
    assert (await outcome(make_later)).sockets == [late]


async def test_hook_may_be_async() -> None:
    """A coroutine is awaited, and its result or exception taken (H-104)."""
    ours, _ = socket_pair()

    async def make(options: Any, callback: Any) -> Socket:
        await checkpoint()
        return ours

    async def fail(options: Any, callback: Any) -> Socket:
        raise OSError("no route")

    assert (await outcome(make)).sockets == [ours]
    assert str((await outcome(fail)).errors[0]) == "no route"


async def test_first_answer_counts() -> None:
    """The same socket twice is one; another one is closed (H-104)."""
    (ours, _), (surplus, _) = socket_pair(), socket_pair()

    def make(options: Any, callback: Any) -> Socket:
        callback(None, ours)
        callback(None, surplus)
        callback(OSError("too late"))
        return ours

    assert (await outcome(make)).sockets == [ours]
    assert surplus.destroyed


async def test_error_and_socket_together_are_an_error() -> None:
    """The socket is closed then."""
    ours, _ = socket_pair()
    error = OSError("half a connection")
    order = await outcome(lambda options, callback: callback(error, ours))
    assert order.errors == [error]
    assert ours.destroyed


async def test_exception_of_the_hook_is_the_requests_error() -> None:
    """It arrives on a later tick (X-062)."""

    def make(options: Any, callback: Any) -> None:
        raise ValueError("made up")

    assert str((await outcome(make)).errors[0]) == "made up"


NONSENSE: dict[str, Callable[..., Any]] = {
    "nothing": lambda options, callback: callback(None),
    "no socket": lambda options, callback: callback(None, "socket"),
    "no error": lambda options, callback: callback("error"),
    "no socket returned": lambda options, callback: "socket",
}


@pytest.mark.parametrize("make", NONSENSE.values(), ids=NONSENSE.keys())
async def test_nonsense_is_refused(make: Callable[..., Any]) -> None:
    """What is no stream fails the request, with a code."""
    (error,) = (await outcome(make)).errors
    assert error.code == "ERR_INVALID_RETURN_VALUE"  # type: ignore[attr-defined]


async def test_a_socket_cannot_be_pooled_twice() -> None:
    """Two requests never share one (H-096)."""
    ours, _ = socket_pair()
    agent = Maker(lambda options, callback: ours)
    first, second = Order(), Order()
    agent.add_request(first)
    agent.add_request(second)
    assert await first.socket() is ours
    with pytest.raises(TypeError):
        await second.socket()
    assert not ours.destroyed
    agent.destroy()


@pytest.mark.parametrize("reason", [None, OSError("made up")], ids=["none", "some"])
async def test_a_closed_socket_is_an_error(reason: Exception | None) -> None:
    """A hook that gives a destroyed socket has failed, with that socket's reason."""
    ours, _ = socket_pair()
    ours.on("error", lambda error: None)
    ours.destroy(reason)
    (error,) = (await outcome(lambda options, callback: ours)).errors
    if reason is None:
        assert isinstance(error, ConnectionResetError)
        assert str(error) == "socket hang up"
    else:
        assert error is reason


async def test_socket_that_fails_before_the_hand_over() -> None:
    """Its request gets the error, which is nobody else's (H-102)."""
    ours, _ = socket_pair()
    failure = OSError("at once")

    def make(options: Any, callback: Any) -> Socket:
        current().next_tick(ours.destroy, failure)
        return ours

    assert (await outcome(make)).errors == [failure]


async def test_sockets_belong_to_nobody() -> None:
    """A pooled socket outlives the code that first asked for it (H-010)."""
    owners: list[object] = []

    def make(options: Any, callback: Any) -> Socket:
        owners.append(current().owner)
        return socket_pair()[0]

    class Somebody:
        def take_exception(self, error: Exception, source: object) -> bool:
            raise AssertionError

    agent = Maker(make)
    current().deliver(Somebody(), agent.add_request, Order())
    assert owners == [None]
    agent.destroy()
    await checkpoint()


async def test_requests_keep_their_owner() -> None:
    """`on_socket` runs for whoever added the request, also after a wait (H-010)."""
    seen: list[object] = []

    class Owned(Order):
        def on_socket(self, socket: Socket) -> None:
            seen.append(current().owner)
            super().on_socket(socket)

    class Somebody:
        def take_exception(self, error: Exception, source: object) -> bool:
            raise AssertionError

    agent = Maker(lambda options, callback: socket_pair()[0], max_sockets=1)
    owners = [Somebody(), Somebody()]
    orders = [Owned(), Owned()]
    for owner, order in zip(owners, orders, strict=True):
        current().deliver(owner, agent.add_request, order)
    agent.release(await orders[0].socket(), orders[0])
    await orders[1].socket()
    assert seen == owners
    agent.destroy()


class Hook:
    """An `async def` hook that goes on until it is told, or cancelled."""

    def __init__(self) -> None:
        self.calls = self.cancelled = 0
        self.result: Waiter[Socket] = Waiter()

    async def __call__(self, options: Any, callback: Any) -> Socket:
        self.calls += 1
        try:
            return await self.result.wait()
        except BaseException:
            self.cancelled += 1
            raise

    async def ended(self) -> None:
        while not self.cancelled:
            await checkpoint()


@pytest.mark.parametrize("destroy", [True, False])
@pytest.mark.parametrize("begun", [True, False])
async def test_a_hook_at_work_for_nobody_is_cancelled(
    begun: bool, destroy: bool
) -> None:
    """Neither its task nor its place is left (brief 5: leaves no slot, no task)."""
    hook = Hook()
    async with Maker(hook.__call__, keep_alive=True, max_sockets=1) as agent:
        first, second = Order(), Order()
        agent.add_request(first, {"port": 1})
        agent.add_request(second, {"port": 1})
        while begun and not hook.calls:
            await checkpoint()
        if destroy:
            agent.destroy()
        else:
            agent.cancel(first)
            assert agent.total_socket_count == 1  # the second has a use for it
            agent.cancel(second)
        assert agent.total_socket_count == 0
        assert agent.requests == {}
        if begun:
            await hook.ended()
        for _ in range(3):
            await checkpoint()
        assert hook.calls <= 1
        assert "tasks=0" in str(current())


async def test_a_hook_goes_on_for_the_next_request() -> None:
    """What was begun for a cancelled request serves who waits (H-102)."""
    hook = Hook()
    ours, _ = socket_pair()
    async with Maker(hook.__call__, max_sockets=1) as agent:
        first, second = Order(), Order()
        agent.add_request(first, {"port": 1})
        agent.add_request(second, {"port": 1})
        agent.cancel(first)
        hook.result.set(ours)
        assert await second.socket() is ours
        assert (hook.calls, hook.cancelled) == (1, 0)
        assert not first.is_settled


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_socket_that_has_failed_already(backend: str) -> None:
    """Its error is the request's, and nobody's uncaught one (H-102, H-010)."""
    broken = OSError("broken")

    async def main() -> list[Exception]:
        return (await outcome(lambda *args: Socket().destroy(broken))).errors

    assert run(main, backend=backend) == [broken]

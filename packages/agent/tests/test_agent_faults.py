"""The agent on real sockets, with peers and users that do everything wrong.

Each run is a random script. The protocol is one line to ask and one to answer: the peer
answers with the number it was asked, and then behaves as the request has told it to.
"""

from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace import net
from headrace.agent import Agent, ConnectionCallback, PooledRequest
from headrace.events.loop import checkpoint, current
from headrace.net import Socket
from headrace.net.testing import port_of

#: What the peer does about a request. After the first four it must be answered.
MANNERS = ["well", "slowly", "then ends", "then talks", "then resets", "not", "by half"]
HONEST = frozenset(MANNERS[:4])


class Peer:
    """A server of the line protocol."""

    def __init__(self, refuses: list[bool]) -> None:
        self._refuses = refuses  # the first connections: whether to hang up at once
        # No delay: what is written is in the client's kernel at once. What is still on
        # its way when the next request is sent no client can tell from an answer.
        self.server = net.create_server(self.accept, no_delay=True)

    def accept(self, socket: Socket) -> None:
        socket.on("error", lambda error: None)
        if self._refuses and self._refuses.pop():
            socket.destroy()
        else:
            socket.on("data", lambda data: self.answer(socket, data))

    def answer(self, socket: Socket, line: bytes) -> None:
        number, _, manner = line.decode().strip().partition(" ")
        text = f"{number}\n".encode()
        if manner == "slowly":
            current().call_soon(self.send, socket, text)
        elif manner == "not":
            socket.destroy()
        elif manner == "by half":
            socket.write(b"!")
            socket.destroy_soon()
        else:
            socket.write(text)
        if manner == "then ends":
            socket.end()
        elif manner == "then talks":
            socket.write(b"unasked\n")
        elif manner == "then resets":
            socket.reset_and_destroy()

    def send(self, socket: Socket, text: bytes) -> None:
        if not socket.destroyed:
            socket.write(text)


class Job(PooledRequest):
    """Asks for its number.

    Attributes:
        ends: All that has become of it; one, if the agent does its job.
        excused: Whether it may fail, because somebody has made it.
    """

    def __init__(self, agent: Agent, number: int, manner: str) -> None:
        self.agent = agent
        self.number = number
        self.manner = manner
        self.excused = manner not in HONEST
        self.ends: list[str] = []
        self.answer = b""
        self.socket: Socket | None = None

    def on_socket(self, socket: Socket) -> None:
        self.socket = socket
        socket.on("data", self.take)
        socket.on("error", self.ignore)
        socket.on("close", self.lose)
        socket.write(f"{self.number} {self.manner}\n".encode())

    def on_error(self, error: Exception) -> None:
        self.ends.append(f"error {error!r}")

    def take(self, data: bytes) -> None:
        self.answer += data
        if b"\n" in self.answer:
            line, _, surplus = self.answer.partition(b"\n")
            self.reusable = not surplus
            self.ends.append("right" if line == b"%d" % self.number else f"{line!r}")
            socket = self.let_go()
            self.agent.release(socket, self)

    def lose(self) -> None:
        self.ends.append("lost")
        self.let_go()

    def let_go(self) -> Socket:
        socket, self.socket = self.socket, None
        assert socket is not None
        socket.off("data", self.take)
        socket.off("error", self.ignore)
        socket.off("close", self.lose)
        return socket

    def ignore(self, error: Exception) -> None: ...


class CountingAgent(Agent):
    """Counts what it really has open."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.made: list[Socket] = []
        self.taken_out: list[Socket] = []

    def create_connection(
        self, options: Mapping[str, Any], callback: ConnectionCallback
    ) -> Any:
        socket = net.connect(self.connect_options(options))
        self.made.append(socket)
        self.check_limits()
        return socket

    def check_limits(self) -> None:
        mine = [each for each in self.made if each not in self.taken_out]
        live = [each for each in mine if not each.destroyed]
        assert len(live) <= self.max_total_sockets
        for sockets in (self.sockets, self.free_sockets):
            for each in sockets.values():
                assert len(each) <= self.max_sockets


class Run:
    """Plays one script."""

    def __init__(self, agent: CountingAgent, peer: Peer) -> None:
        self.agent = agent
        self.peer = peer
        self.jobs: list[Job] = []

    async def play(self, script: list[tuple[Any, ...]]) -> None:
        async with self.peer.server.listen(0, "127.0.0.1"):
            for action, *arguments in script:
                step = getattr(self, action)(*arguments)
                if step is not None:
                    await step
                self.agent.check_limits()
            with anyio.fail_after(20):
                while not all(job.ends for job in self.jobs):
                    await checkpoint()
            self.check()
            self.agent.destroy()
            while self.agent.sockets:
                await checkpoint()
        assert [each for each in self.agent.made if not each.destroyed] == []

    def check(self) -> None:
        agent = self.agent
        for job in self.jobs:
            assert len(job.ends) == 1
            assert job.excused or job.ends == ["right"]
            assert job.ends[0] in ("right", "lost", "cancelled") or (
                job.excused and job.ends[0].startswith("error")
            )
        assert agent.requests == {}
        busy = [each for sockets in agent.sockets.values() for each in sockets]
        assert [each for each in busy if not each.destroyed] == []

    def add(self, name: int, manner: str) -> None:
        job = Job(self.agent, len(self.jobs), manner)
        # The first connections may be refused, and whoever is on them is lost.
        job.excused = job.excused or bool(self.peer._refuses)
        self.jobs.append(job)
        local = f"127.0.0.{name}"
        target = {"host": "127.0.0.1", "port": port_of(self.peer.server)}
        self.agent.add_request(job, {**target, "local_address": local})

    def cancel(self, which: int) -> None:
        for job in self.pick(which):
            self.agent.cancel(job)
            if job.socket is None and not job.ends:
                job.excused = True
                job.ends.append("cancelled")

    def destroy_socket(self, which: int) -> None:
        for job in self.pick(which):
            if job.socket is not None:
                job.excused = True
                job.socket.destroy(OSError("made up"))

    def take_out(self, which: int) -> None:
        for job in self.pick(which):
            if job.socket is not None:
                self.agent.taken_out.append(job.socket)
                job.socket.emit("agent_remove")

    def destroy_agent(self) -> None:
        for job in self.jobs:
            job.excused = job.excused or not job.ends
        self.agent.destroy()

    async def turns(self, count: int) -> None:
        for _ in range(count):
            await checkpoint()

    def pick(self, which: int) -> list[Job]:
        return [self.jobs[which % len(self.jobs)]] if self.jobs else []


WHICH = st.integers(0, 100)
ACTIONS = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 3), st.sampled_from(MANNERS)),
    st.tuples(st.just("add"), st.integers(1, 2), st.just("well")),
    st.tuples(st.just("turns"), st.integers(1, 6)),
    st.tuples(st.sampled_from(["cancel", "destroy_socket", "take_out"]), WHICH),
    st.tuples(st.just("destroy_agent")),
)
LIMIT = st.sampled_from([1, 2, 4, 100])


SCRIPTS = {
    "script": st.lists(ACTIONS, max_size=40),
    "refuses": st.lists(st.booleans(), max_size=2),
    "keep_alive": st.booleans(),
    "each": LIMIT,
    "total": LIMIT,
}


def survive(
    backend: str,
    script: list[tuple[Any, ...]],
    refuses: list[bool],
    keep_alive: bool,
    each: int,
    total: int,
) -> None:
    async def main() -> None:
        agent = CountingAgent(
            keep_alive=keep_alive, max_sockets=each, max_total_sockets=total
        )
        await Run(agent, Peer(list(refuses))).play(script)

    net.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=100)
@given(**SCRIPTS)
def test_agent_survives_everything(backend: str, **script: Any) -> None:
    """Every request has one end, its own answer, and no socket is left (H-093…H-103).

    An honest exchange that nobody disturbs never fails, however its neighbours end; an
    error that nobody takes would end `run`.
    """
    survive(backend, **script)


@pytest.mark.soak
@pytest.mark.time_limit(600)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(**SCRIPTS)
def test_agent_survives_everything_for_long(backend: str, **script: Any) -> None:
    """The same with many more scripts."""
    survive(backend, **script)

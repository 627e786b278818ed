"""Streams that are no sockets can be pooled as well."""

from collections.abc import Mapping
from typing import Any

import pytest

from headrace.agent import Agent, ConnectionCallback
from headrace.agent.testing import Order
from headrace.events.loop import checkpoint
from headrace.net.testing import record
from headrace.streams import Duplex, duplex_pair


class PairAgent(Agent):
    """Connects to streams in memory."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.peers: list[Duplex] = []

    def create_connection(
        self, options: Mapping[str, Any], callback: ConnectionCallback
    ) -> Any:
        ours, theirs = duplex_pair()
        theirs.on("error", lambda error: None)  # that our end was destroyed
        self.peers.append(theirs)
        return ours


async def freed(agent: Agent) -> Any:
    """Do one exchange and return its stream."""
    order = Order()
    agent.add_request(order)
    stream = await order.socket()
    agent.release(stream, order)
    await checkpoint()
    return stream


async def test_a_stream_serves_again() -> None:
    """A Duplex rests and is handed out like a socket, with its bytes (H-104)."""
    agent = PairAgent(keep_alive=True)
    stream = await freed(agent)
    order = Order()
    agent.add_request(order)
    assert await order.socket() is stream
    seen = record(stream, "data")
    agent.peers[0].write(b"hello")
    while not seen:
        await checkpoint()
    assert seen == [("data", b"hello")]
    agent.destroy()
    assert stream.destroyed


MISDEEDS: dict[str, Any] = {
    "data": lambda peer: peer.write(b"unasked"),
    "end": lambda peer: peer.end(),
}


@pytest.mark.parametrize("misdeed", MISDEEDS.values(), ids=MISDEEDS.keys())
async def test_an_idle_stream_is_watched(misdeed: Any) -> None:
    """Bytes or an end close it, and it is not handed out (CVE-2026-48931)."""
    agent = PairAgent(keep_alive=True)
    stream = await freed(agent)
    misdeed(agent.peers[0])
    while not stream.destroyed:
        await checkpoint()
    assert agent.total_socket_count == 0


async def test_destroying_an_idle_stream_takes_it_out() -> None:
    """Its error is the pool's (pitfall 2)."""
    agent = PairAgent(keep_alive=True)
    stream = await freed(agent)
    stream.destroy(OSError("made up"))
    assert await freed(agent) is not stream
    agent.destroy()
    await checkpoint()


async def test_listeners_of_a_stream_are_as_before() -> None:
    """Work after work, the same listeners (pitfall 22)."""
    agent = PairAgent(keep_alive=True)
    seen = []
    for _ in range(3):
        order = Order()
        agent.add_request(order)
        stream = await order.socket()
        seen.append(
            {name: stream.listener_count(name) for name in stream.event_names()}
        )
        agent.release(stream, order)
        await checkpoint()
    assert seen == seen[:1] * 3
    agent.destroy()


async def test_a_stream_can_be_taken_out() -> None:
    """``agent_remove`` works on streams (H-101)."""
    agent = PairAgent(keep_alive=True)
    stream = await freed(agent)
    before = stream.listener_count("readable")
    stream.emit("agent_remove")
    assert (before, stream.listener_count("readable")) == (1, 0)
    assert agent.total_socket_count == 0
    assert not stream.destroyed
    stream.destroy()

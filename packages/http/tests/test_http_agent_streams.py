"""An agent whose connections are streams in memory: they rest and work like sockets."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from headrace import http
from headrace.events.loop import checkpoint
from headrace.streams import Duplex, duplex_pair

URL = "http://memory/"


class MemoryAgent(http.Agent):
    """Connects to a server in this process, without sockets."""

    def __init__(self, server: http.Server) -> None:
        super().__init__(keep_alive=True)
        self.ends: list[Duplex] = []
        self._server = server

    def create_connection(self, options: Mapping[str, Any], callback: Any) -> Any:
        ours, theirs = duplex_pair()
        self.ends.append(ours)
        self._server.emit("connection", theirs)
        return ours


@asynccontextmanager
async def memory() -> AsyncIterator[MemoryAgent]:
    """Run a server that answers with the path, and an agent for it."""
    server = http.Server(lambda request, response: response.end(request.url))
    async with MemoryAgent(server) as agent:
        yield agent


async def ask(agent: http.Agent, path: str) -> None:
    """Have one exchange, and wait until its connection rests."""
    response = await http.get(URL + path, agent=agent)
    assert await response.body() == b"/" + path.encode()
    while not agent.free_sockets:
        await checkpoint()


async def test_a_stream_that_is_used_again_gets_no_more_listeners() -> None:
    """The tenth request is as cheap as the second (H-098)."""
    async with memory() as agent:
        await ask(agent, "0")
        (stream,) = agent.ends
        before = {name: stream.listener_count(name) for name in stream.event_names()}
        for number in range(1, 5):
            await ask(agent, str(number))
        after = {name: stream.listener_count(name) for name in stream.event_names()}
        assert len(agent.ends) == 1
        assert after == before


async def test_a_stream_that_served_http_serves_others() -> None:
    """A lease reads what arrives on it, and HTTP goes on afterwards (H-098, H-096)."""
    async with memory() as agent:
        await ask(agent, "first")
        async with agent.lease({"host": "memory", "port": 80}) as stream:
            assert agent.ends == [stream]
            heard: list[bytes] = []
            stream.on("data", heard.append)
            stream.write(b"GET /plain HTTP/1.1\r\nHost: memory\r\n\r\n")
            while not b"".join(heard).endswith(b"/plain"):
                await checkpoint()
            stream.remove_all_listeners("data")
        await ask(agent, "last")
        assert len(agent.ends) == 1

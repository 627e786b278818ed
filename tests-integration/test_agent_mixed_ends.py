"""Requests that end in every way at once, through agents of every kind.

Plain and TLS, directly and through a proxy's tunnels, over TCP and a Unix socket: each
request is awaited or listened to, and cut short at a moment that dice choose. It is
cancelled, destroyed, aborted, out of time, or its server or its proxy does something
odd.
Afterwards no request waits, no socket works, and nobody was told of an error that
somebody had heard.
"""

import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
import trustme

from headrace import http, https
from headrace.events.loop import call_later, checkpoint, current
from headrace.http.testing import HostileServer, Peer
from headrace.net.testing import port_of

Request = http.IncomingMessage
Response = http.ServerResponse

AUTHORITY: Final = trustme.CA()
_SERVER: Final = AUTHORITY.issue_cert("127.0.0.1", "localhost")
TLS: Final = {
    "cert": b"".join(blob.bytes() for blob in _SERVER.cert_chain_pems),
    "key": _SERVER.private_key_pem.bytes(),
}
CA: Final = AUTHORITY.cert_pem.bytes()

#: Paths, and how often they are asked for.
PATHS: Final = (
    *["/ok"] * 6,
    "/big",
    "/close",
    "/cut",
    "/end",
    "/gone",
    "/half",
    "/hang",
    "/none",
    "/slow",
)
#: When whoever waits for a request has had enough, in seconds.
PATIENCE: Final = (0.0005, 0.002, 0.01, 0.05, 0.3)


class World:
    """Servers, agents, and the dice.

    Attributes:
        dice: What decides.
        places: Options of requests: where they may go.
        agents: Those that may be asked for a socket, and the module that they are of.
        wrong: Answers that belong to another request.
    """

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.places: dict[Any, list[dict[str, Any]]] = {http: [], https: []}
        self.agents: dict[Any, list[http.Agent]] = {http: [], https: []}
        self.wrong: list[str] = []
        self.number = 0

    # The other side

    def answer(self, request: Request, response: Response) -> None:
        """Do what the path says."""
        dice, socket, path = self.dice, request.socket, request.url.split("?")[0]
        assert socket is not None
        body = request.url * dice.choice([1, 40, 4000])
        if path == "/big":
            response.write(body)
            call_later(dice.random() / 100, response.end, body)
        elif path == "/slow":
            call_later(dice.random() / 20, response.end, body)
        elif path == "/half":
            response.write_head(200, {"Content-Length": len(body) + 9})
            response.write(body)
            call_later(dice.random() / 100, response.destroy)
        elif path == "/none":
            response.write_head(204).end()
        elif path == "/gone":
            socket.destroy()
        elif path != "/hang":
            if path == "/close":
                response.set_header("Connection", "close")
            response.end(body)
            if path in ("/cut", "/end"):
                close = socket.end if path == "/end" else socket.destroy
                call_later(dice.random() / 100, close)

    async def tunnel(self, peer: Peer) -> None:
        """Be a proxy for CONNECT, mostly."""
        head = await peer.read_head()
        fate = self.dice.random()
        if fate < 0.1:
            await peer.send(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
        elif fate > 0.1:  # else it closes
            host, _, port = head.split(b" ")[1].decode().rpartition(":")
            await peer.send(b"HTTP/1.1 200 Yes\r\n\r\n")
            limit = math.inf if fate < 0.8 else self.dice.randrange(9000)
            await peer.forward_to(host, int(port), limit=limit)

    # This side

    def check(self, path: str, body: bytes) -> None:
        """Note a body that is not the answer to `path`."""
        if body.decode().replace(path, ""):
            self.wrong.append(path)

    def begin(self) -> http.ClientRequest:
        """Make a request for something that no other request asks for."""
        dice = self.dice
        module = dice.choice([http, https])
        self.number += 1
        options = {
            **dice.choice(self.places[module]),
            "agent": dice.choice(self.agents[module]),
            "path": f"{dice.choice(PATHS)}?{self.number:06}",
            "method": dice.choice(["GET", "POST", "HEAD"]),
        }
        if dice.random() < 0.2:
            options["total_timeout"] = dice.choice(PATIENCE)
        request: http.ClientRequest = module.request(options)
        return request

    async def converse(self) -> None:
        """Make one request, Python's way."""
        dice = self.dice
        async with self.begin() as request:
            if request.method == "POST":
                for _ in range(dice.randrange(4)):
                    request.write(b"x" * dice.choice([10, 90_000]))
                    await request.drain()
            response = await request.end()
            if dice.random() < 0.2:
                async for _ in response:
                    break
            elif dice.random() < 0.9:
                self.check(request.path, await response.body())

    async def wait(self) -> None:
        """Make requests, and lose patience with most of them."""
        for _ in range(self.dice.randrange(1, 8)):
            with (
                anyio.move_on_after(self.dice.choice(PATIENCE)),
                suppress(OSError, http.HTTPError),  # as documented
            ):
                await self.converse()

    def listen(self) -> None:
        """Make one request, Node's way."""
        dice, request = self.dice, self.begin()
        stop: list[Callable[[], object]] = [request.destroy, request.abort]

        def take(response: Request) -> None:
            parts: list[bytes] = []
            response.on("data", parts.append)
            response.on("end", lambda: self.check(request.path, b"".join(parts)))
            if dice.random() < 0.2:
                dice.choice([*stop, response.destroy])()

        request.on("error", lambda error: None)
        if dice.random() < 0.9:
            request.on("response", take)
        if dice.random() < 0.1:
            request.on("socket", lambda socket: dice.choice([*stop, socket.destroy])())
        request.end()
        call_later(dice.choice([*PATIENCE, 0.3, 0.3]), dice.choice(stop))


@asynccontextmanager
async def world(seed: int, folder: Path) -> AsyncIterator[World]:
    """Run the servers of a world."""
    made = World(seed)
    path = str(folder / "socket")
    async with AsyncExitStack() as stack:
        plain = http.create_server(made.answer).listen(0, "127.0.0.1")
        local = http.create_server(made.answer).listen(path=path)
        secure = https.create_server(TLS, made.answer).listen(0, "127.0.0.1")
        for server in (plain, local, secure):
            await stack.enter_async_context(server)
            stack.callback(server.close_all_connections)
        proxy = await stack.enter_async_context(HostileServer(made.tunnel))
        made.places[http] = [
            {"host": "127.0.0.1", "port": port_of(plain)},
            {"socket_path": path},
        ]
        made.places[https] = [{"host": "127.0.0.1", "port": port_of(secure)}]
        environment = {"https_proxy": f"http://127.0.0.1:{proxy.port}"}
        for options in (
            {"keep_alive": True, "max_sockets": 2},
            {"keep_alive": True, "max_total_sockets": 2, "max_free_sockets": 1},
            {"max_sockets": 3},
        ):
            made.agents[http].append(http.Agent(options))
            made.agents[https].append(https.Agent(options, ca=CA))
        made.agents[https].append(
            https.Agent(ca=CA, keep_alive=True, max_sockets=2, proxy_env=environment)
        )
        yield made


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_however_requests_end_the_agents_are_as_before(
    seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing waits or works any more, nothing is mixed up, no error is uncaught.

    Source: H-093, H-097 to H-103, H-106, X-051, X-064.
    """
    async with world(seed, tmp_path) as made:
        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(made.wait)
                for _ in range(made.dice.randrange(4)):
                    made.listen()
                await anyio.sleep(made.dice.random() / 200)
        agents = [*made.agents[http], *made.agents[https]]
        while any(agent.sockets or agent.requests for agent in agents):
            await checkpoint()  # the last of them have more patience
        for agent in agents:
            agent.destroy()
            assert agent.total_socket_count == 0
    assert made.wrong == []
    while "tasks=0" not in str(current()):
        await checkpoint()
    assert [record.getMessage() for record in caplog.records] == []

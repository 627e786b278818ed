"""Who does not read is not sent to: memory is bounded on both sides of both ends.

Each test moves 64 MiB between two programs of which one stops reading. What has left
the sender by then is in the system's buffers, which take some MiB on a loopback.
"""

from collections.abc import AsyncIterator, Callable, Iterator

import anyio
import pytest
from anyio.abc import SocketStream
from peers import Program, needs_node, node_command, running

from headrace import http
from headrace.events.loop import Waiter
from headrace.net.testing import port_of
from headrace.streams import Writable

MIB = 1 << 20
TOTAL = 64 * MIB
PIECE = bytes(65536)
#: What the system's buffers of a loopback connection may hold, with room to spare.
IN_THE_SYSTEM = 20 * MIB


async def settled(value: Callable[[], int]) -> int:
    """Return a number when it has not changed for a while."""
    before = -1
    for _ in range(200):
        if before == (before := value()):
            return before
        await anyio.sleep(0.15)  # that nothing happens can only be seen by waiting
    raise AssertionError(f"never came to rest: {before}")


async def write_all(stream: Writable, sent: list[int]) -> None:
    """Write 64 MiB as a polite program does, counting what was taken."""
    for _ in range(TOTAL // len(PIECE)):
        stream.write(PIECE)
        sent.append(len(PIECE))
        await stream.drain()
    stream.end()


async def count(chunks: AsyncIterator[bytes] | http.IncomingMessage) -> int:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
    return size


async def connect(server: http.Server, head: str) -> SocketStream:
    stream = await anyio.connect_tcp("127.0.0.1", port_of(server))
    await stream.send(head.encode() + b"Host: x\r\nConnection: close\r\n\r\n")
    return stream


async def test_a_client_that_does_not_read_stops_the_handler() -> None:
    """`write()` says False, `drain()` waits until the client reads (H-054, H-163)."""
    sent: list[int] = []
    responses: list[http.ServerResponse] = []

    async def answer(
        request: http.IncomingMessage, response: http.ServerResponse
    ) -> None:
        responses.append(response)
        await write_all(response, sent)

    async with (
        http.create_server(answer).listen(0, "127.0.0.1") as server,
        await connect(server, "GET / HTTP/1.1\r\n") as client,
    ):
        assert await settled(lambda: sum(sent)) < IN_THE_SYSTEM
        assert responses[0].writable_need_drain
        assert responses[0].writable_length < 2 * MIB
        assert await count(client) > TOTAL


async def test_a_handler_that_does_not_read_stops_the_client() -> None:
    """A request body nobody reads stays with the client (H-161, DESIGN 7)."""
    go_on: Waiter[None] = Waiter()
    requests: list[http.IncomingMessage] = []
    sent = 0

    async def answer(
        request: http.IncomingMessage, response: http.ServerResponse
    ) -> None:
        requests.append(request)
        await go_on.wait()
        response.end(str(await count(request)))

    async def send(client: SocketStream) -> None:
        nonlocal sent
        for _ in range(TOTAL // len(PIECE)):
            await client.send(PIECE)
            sent += len(PIECE)

    head = f"POST / HTTP/1.1\r\nContent-Length: {TOTAL}\r\n"
    async with (
        http.create_server(answer).listen(0, "127.0.0.1") as server,
        await connect(server, head) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(send, client)
        assert 0 < await settled(lambda: sent) < IN_THE_SYSTEM
        socket = requests[0].socket
        assert socket is not None
        assert socket.bytes_read < MIB
        go_on.set()
        assert (b"".join([part async for part in client])).endswith(b"\r\n%d" % TOTAL)


@pytest.fixture(scope="module")
def node() -> Iterator[Program]:
    with running(node_command("server.js")) as program:
        yield program


@needs_node
async def test_a_response_nobody_reads_stops_node(node: Program) -> None:
    """What we do not read, we do not take from the system (H-072)."""
    async with http.Agent() as agent:
        response = await http.get(f"{node.base}/big/{TOTAL // MIB}", agent=agent)
        socket = response.socket
        assert socket is not None
        assert await settled(lambda: socket.bytes_read) < MIB
        assert await count(response) == TOTAL


@needs_node
async def test_a_server_that_does_not_read_stops_our_request(node: Program) -> None:
    """`drain()` of a request waits for a Node server that does not read (H-081)."""
    sent: list[int] = []
    async with (
        http.Agent() as agent,
        http.request(f"{node.base}/never", method="POST", agent=agent) as request,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(write_all, request, sent)
        await request.drain()
        assert 0 < await settled(lambda: sum(sent)) < IN_THE_SYSTEM
        assert request.writable_need_drain
        assert request.writable_length < 2 * MIB
        tasks.cancel_scope.cancel()

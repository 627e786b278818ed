"""What is answered right before its socket is ended or destroyed reaches the client."""

from collections.abc import Callable

import pytest

from headrace import http
from headrace.events.loop import call_soon, next_tick
from headrace.http.testing import RawClient

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def at_once(callback: Callable[[], object]) -> None:
    callback()


@pytest.mark.parametrize("method", ["end", "destroy_soon", "destroy"])
@pytest.mark.parametrize("when", [at_once, next_tick, call_soon])
async def test_no_end_overtakes_an_answer(
    when: Callable[[Callable[[], object]], object], method: str
) -> None:
    """Its head and body leave before the socket does (H-140, H-141)."""

    def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        response.end("the answer")
        when(getattr(request.socket, method))

    async with (
        http.create_server(answer).listen(0, "127.0.0.1") as server,
        RawClient(server) as client,
    ):
        await client.send(GET)
        found = await client.response()
        assert found.body == b"the answer"
        assert await client.read_all() == b""


@pytest.mark.parametrize("when", [at_once, next_tick, call_soon])
async def test_no_write_on_the_socket_overtakes_an_answer(
    when: Callable[[Callable[[], object]], object],
) -> None:
    """The bytes of both are in the order of the calls (H-142, H-119)."""

    def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        response.end("the answer")
        socket = request.socket
        assert socket is not None
        when(lambda: socket.write("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"))

    async with (
        http.create_server(answer).listen(0, "127.0.0.1") as server,
        RawClient(server) as client,
    ):
        await client.send(GET)
        assert (await client.response()).body == b"the answer"
        assert (await client.response()).status == 400


@pytest.mark.parametrize("method", ["end", "destroy"])
async def test_an_end_that_waited_longer_than_the_answer(method: str) -> None:
    """An end that was due before the answer was written waits for it, too (H-140)."""

    def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        call_soon(getattr(request.socket, method))
        response.end("the answer")

    async with (
        http.create_server(answer).listen(0, "127.0.0.1") as server,
        RawClient(server) as client,
    ):
        await client.send(GET)
        assert (await client.response()).body == b"the answer"


async def test_no_request_is_handled_on_a_destroyed_socket() -> None:
    """What waits behind the answer that went out last is not served (N-137)."""
    served: list[str] = []

    def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        served.append(request.url)
        response.end(request.url)
        assert request.socket is not None
        request.socket.destroy()

    async with (
        http.create_server(answer).listen(0, "127.0.0.1") as server,
        RawClient(server) as client,
    ):
        await client.send(GET + GET.replace(b"/ ", b"/2 ", 1))
        assert (await client.response()).body == b"/"
        assert await client.read_all() == b""
        assert served == ["/"]

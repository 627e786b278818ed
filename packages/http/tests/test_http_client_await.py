"""Python's way: awaiting a request, its body, its drain; and cancelling each."""

import gc
from typing import Any

import anyio
import pytest

from headrace import http
from headrace.events.loop import checkpoint, current
from headrace.http.testing import HostileServer, Peer, half_body, ok, silence, stays


async def test_get_and_read() -> None:
    """response = await http.get(url), then body, text or json (DESIGN 3)."""
    json = ok(b'{"a": 1}', "Content-Type: application/json")
    latin = ok("\u00fc".encode("latin-1"), "Content-Type: text/plain; charset=latin-1")
    async with HostileServer(stays(ok(b"bytes"), json, latin)) as server:
        async with http.Agent(keep_alive=True) as agent:
            assert await (await http.get(server.url(), agent=agent)).body() == b"bytes"
            assert await (await http.get(server.url(), agent=agent)).json() == {"a": 1}
            text = await (await http.get(server.url(), agent=agent)).text()
            assert text == "\u00fc"
        assert server.connections == 1


async def test_chunks_of_a_body() -> None:
    """async for gives the chunks; leaving early gives the socket up (X-112)."""
    async with (
        HostileServer(stays(*[ok(b"x" * 300_000)] * 2)) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        assert b"".join([chunk async for chunk in response]) == b"x" * 300_000
        response = await http.get(server.url(), agent=agent)
        async for chunk in response:
            assert chunk
            break
        del chunk
        gc.collect()
        while agent.total_socket_count:
            await checkpoint()


BARE = [
    ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
]


@pytest.mark.parametrize(("method", "answer"), BARE)
async def test_an_awaited_answer_without_a_body_holds_no_socket(
    method: str, answer: bytes
) -> None:
    """There is nothing to read, so its socket serves the next request (H-098)."""
    async with (
        HostileServer(stays(answer, answer, answer)) as server,
        http.Agent(keep_alive=True, max_sockets=1) as agent,
    ):
        for reused in (False, True, True):
            request = http.request(server.url(), agent=agent, method=method).end()
            await request  # and no look at the response
            assert request.reused_socket is reused
        assert server.connections == 1


async def test_an_end_that_comes_later_frees_the_socket_as_well() -> None:
    """A chunked body that turns out to be empty when the response is here (H-098)."""
    here = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await here.wait()
        await peer.send(b"0\r\n\r\n")
        await peer.read_head()
        await peer.send(ok(b"next"))

    async with (
        HostileServer(script) as server,
        http.Agent(keep_alive=True, max_sockets=1) as agent,
    ):
        empty = await http.get(server.url(), agent=agent)
        here.set()
        response = await http.get(server.url(), agent=agent)
        assert await response.body() == b"next"
        assert await empty.body() == b""


async def test_an_answer_without_a_body_can_still_be_read() -> None:
    """body() is empty; listeners that come late hear end and close (H-105)."""
    answer = BARE[2][1]
    async with (
        HostileServer(stays(answer, answer)) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        assert await response.body() == b""
        response = await http.get(server.url(), agent=agent)
        seen: list[str] = []
        response.on("end", lambda: seen.append("end"))
        response.on("close", lambda: seen.append("close")).resume()
        while not response.closed:
            await checkpoint()
        assert seen == ["end", "close"]


async def test_a_listener_of_response_has_to_let_a_bare_answer_end() -> None:
    """As in Node: until then the socket is held (H-072)."""
    async with (
        HostileServer(stays(BARE[2][1])) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.get(server.url(), lambda response: None, agent=agent)
        while request.response is None:
            await checkpoint()
        assert request.response.complete
        assert agent.free_sockets == {}
        request.response.resume()
        while not agent.free_sockets:
            await checkpoint()


async def test_every_await_finds_what_has_happened() -> None:
    """The response again and again, or the error again and again (H-072)."""
    async with (
        HostileServer(stays(ok(b"kept")), silence) as server,
        http.Agent() as agent,
    ):
        request = http.get(server.url(), agent=agent)
        response = await request
        assert await request is response
        assert await response.body() == b"kept"
        assert await request is response
        failing = http.get(server.url(), agent=agent, total_timeout=0.01)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await failing


async def test_an_error_of_the_turn_in_which_the_await_begins_is_not_uncaught(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is the await's, as if that had begun before (H-072)."""
    request = http.get("http://127.0.0.1:1/", agent=False)
    request.destroy(OSError("mine"))
    with pytest.raises(OSError, match="mine"):
        await request
    await checkpoint()
    assert caplog.records == []


async def test_the_error_of_an_awaited_request_is_not_uncaught() -> None:
    """No 'error' listener is needed: the next await raises it (H-072)."""
    async with (
        HostileServer(silence) as server,
        http.Agent() as agent,
        http.request(server.url(), agent=agent, method="POST") as request,
    ):
        request.write(b"x")
        while request.socket is None:
            await checkpoint()
        request.socket.destroy()
        while not request.closed:
            await checkpoint()
        with pytest.raises(ConnectionResetError, match="socket hang up"):
            await request


async def test_a_listener_of_error_is_told_all_the_same() -> None:
    """Awaiting takes nothing away from listeners (H-072)."""
    async with HostileServer(silence) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent, total_timeout=0.01)
        errors: list[Exception] = []
        request.on("error", errors.append)
        with pytest.raises(TimeoutError) as caught:
            await request
        while not request.closed:
            await checkpoint()
        assert errors == [caught.value]


async def test_leaving_async_with_gives_up_what_is_not_complete() -> None:
    """The request is destroyed at the end of the block; a complete one is not."""
    async with (
        HostileServer(stays(ok()), silence) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        async with http.get(server.url(), agent=agent) as request:
            assert await (await request).body() == b"ok"
        await checkpoint()
        assert agent.total_socket_count == 1
        agent.destroy()
        async with http.get(server.url(), agent=agent) as request:
            while request.socket is None:
                await checkpoint()
        assert request.destroyed
        await checkpoint()
        assert agent.total_socket_count == 0


async def test_awaiting_an_aborted_request_raises() -> None:
    """There is no error event, but an await must not wait for ever (H-083)."""
    request = http.get("http://127.0.0.1:9/", agent=http.Agent())
    request.abort()
    with pytest.raises(ConnectionResetError, match="socket hang up"):
        await request


async def refuse(peer: Peer) -> None:
    """Answer 413 as soon as the head is there, and stop to read."""
    await peer.read_head()
    await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 6\r\n\r\nbe off")
    await anyio.sleep(20)


async def test_an_early_answer_reaches_who_still_writes() -> None:
    """drain() returns when the server has answered and stopped to read (H-072)."""
    async with HostileServer(refuse) as server, http.Agent(keep_alive=True) as agent:
        async with http.request(server.url(), agent=agent, method="POST") as request:
            while request.response is None:
                request.write(b"x" * 65536)
                await request.drain()
            response = await request
            assert (response.status_code, await response.text()) == (413, "be off")
        await checkpoint()
        assert agent.total_socket_count == 0


async def test_an_early_answer_before_a_reset_is_not_lost() -> None:
    """The server answers 401 and resets while we send (pitfall 24)."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno")
        await peer.read_exactly(100_000)
        peer.close()

    async with HostileServer(script) as server, http.Agent() as agent:
        request = http.request(server.url(), agent=agent, method="POST")
        async with request:
            for _ in range(64):
                if request.response is not None:
                    break
                request.write(b"x" * 65536)
                await request.drain()
            response = await request
            assert (response.status_code, await response.body()) == (401, b"no")


async def test_both_directions_at_once() -> None:
    """The response is read while the request is written, both with limits."""
    size = 4 * 1024 * 1024

    def echo(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        request.pipe(response)

    server = http.create_server(echo).listen(0, "127.0.0.1")
    address: Any = server.address() if server.listening else None
    async with server, http.Agent() as agent:
        address = server.address()
        url = f"http://127.0.0.1:{address.port}/"
        async with http.request(url, agent=agent, method="POST") as request:
            excess = 0

            async def upload() -> None:
                nonlocal excess
                for _ in range(size // 65536):
                    request.write(b"x" * 65536)
                    mark = request.writable_high_water_mark
                    excess = max(excess, request.writable_length - mark)
                    await request.drain()
                request.end()

            received = 0
            async with anyio.create_task_group() as group:
                group.start_soon(upload)
                response = await request
                async for chunk in response:
                    received += len(chunk)
    assert received == size
    assert excess <= 65536 + 1024


async def test_a_slow_reader_stops_the_server() -> None:
    """An unread body is bounded by the high-water mark (H-072)."""
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.read_head()
        await peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            await peer.send(b"x" * 65536)
            sent += 65536

    async with HostileServer(flood) as server, http.Agent() as agent:
        response = await http.get(server.url(), agent=agent)
        before = -1
        while sent != before:
            before = sent
            await anyio.sleep(0.05)
        assert response.readable_length <= 4 * 65536
        response.destroy()


# Limits


async def test_a_time_limit_of_anyio() -> None:
    """fail_after around an await destroys the request (brief 5)."""
    async with HostileServer(silence) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        with pytest.raises(TimeoutError), anyio.fail_after(0.02):
            await request
        assert request.destroyed
        await checkpoint()
        assert agent.total_socket_count == 0


async def test_no_task_is_left() -> None:
    """When all sockets are closed the loop has no task or closer of ours."""
    async with HostileServer(stays(ok())) as server, http.Agent() as agent:
        await (await http.get(server.url(), agent=agent)).body()
    for _ in range(3):
        await checkpoint()
    assert str(current()).count("tasks=0") == 1


async def test_awaiting_a_truncated_response_again() -> None:
    """The response stays; each read of its body raises (H-072)."""
    async with HostileServer(half_body) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        response = await request
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await response.body()
        assert await request is response


@pytest.mark.parametrize("size", [1, 100_000])
async def test_a_body_with_an_encoding_is_collected_as_text(size: int) -> None:
    """The encoding that was set counts, not the charset; bytes are UTF-8 (H-159)."""
    sent = "\u00fc" * size
    latin = ok(sent.encode("latin-1"), "Content-Type: text/plain; charset=utf-8")
    async with HostileServer(stays(latin)) as server, http.Agent() as agent:
        for _ in range(2):
            response = await http.get(server.url(), agent=agent)
            response.set_encoding("latin-1")
            assert await response.text() == sent
            assert await response.body() == sent.encode()

"""A response that arrives in one piece behaves like one that does not."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from headrace import http
from headrace.events import once
from headrace.events.loop import checkpoint
from headrace.http import BodyTooLargeError
from headrace.http.testing import HostileServer, Peer, Script, ok, served, stays
from headrace.net.testing import port_of
from headrace.streams import PassThrough

Use = Callable[[http.IncomingMessage, list[Any]], None]


BODY = b"some body"


def at_once(go_on: anyio.Event) -> Script:
    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(ok(BODY))
        await peer.read_all()

    return script


def in_pieces(go_on: anyio.Event) -> Script:
    """The head alone, then the body: the stream machinery has to do it."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(ok(BODY).removesuffix(BODY))
        await go_on.wait()
        await peer.send(BODY)
        await peer.read_all()

    return script


def flow(response: http.IncomingMessage, seen: list[Any]) -> None:
    response.on("data", seen.append)


def discard(response: http.IncomingMessage, seen: list[Any]) -> None:
    response.resume()


def text(response: http.IncomingMessage, seen: list[Any]) -> None:
    response.set_encoding("latin-1").on("data", seen.append)


def text_late(response: http.IncomingMessage, seen: list[Any]) -> None:
    response.on("data", seen.append)
    response.set_encoding("latin-1")


def readable(response: http.IncomingMessage, seen: list[Any]) -> None:
    def read() -> None:
        while (chunk := response.read()) is not None:
            seen.append(chunk)

    response.on("readable", read)


def both(response: http.IncomingMessage, seen: list[Any]) -> None:
    response.on("data", seen.append)
    readable(response, [])


def paused(response: http.IncomingMessage, seen: list[Any]) -> None:
    response.on("data", seen.append)
    response.pause()
    response.loop().next_tick(response.resume)


def pause_in_data(response: http.IncomingMessage, seen: list[Any]) -> None:
    def stop(chunk: Any) -> None:
        seen.append(chunk)
        response.pause()
        response.loop().next_tick(response.resume)

    response.on("data", stop)


def piped(response: http.IncomingMessage, seen: list[Any]) -> None:
    response.pipe(PassThrough()).on("data", seen.append)


def nobody(response: http.IncomingMessage, seen: list[Any]) -> None:
    response.on("data", seen.append)
    response.off("data", seen.append)
    response.resume()


@pytest.mark.parametrize(
    "use",
    [
        flow,
        discard,
        text,
        text_late,
        readable,
        both,
        paused,
        pause_in_data,
        piped,
        nobody,
    ],
)
async def test_the_same_events_in_the_same_order(use: Use) -> None:
    """data, end and close, whichever way the body came (H-155 to H-159)."""
    whole, pieces = [await journal(script, use) for script in (at_once, in_pieces)]
    assert whole == pieces
    assert whole[-3:] == ["end", "request close", "close"]


async def journal(script: Callable[[anyio.Event], Script], use: Use) -> list[Any]:
    """Return what a use of a response sees."""
    go_on = anyio.Event()
    async with HostileServer(script(go_on)) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        seen: list[Any] = []

        def respond(response: http.IncomingMessage) -> None:
            response.on("end", lambda: seen.append("end"))
            response.on("close", lambda: seen.append("close"))
            use(response, seen)
            go_on.set()

        request.on("response", respond)
        request.on("close", lambda: seen.append("request close"))
        while "close" not in seen:
            await checkpoint()
        assert request.response is not None
        assert request.response.readable_ended
        assert request.response.closed
        assert request.response.readable_length == 0
        return seen


async def test_what_can_be_asked_of_it() -> None:
    """The stream's properties tell the same as for any stream (X-119)."""
    async with HostileServer(stays(ok(b"12345"))) as server, http.Agent() as agent:
        response = await http.get(server.url(), agent=agent)
        assert response.readable_flowing is None
        assert (response.readable, response.readable_length) == (True, 5)
        assert (response.readable_did_read, response.readable_ended) == (False, False)
        assert response.is_paused() is False
        response.on("data", lambda chunk: None)
        assert response.readable_flowing is True
        await once(response, "end")
        assert (response.readable_did_read, response.readable_ended) == (True, True)
        while not response.closed:
            await checkpoint()
        assert (response.destroyed, response.closed) == (True, True)
        assert response.errored is None


async def test_listeners_hear_what_body_collects() -> None:
    """end and close are emitted when body() has taken all (H-156)."""
    async with HostileServer(stays(ok(b"all"))) as server, http.Agent() as agent:
        response = await http.get(server.url(), agent=agent)
        events: list[str] = []
        response.on("end", lambda: events.append("end"))
        response.on("close", lambda: events.append("close"))
        assert await response.body() == b"all"
        assert events == []
        while not response.closed:
            await checkpoint()
        assert events == ["end", "close"]
        assert await response.body() == b"all"


@pytest.mark.parametrize("body", [b'"all"', b'"%b"' % (b"x" * 300_000)], ids=len)
async def test_what_was_collected_is_given_again(body: bytes) -> None:
    """In bytes, as text, as JSON; the stream has ended, the limit counts (H-105)."""
    async with HostileServer(stays(ok(body))) as server, http.Agent() as agent:
        response = await http.get(server.url(), agent=agent)
        assert await response.body() == body
        assert await response.text() == body.decode()
        assert await response.json() == body[1:-1].decode()
        assert response.read() is None
        assert [chunk async for chunk in response] == []
        assert response.readable_length == 0
        with pytest.raises(BodyTooLargeError):
            await response.body(limit=4)


async def test_destroyed_before_it_was_read() -> None:
    """close without end; the complete message leaves its socket usable (H-117)."""
    async with (
        HostileServer(stays(ok(b"unread"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        events: list[str] = []
        for event in ("data", "end", "aborted", "close"):
            response.custom.on(event, lambda *_, e=event: events.append(e))
        response.destroy()
        while not response.closed:
            await checkpoint()
        assert events == ["close"]
        assert response.readable_length == 0
        await checkpoint()
        assert agent.total_socket_count == 1


async def test_destroyed_by_the_listener_of_response() -> None:
    """Then it was not complete yet: aborted, whatever has arrived (H-071)."""
    async with HostileServer(stays(ok(b"unseen"))) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        events: list[str] = []

        def respond(response: http.IncomingMessage) -> None:
            for event in ("data", "end", "aborted", "close"):
                response.custom.on(event, lambda *_, e=event: events.append(e))
            request.destroy()

        request.on("response", respond)
        while "close" not in events:
            await checkpoint()
        assert events == ["aborted", "close"]


async def test_unshift_puts_it_back() -> None:
    """What was read goes in front again (H-162)."""
    async with HostileServer(stays(ok(b"body"))) as server, http.Agent() as agent:
        response = await http.get(server.url(), agent=agent)
        assert response.read(2) == b"bo"
        response.unshift(b"BO")
        assert await response.body() == b"BOdy"


async def test_two_tasks_collect_one_body() -> None:
    """Both get all of it, a request's and a response's (H-105)."""
    answers: list[bytes] = []
    asked, answered = anyio.Event(), anyio.Event()

    async def collect(message: http.IncomingMessage, begun: anyio.Event) -> None:
        async def one(number: int) -> None:
            if number == 2:
                begun.set()  # this runs on until it has to wait
            answers.append(await message.body())

        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(one, number)

    async def listener(
        request: http.IncomingMessage, response: http.ServerResponse
    ) -> None:
        await collect(request, asked)
        response.write("in ")
        await answered.wait()
        response.end("parts")

    async with served(listener) as (server, _), http.Agent() as agent:
        url = f"http://127.0.0.1:{port_of(server)}/"
        request = http.request(url, method="POST", agent=agent)
        request.write("two ")
        await asked.wait()
        request.end("pieces")
        await collect(await request, answered)
    assert answers == [b"two pieces"] * 3 + [b"in parts"] * 3

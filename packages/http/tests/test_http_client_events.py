"""The order of a request's events, in every way that it can go (H-071, H-083)."""

import socket
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from headrace import http
from headrace.events import once
from headrace.events.loop import checkpoint, next_tick
from headrace.http.testing import (
    HostileServer,
    Peer,
    close_before_answer,
    half_body,
    ok,
    silence,
    stays,
)

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nchunk\r\n0\r\n\r\n"
)

_OF_REQUEST = ("abort", "socket", "finish", "response", "error", "close")
_OF_RESPONSE = ("aborted", "end", "error", "close")


class Journal(list[str]):
    """What happened to a request and its response, in order."""

    def __init__(self, request: http.ClientRequest, *, consume: bool = True) -> None:
        super().__init__()
        self.request = request
        self.errors: list[Exception] = []
        self.closed = False
        for event in _OF_REQUEST:
            request.custom.on(event, self._note(event))
        request.on("response", self._watch)
        request.on("close", self._close)
        self._consume = consume

    def _note(self, event: str) -> Callable[..., None]:
        def note(*args: Any) -> None:
            self.append(event)
            self.errors += [arg for arg in args if isinstance(arg, Exception)]

        return note

    def _watch(self, response: http.IncomingMessage) -> None:
        for event in _OF_RESPONSE:
            response.custom.on(event, self._note(f"res {event}"))
        if self._consume:
            response.on("data", lambda chunk: None)

    def _close(self) -> None:
        self.closed = True

    async def done(self, last: str = "close") -> "Journal":
        """Wait for the end, and for what might come behind it."""
        while last not in self:
            await checkpoint()
        for _ in range(10):
            await checkpoint()
        return self

    @property
    def code(self) -> object:
        """The code of the only error."""
        (error,) = self.errors
        return getattr(error, "code", None)


async def test_success() -> None:
    """socket, finish, response, res end, close, res close (H-071)."""
    async with HostileServer(stays(ok(b"body"))) as server, http.Agent() as agent:
        journal = Journal(http.get(server.url(), agent=agent))
        await journal.done("res close")
    assert journal == [
        "socket",
        "finish",
        "response",
        "res end",
        "close",
        "res close",
    ]


async def test_success_without_a_listener() -> None:
    """The body is discarded and the exchange completes (H-072)."""
    async with HostileServer(stays(ok(b"x" * 1_000_000))) as server:
        request = http.get(server.url(), agent=http.Agent())
        await once(request, "close")
        request.agent.destroy()
    response = await request
    assert response.complete
    with pytest.raises(RuntimeError) as caught:
        await response.body()
    assert vars(type(caught.value))["code"] == "ERR_HTTP_BODY_DISCARDED"


async def test_a_small_body_waits_for_a_late_await() -> None:
    """The exchange is complete, but what fits in the buffer is kept (H-072)."""
    async with (
        HostileServer(stays(ok(b"1"), ok(b"2"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        first = http.get(server.url(), agent=agent)
        await once(first, "close")
        assert agent.total_socket_count == 1
        second = await http.get(server.url(), agent=agent)
        assert await second.body() == b"2"
        assert await (await first).body() == b"1"


async def test_cannot_connect(free_port: int) -> None:
    """socket, error, close; the error says what and where (H-071, N-152)."""
    request = http.get(f"http://127.0.0.1:{free_port}/", agent=http.Agent())
    journal = await Journal(request).done()
    assert journal == ["socket", "error", "close"]
    (error,) = journal.errors
    assert isinstance(error, ConnectionRefusedError)
    found = vars(error)
    assert (found["code"], found["address"], found["port"], found["syscall"]) == (
        "ECONNREFUSED",
        "127.0.0.1",
        free_port,
        "connect",
    )


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


async def test_a_name_that_does_not_resolve() -> None:
    """The look-up's error arrives on the request, once (H-071, N-152)."""

    unknown = socket.gaierror(socket.EAI_NONAME, "unknown")

    async def lookup(hostname: str, options: object) -> Any:
        raise unknown

    request = http.get("http://nowhere.invalid/", agent=http.Agent(), lookup=lookup)
    journal = await Journal(request).done()
    assert journal == ["socket", "error", "close"]
    assert unknown in (journal.errors[0], journal.errors[0].__cause__)


async def test_an_agent_that_makes_no_socket() -> None:
    """error, close; no socket (H-071)."""

    class Failing(http.Agent):
        def create_connection(self, options: Any, callback: Any) -> Any:
            raise OSError("none today")

    journal = await Journal(http.get(port=9, agent=Failing())).done()
    assert journal == ["error", "close"]


async def test_closed_before_a_response() -> None:
    """socket, finish, error ECONNRESET 'socket hang up', close (H-071)."""
    async with HostileServer(close_before_answer) as server:
        journal = await Journal(http.get(server.url(), agent=http.Agent())).done()
    assert journal == ["socket", "finish", "error", "close"]
    assert journal.code == "ECONNRESET"
    assert str(journal.errors[0]) == "socket hang up"


async def test_closed_during_the_body() -> None:
    """res aborted, close, res error, res close; no request error (H-071, N-154)."""
    async with HostileServer(half_body) as server:
        journal = Journal(http.get(server.url(), agent=http.Agent()))
        await journal.done("res close")
    assert journal == [
        "socket",
        "finish",
        "response",
        "res aborted",
        "close",
        "res error",
        "res close",
    ]
    assert journal.code == "ECONNRESET"
    assert str(journal.errors[0]) == "aborted"


async def test_a_truncated_response_without_error_listener_is_quiet() -> None:
    """res error only for those who listen; never an uncaught error (H-106)."""
    async with HostileServer(half_body) as server:
        request = http.get(server.url(), agent=http.Agent())
        events: list[str] = []

        def respond(response: http.IncomingMessage) -> None:
            response.on("data", lambda chunk: None)
            response.on("end", lambda: events.append("end"))
            response.on("close", lambda: events.append("close"))

        await once(request.on("response", respond), "close")
        while "close" not in events:
            await checkpoint()
        response = request.response
    assert events == ["close"]
    assert response is not None
    assert (response.aborted, response.complete) == (True, False)


async def test_destroy_before_a_socket() -> None:
    """error, close; no socket (H-071)."""
    request = http.get("http://127.0.0.1:9/", agent=http.Agent())
    journal = Journal(request)
    assert request.destroy() is request
    assert request.destroyed
    await journal.done()
    assert journal == ["error", "close"]
    assert journal.code == "ECONNRESET"


async def test_destroy_with_an_error() -> None:
    """The given error is emitted, once; a second destroy does nothing (H-071)."""
    request = http.get("http://127.0.0.1:9/", agent=http.Agent())
    journal = Journal(request)
    mine = RuntimeError("mine")
    request.destroy(mine).destroy(RuntimeError("second"))
    await journal.done()
    assert journal.errors == [mine]


async def test_destroy_before_the_connect() -> None:
    """socket, error, close (H-071)."""
    async with HostileServer(silence) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        request.on("socket", lambda socket: request.destroy())
        journal = await Journal(request).done()
        assert agent.sockets == {}
    assert journal == ["socket", "error", "close"]


async def test_destroy_before_the_response() -> None:
    """socket, finish, error, close (H-071)."""
    async with HostileServer(silence) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        journal = Journal(request)
        await journal.done("finish")
        request.destroy()
        await journal.done()
        assert agent.sockets == {}
    assert journal == ["socket", "finish", "error", "close"]


async def drip(peer: Peer) -> None:
    """Send a head and the first half of a body, and wait for the client."""
    await peer.read_head()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    await peer.read_all()


@pytest.mark.parametrize("mine", [None, RuntimeError("mine")])
async def test_destroy_after_the_response(mine: Exception | None) -> None:
    """res aborted, close, res error, res close (H-071)."""
    async with HostileServer(drip) as server:
        request = http.get(server.url(), agent=http.Agent())
        journal = Journal(request)
        await once(request, "response")
        request.destroy(mine)
        await journal.done("res close")
    assert journal[3:] == ["res aborted", "close", "res error", "res close"]
    (error,) = journal.errors
    assert error is mine or str(error) == "aborted"


@pytest.mark.parametrize("error", [None, OSError("mine")])
async def test_destroying_the_response_ends_the_request(
    error: Exception | None,
) -> None:
    """It destroys the socket of an incomplete message (H-117, X-051).

    An error is only emitted if one was given (H-164); who reads on gets one anyway.
    """
    async with HostileServer(drip) as server, http.Agent(keep_alive=True) as agent:
        request = http.get(server.url(), agent=agent)
        journal = Journal(request)
        await once(request, "response")
        response = request.response
        assert response is not None
        response.destroy(error)
        await journal.done("res close")
        assert agent.total_socket_count == 0
        with pytest.raises(OSError, match="mine" if error else "aborted"):
            await response.body()
    told = ["res error"] if error else []
    assert journal[3:] == ["res aborted", "close", *told, "res close"]


async def test_an_abort_whose_listener_leaves_is_not_uncaught(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """There was a listener of error when the message broke, and then none (H-106)."""
    listening, closed = anyio.Event(), anyio.Event()

    async def half(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await listening.wait()

    async with HostileServer(half) as server:
        response = await http.get(server.url(), agent=False)

        def ignore(error: Exception) -> None:
            raise AssertionError("it was removed")

        response.on("error", ignore)
        response.on("data", lambda data: None)
        # Between the decision to emit it and its tick.
        response.on("aborted", lambda: next_tick(response.off, "error", ignore))
        response.on("close", closed.set)
        listening.set()
        await closed.wait()
        assert response.errored is not None
    assert caplog.records == []


async def test_abort_before_a_socket() -> None:
    """abort, close; no error (H-083, N-153)."""
    request = http.get("http://127.0.0.1:9/", agent=http.Agent())
    journal = Journal(request)
    request.abort()
    request.abort()
    assert (request.aborted, request.destroyed) == (True, True)
    assert journal == []
    await journal.done()
    assert journal == ["abort", "close"]


async def test_abort_before_the_response() -> None:
    """abort, error, close (H-083)."""
    async with HostileServer(silence) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        journal = Journal(request)
        await journal.done("finish")
        request.abort()
        await journal.done()
    assert journal == ["socket", "finish", "abort", "error", "close"]
    assert str(journal.errors[0]) == "socket hang up"


async def test_abort_during_the_response() -> None:
    """abort, res aborted, res error, close, res close (H-083)."""
    async with HostileServer(drip) as server:
        request = http.get(server.url(), agent=http.Agent())
        journal = Journal(request)
        await once(request, "response")
        request.abort()
        await journal.done("res close")
    assert journal[3:] == ["abort", "res aborted", "res error", "close", "res close"]


async def test_abort_after_completion() -> None:
    """Only abort; the socket is untouched (H-083)."""
    async with HostileServer(stays(ok(), ok())) as server:
        async with http.Agent(keep_alive=True) as agent:
            request = http.get(server.url(), agent=agent)
            journal = Journal(request)
            await journal.done("res close")
            before = list(journal)
            request.abort()
            await journal.done("abort")
            await (await http.get(server.url(), agent=agent)).body()
        assert journal == [*before, "abort"]
        assert server.connections == 1


async def test_abort_of_a_queued_request_frees_its_turn() -> None:
    """The next request in the queue gets the socket (H-083, N-153)."""
    async with (
        HostileServer(stays(ok(b"1"), ok(b"3"))) as server,
        http.Agent(max_sockets=1) as agent,
    ):
        first, second, third = (
            http.get(server.url(path), agent=agent) for path in ("/1", "/2", "/3")
        )
        assert [len(each) for each in agent.requests.values()] == [2]
        second.abort()
        journal = await Journal(second).done()
        assert journal == ["abort", "close"]
        assert await (await first).body() == b"1"
        assert await (await third).body() == b"3"
    assert [head.split(b" ")[1] for head in server.heads] == [b"/1", b"/3"]


async def test_write_and_end_after_the_loss_are_quiet() -> None:
    """write gives False, callbacks get an error, no second error event (H-054)."""
    async with HostileServer(close_before_answer) as server:
        request = http.request(server.url(), method="POST", agent=http.Agent())
        journal = Journal(request)
        request.write(b"x")
        await journal.done()
        results: list[object] = []
        assert request.write(b"more", results.append) is False
        request.end(results.append)
        await journal.done()
    assert [getattr(error, "code", None) for error in results] == [
        "ERR_STREAM_DESTROYED",
        "ERR_STREAM_DESTROYED",
    ]
    assert journal.count("error") == 1
    assert "finish" not in journal


async def test_ending_twice_is_harmless() -> None:
    """get() has ended already; end() again changes nothing (H-018, N-148)."""
    async with HostileServer(stays(ok(b"one"))) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        assert request.end() is request
        assert await (await request).body() == b"one"
    assert len(server.heads) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_listener_that_raises_does_not_stop_the_exchange(backend: str) -> None:
    """What it raised is reported, and the exchange completes (H-010, pitfall 27)."""
    events: list[str] = []

    def respond(response: http.IncomingMessage) -> None:
        response.on("end", lambda: events.append("end"))
        response.resume()
        raise KeyError("in a listener")

    async def main() -> None:
        async with HostileServer(stays(ok())) as server, http.Agent() as agent:
            request = http.get(server.url(), respond, agent=agent)
            request.on("close", lambda: events.append("close"))
            with anyio.CancelScope(shield=True):
                while "close" not in events:
                    await checkpoint()

    with pytest.raises(KeyError):
        http.run(main, backend=backend)
    assert events == ["end", "close"]


async def test_a_server_that_leaves_ends_a_request_it_has_answered() -> None:
    """Also if the request was never ended: there is nobody to hear the rest (H-071).

    Whether the answer is read before or after the server's end makes no difference.
    """
    async with HostileServer(answers_and_leaves, answers_and_leaves) as server:
        for early in (True, False):
            request = http.request(server.url(), method="POST", agent=http.Agent())
            journal = Journal(request, consume=early)
            request.write(b"part")
            (response,) = await once(request, "response")
            if not early:
                while not response.socket._peer_ended:
                    await checkpoint()
                response.resume()
            while not journal.closed:
                await checkpoint()
            assert journal == ["socket", "response", "res end", "close", "res close"]


@pytest.mark.parametrize("event", ["response", "data"])
async def test_who_destroys_an_answer_gives_the_rest_of_the_request_up(
    event: str,
) -> None:
    """Also if it has arrived whole: the place in the pool is free again (H-102)."""
    answers = stays(ok(b"whole"))
    async with HostileServer(answers, answers) as server:
        agent = http.Agent(keep_alive=True, max_sockets=1)
        request = http.request(server.url(), method="POST", agent=agent)
        journal = Journal(request, consume=False)

        def watch(response: http.IncomingMessage) -> None:
            if event == "data":
                response.on("data", lambda chunk: response.destroy())
            else:
                response.destroy()

        request.on("response", watch)
        request.write(b"part")
        while "res close" not in journal or not journal.closed:
            await checkpoint()
        assert "res end" not in journal
        assert await (await http.get(server.url(), agent=agent)).body() == b"whole"
        agent.destroy()


async def answers_and_leaves(peer: Peer) -> None:
    """Answer as if the connection were kept, and end it all the same."""
    await peer.read_head()
    await peer.send(ok(b"early"))
    peer.close()


@pytest.mark.parametrize("answer", [ok(b"whole"), ok(b"half")[:-2]])
async def test_abort_inside_response_shows_no_data(answer: bytes) -> None:
    """Data that have come with the head are discarded, too (H-083)."""
    async with HostileServer(stays(answer)) as server:
        request = http.get(server.url(), agent=http.Agent())
        journal = Journal(request)

        def abort(response: http.IncomingMessage) -> None:
            response.on("data", lambda chunk: journal.append("data"))
            request.abort()

        request.on("response", abort)
        await journal.done("res close")
    assert journal[3:] == ["abort", "res aborted", "res error", "close", "res close"]


@pytest.mark.parametrize("abort", [True, False])
@pytest.mark.parametrize("answer", [ok(b"whole"), CHUNKED])
async def test_given_up_inside_end(answer: bytes, abort: bool) -> None:
    """Complete is complete: each close once, and the socket is used again (H-083)."""
    async with HostileServer(stays(answer, answer)) as server:
        async with http.Agent(keep_alive=True) as agent:
            request = http.get(server.url(), agent=agent)
            journal = Journal(request)
            give_up = request.abort if abort else request.destroy
            request.on("response", lambda response: response.on("end", give_up))
            await journal.done("res close")
            assert [each for each in journal if each != "abort"] == [
                *("socket", "finish", "response", "res end", "close", "res close")
            ]
            await (await http.get(server.url(), agent=agent)).body()
        assert server.connections == 1


@pytest.mark.parametrize("surplus", [ok(b"second"), b"\r\n"])
async def test_bytes_behind_the_answer_change_no_order(surplus: bytes) -> None:
    """The socket is cut; the first answer ends as always (H-071, H-073)."""
    async with (
        HostileServer(stays(ok(b"first") + surplus)) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        journal = Journal(http.get(server.url(), agent=agent))
        await journal.done("res close")
        assert agent.total_socket_count == 0
    assert journal[2:] == ["response", "res end", "close", "res close"]


async def test_an_async_listener_that_raises_fails_the_request() -> None:
    """Its exception is the request's one ``error`` (H-150, H-071)."""
    async with HostileServer(silence) as server:
        request = http.request(server.url(), method="POST", agent=http.Agent())
        journal = Journal(request)

        async def fail() -> None:
            raise ValueError("in a listener")

        request.custom.on("now", fail)
        request.emit("now")
        request.emit("now")
        while not journal.closed:
            await checkpoint()
        assert [type(error) for error in journal.errors] == [ValueError]


async def test_an_async_listener_that_raises_fails_the_response() -> None:
    """If its ``error`` is heard; the exchange ends with it (H-150, H-106)."""
    async with HostileServer(stays(ok(b"half")[:-2])) as server:
        request = http.get(server.url(), agent=http.Agent())
        journal = Journal(request)

        async def fail(chunk: bytes) -> None:
            raise ValueError("in a listener")

        request.on("response", lambda response: response.on("data", fail))
        while "res close" not in journal:
            await checkpoint()
        assert [type(error) for error in journal.errors] == [ValueError]
        assert journal[-4:] == ["res aborted", "close", "res error", "res close"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_unheard_async_listener_of_a_response_is_reported(backend: str) -> None:
    """Nothing is lost because the response has no listener of ``error`` (H-010)."""

    async def fail(chunk: bytes) -> None:
        raise KeyError("in a listener")

    async def main() -> None:
        async with HostileServer(stays(ok())) as server, http.Agent() as agent:
            request = http.get(server.url(), agent=agent)
            request.on("response", lambda response: response.on("data", fail))
            await once(request, "close")
            await anyio.sleep_forever()

    with pytest.raises(KeyError):
        http.run(main, backend=backend)


@pytest.mark.parametrize("parts", [[ok(b"whole")], [CHUNKED[:-9], CHUNKED[-9:]]])
async def test_a_response_is_not_readable_inside_end(parts: list[bytes]) -> None:
    """Nothing more comes, in whichever pieces the body came (H-164)."""
    begun = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(parts[0])
        for part in parts[1:]:
            await begun.wait()
            await peer.send(part)
        await peer.read_all()

    async with HostileServer(script) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        (response,) = await once(request, "response")
        begun.set()
        seen: list[object] = []
        response.on("end", lambda: seen.append((response.readable, response.destroyed)))
        response.resume()
        while not response.closed:
            await checkpoint()
        assert seen == [(False, False)]

"""What a client makes of each kind of answer."""

from typing import Any

import pytest

from headrace import http
from headrace.events import once
from headrace.events.loop import checkpoint
from headrace.http.testing import HostileServer, Peer, Script, answers, ok, stays
from headrace.net import Socket


async def fetch(
    answer: bytes, method: str = "GET", **options: Any
) -> tuple[Any, bytes]:
    """Return the response to one request, and its body; the server then closes."""
    async with HostileServer(answers(answer)) as server, http.Agent() as agent:
        request = http.request(server.url(), method=method, agent=agent, **options)
        response = await request.end()
        return response, await response.body()


async def closed(request: http.ClientRequest) -> None:
    """Wait for the request's ``close``, whatever comes before it."""
    while not request.closed:
        await checkpoint()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_response_with_nothing_but_a_status_line(version: str) -> None:
    """No headers at all: the body runs to the close, and is complete (N-150)."""
    response, body = await fetch(f"HTTP/{version} 200 OK\r\n\r\nbody".encode())
    assert (response.http_version, body) == (version, b"body")
    assert response.headers == {}
    assert (response.complete, response.aborted) == (True, False)
    assert (response.http_version_major, response.http_version_minor) == (
        1,
        int(version[-1]),
    )


async def test_an_absent_reason_phrase_is_empty() -> None:
    """status_message is '' then (H-114)."""
    response, _ = await fetch(b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n")
    assert (response.status_code, response.status_message) == (404, "")
    assert (response.method, response.url) == (None, "")


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 205)]
)
async def test_bodiless_answers_end_at_once(method: str, status: int) -> None:
    """HEAD, 204 and 304 have no body whatever they announce (H-120, N-093)."""
    length = 0 if status == 205 else 5
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n"
    async with HostileServer(stays(head.encode(), ok(b"next"))) as server:
        async with http.Agent(keep_alive=True) as agent:
            request = http.request(server.url(), method=method, agent=agent).end()
            assert await (await request).body() == b""
            assert await (await http.get(server.url(), agent=agent)).body() == b"next"
        assert server.connections == 1


async def test_headers_and_trailers_raw_and_merged() -> None:
    """Case, order and repeats in the raw lists; one dictionary each (N-167)."""
    response, body = await fetch(
        b"HTTP/1.1 200 OK\r\nX-B: 1\r\nx-b: 2\r\nSet-Cookie: a\r\n"
        b"__class__: data\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
        b"3\r\nabc\r\n0\r\nX-T: 1\r\nx-T: 2\r\n\r\n"
    )
    assert body == b"abc"
    assert response.raw_headers[:4] == ["X-B", "1", "x-b", "2"]
    assert response.headers["x-b"] == "1, 2"
    assert response.headers["set-cookie"] == ["a"]
    assert response.headers["__class__"] == "data"
    assert response.headers_distinct["x-b"] == ["1", "2"]
    assert response.raw_trailers == ["X-T", "1", "x-T", "2"]
    assert response.trailers == {"x-t": "1, 2"}


async def test_joining_duplicates_is_an_option() -> None:
    """Headers of which the first wins are joined instead (X-014)."""
    answer = ok(b"", "Age: 1", "Age: 2")
    assert (await fetch(answer))[0].headers["age"] == "1"
    joined, _ = await fetch(answer, join_duplicate_headers=True)
    assert joined.headers["age"] == "1, 2"


async def test_surplus_headers_are_dropped_and_still_frame() -> None:
    """max_headers_count counts fields; framing is read from all (H-036, N-127)."""
    answer = b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nContent-Length: 2\r\n\r\nok"
    response, body = await fetch(answer, max_headers_count=2)
    assert response.raw_headers == ["A", "1", "B", "2"]
    assert body == b"ok"


@pytest.mark.parametrize(
    ("options", "accepted"), [({}, True), ({"max_header_size": 100}, False)]
)
async def test_the_size_of_a_head_is_limited(
    options: dict[str, Any], accepted: bool
) -> None:
    """max_header_size, per request: HPE_HEADER_OVERFLOW (X-006, N-126)."""
    answer = ok(b"", "X-Long: " + "x" * 200)
    if accepted:
        await fetch(answer, **options)
    else:
        with pytest.raises(ValueError, match="Parse Error") as caught:
            await fetch(answer, **options)
        assert vars(caught.value)["code"] == "HPE_HEADER_OVERFLOW"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n", "HPE_INVALID_HEADER_TOKEN"),
        (b"HTTP/1.1 200 OK\nA: 1\n\n", "HPE_CR_EXPECTED"),
        (b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n", "HPE_INVALID_HEADER_TOKEN"),
        (b"HTTP/1.1 200 OK\r\nA : 1\r\n\r\n", "HPE_INVALID_HEADER_TOKEN"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "HPE_INVALID_VERSION"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            "HPE_UNEXPECTED_CONTENT_LENGTH",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
            "HPE_INVALID_CONTENT_LENGTH",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HPE_INVALID_TRANSFER_ENCODING",
        ),
    ],
)
async def test_what_is_no_http_is_an_error(answer: bytes, code: str) -> None:
    """'error' with the parser's code, once; the socket is gone (H-130, N-151)."""
    async with HostileServer(stays(answer)) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        errors: list[Exception] = []
        request.on("error", errors.append)
        await closed(request)
        assert [getattr(error, "code", None) for error in errors] == [code]
        assert agent.total_socket_count == 0


async def test_lenient_parsing_is_an_option() -> None:
    """insecure_http_parser takes folded lines (X-016, N-168)."""
    response, _ = await fetch(
        b"HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\nContent-Length: 0\r\n\r\n",
        insecure_http_parser=True,
    )
    assert response.headers["a"] == "1 folded"


async def test_a_bad_chunk_breaks_the_body_off() -> None:
    """The body raises the parser's error; the request has it as error (H-130)."""
    script = stays(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
    async with HostileServer(script) as server, http.Agent() as agent:
        response = await http.get(server.url(), agent=agent)
        with pytest.raises(ValueError, match="Parse Error") as caught:
            await response.body()
        assert agent.total_socket_count == 0
    assert vars(caught.value)["code"] == "HPE_INVALID_CHUNK_SIZE"
    assert (response.aborted, response.complete) == (True, False)


# Informational responses


async def test_information_comes_before_the_response() -> None:
    """Every 1xx but 101: information; 100 is continue before (H-077, N-118)."""
    script = stays(
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nlink: </b>\r\n\r\n"
        + ok()
    )
    async with HostileServer(script) as server, http.Agent() as agent:
        request = http.request(server.url(), agent=agent)
        events: list[object] = []
        infos: list[Any] = []
        request.on("continue", lambda: events.append("continue"))
        request.on("information", lambda info: events.append(info.status_code))
        request.on("information", infos.append)
        request.on("response", lambda response: events.append("response"))
        response = await request.end()
        assert await response.body() == b"ok"
    assert events == ["continue", 100, 103, "response"]
    info = infos[1]
    assert (info.status_message, info.http_version) == ("Early Hints", "1.1")
    assert (info.http_version_major, info.http_version_minor) == (1, 1)
    assert info.headers == {"link": "</a>; rel=preload, </b>"}
    assert info.raw_headers[2:] == ["link", "</b>"]


async def test_expect_sends_the_head_at_once() -> None:
    """The body follows when the server says continue (H-068, N-119)."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await peer.send(ok(await peer.read_exactly(4)))
        await peer.read_all()

    async with HostileServer(script) as server, http.Agent() as agent:
        request = http.request(
            server.url(),
            method="POST",
            headers={"Expect": "100-continue", "Content-Length": 4},
            agent=agent,
        )
        assert request.headers_sent
        await once(request, "continue")
        assert await (await request.end(b"body")).body() == b"body"


async def test_an_endless_flood_of_1xx_is_cut_off() -> None:
    """At most 256 informational responses come to one request."""
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"
    for count, allowed in ((256, True), (257, False)):
        async with HostileServer(stays(interim * count + ok())) as server:
            request = http.get(server.url(), agent=http.Agent())
            seen: list[object] = []
            request.on("information", seen.append)
            if allowed:
                assert await (await request).body() == b"ok"
                request.agent.destroy()
            else:
                with pytest.raises(ValueError, match="256") as caught:
                    await request
                assert vars(type(caught.value))["code"] == "ERR_HTTP_TOO_MANY_INTERIM"
            assert len(seen) == 256


# CONNECT and upgrades

CONNECT = b"HTTP/1.1 200 Connection Established\r\n\r\n"
REFUSAL = b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n"
UPGRADE = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
ASK_UPGRADE = {"Connection": "Upgrade", "Upgrade": "x"}


def echoes(head: bytes) -> Script:
    """Return a script that answers with `head` and then echoes."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(head)
        while True:
            await peer.send(await peer.read_exactly(4))

    return script


@pytest.mark.parametrize(
    ("method", "headers", "answer", "event"),
    [
        ("CONNECT", {}, CONNECT + b"first", "connect"),
        (
            "CONNECT",
            {},
            b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nfirst",
            "connect",
        ),
        ("GET", ASK_UPGRADE, UPGRADE + b"first", "upgrade"),
    ],
)
async def test_the_socket_changes_hands(
    method: str, headers: dict[str, str], answer: bytes, event: Any
) -> None:
    """response, socket, head; then close; the agent has let go (H-075, H-076)."""
    async with HostileServer(echoes(answer)) as server, http.Agent() as agent:
        request = http.request(
            server.url(), method=method, headers=headers, agent=agent
        )
        events: list[str] = []
        request.on("response", lambda response: events.append("response"))
        request.on(event, lambda *args: events.append(event))
        request.on("close", lambda: events.append("close"))
        response, socket, head = await once(request.end(), event)
        assert response.status_code == int(answer[9:12])
        assert head == b"first"
        await checkpoint()
        assert events == [event, "close"]
        assert agent.total_socket_count == 0
        assert socket.custom.event_names() == []
        socket.write(b"ping")
        (chunk,) = await once(socket, "data")
        assert chunk == b"ping"
        socket.destroy()


@pytest.mark.parametrize(
    ("method", "headers", "answer"),
    [("CONNECT", {}, CONNECT), ("GET", ASK_UPGRADE, UPGRADE)],
)
async def test_nobody_takes_the_socket(
    method: str, headers: dict[str, str], answer: bytes
) -> None:
    """It is destroyed: error ECONNRESET, close (H-075, H-076)."""
    async with HostileServer(echoes(answer)) as server, http.Agent() as agent:
        request = http.request(
            server.url(), method=method, headers=headers, agent=agent
        )
        errors: list[Exception] = []
        request.on("error", errors.append)
        await closed(request.end())
        assert [getattr(error, "code", None) for error in errors] == ["ECONNRESET"]
        assert str(errors[0]) == "socket hang up"
        assert agent.total_socket_count == 0


@pytest.mark.parametrize(
    ("method", "headers", "answer"),
    [("CONNECT", {}, CONNECT), ("GET", ASK_UPGRADE, UPGRADE)],
)
async def test_awaiting_takes_the_socket(
    method: str, headers: dict[str, str], answer: bytes
) -> None:
    """The response has the socket, with what followed the head in it (H-072)."""
    async with (
        HostileServer(echoes(answer + b"more")) as server,
        http.Agent() as agent,
    ):
        response = await http.request(
            server.url(), method=method, headers=headers, agent=agent
        ).end()
        socket = response.socket
        assert isinstance(socket, Socket)
        (chunk,) = await once(socket, "data")
        assert chunk == b"more"
        socket.destroy()


async def test_awaiting_takes_no_socket_that_was_not_asked_for() -> None:
    """An upgrade without an Upgrade header closes: ECONNRESET (H-076)."""
    async with HostileServer(echoes(UPGRADE)) as server, http.Agent() as agent:
        sockets: list[Socket] = []
        request = http.get(server.url(), agent=agent).on("socket", sockets.append)
        with pytest.raises(OSError, match="socket hang up") as caught:
            await request
        assert getattr(caught.value, "code", None) == "ECONNRESET"
        assert [socket.destroyed for socket in sockets] == [True]
        assert agent.total_socket_count == 0


async def test_an_upgrade_header_alone_is_an_ordinary_answer() -> None:
    """Only 101 upgrades (H-076)."""
    response, body = await fetch(ok(b"plain", "Upgrade: x", "Connection: upgrade"))
    assert (response.status_code, body) == (200, b"plain")


async def test_a_second_answer_is_never_shown() -> None:
    """The socket is destroyed; the first answer is whole (H-073)."""
    async with (
        HostileServer(stays(ok(b"first") + ok(b"second"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        assert await response.body() == b"first"
        assert agent.total_socket_count == 0
        assert response.complete

"""The body of an answer: what may be written, when callbacks run, what is refused."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from headrace import http, streams
from headrace.http.testing import RawResponse, served

Request = http.IncomingMessage
Response = http.ServerResponse


def code_of(call: Callable[[], object]) -> str | None:
    """Return the code of what `call()` raises."""
    try:
        call()
    except (TypeError, ValueError, RuntimeError) as error:
        return getattr(error, "code", "without a code")
    return None


async def asked(
    listener: Any, request: str = "GET / HTTP/1.1", **options: Any
) -> RawResponse:
    """Return what a server with that listener answers."""
    async with served(listener, **options) as (_, client):
        return await client.ask(request)


# What is written ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "encoding", "sent"),
    [
        ("6865780a", "hex", b"hex\n"),
        ("aGV4Cg==", "base64", b"hex\n"),
        ("aGV4Cg", "base64url", b"hex\n"),
        ("\xe9", "latin1", b"\xe9"),
        ("\xe9", "BINARY", b"\xe9"),
        ("\xe9", None, b"\xc3\xa9"),
        ("\xe9", "utf16le", b"\xe9\x00"),
    ],
)
async def test_text_is_encoded_as_told(
    text: str, encoding: str | None, sent: bytes
) -> None:
    """Of hex and base64 the decoded bytes are sent (N-099, H-007)."""

    def listener(request: Request, response: Response) -> None:
        response.write(text, encoding)
        response.end(text, encoding)

    assert (await asked(listener)).body == sent * 2


async def test_a_length_counts_bytes() -> None:
    """Not characters (H-045, pitfall 13)."""
    answer = await asked(lambda request, response: response.end("h\xe9\u20ac"))
    assert answer.header("content-length") == "6"
    assert answer.body == "h\xe9\u20ac".encode()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_bytes_of_each_kind(kind: Callable[[bytes], Any]) -> None:
    """All that is like bytes is taken, as a chunk and as the last one (H-006)."""

    def listener(request: Request, response: Response) -> None:
        response.write(kind(b"one "))
        response.end(kind(b"two"))

    assert (await asked(listener)).body == b"one two"


@pytest.mark.parametrize(
    ("chunk", "code"),
    [
        (None, "ERR_STREAM_NULL_VALUES"),
        (5, "ERR_INVALID_ARG_TYPE"),
        (True, "ERR_INVALID_ARG_TYPE"),
        (["x"], "ERR_INVALID_ARG_TYPE"),
        ({}, "ERR_INVALID_ARG_TYPE"),
        (object(), "ERR_INVALID_ARG_TYPE"),
    ],
    ids=["None", "int", "bool", "list", "dict", "object"],
)
async def test_other_chunks_are_refused(chunk: Any, code: str) -> None:
    """The call raises and nothing is sent or fixed; end(None) is an end (N-113)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        codes.append(code_of(lambda: response.write(chunk)))
        if chunk is not None:
            codes.append(code_of(lambda: response.end(chunk)))
        assert not response.headers_sent
        response.end("fine")

    answer = await asked(listener)
    assert (answer.header("content-length"), answer.body) == ("4", b"fine")
    assert set(codes) == {code}


@pytest.mark.parametrize(("encoding", "code"), [("nonsense", "ERR_UNKNOWN_ENCODING")])
async def test_unknown_encodings_are_refused(encoding: str, code: str) -> None:
    """Synchronously (H-007)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        codes.append(code_of(lambda: response.write("x", encoding)))
        codes.append(code_of(lambda: response.end("x", encoding)))
        response.end("fine")

    assert (await asked(listener)).body == b"fine"
    assert codes == [code] * 2


async def test_callbacks_that_cannot_be_called_are_refused() -> None:
    """Wherever one is given, at once (H-003)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        no: Any = 5
        calls = (
            lambda: response.write("x", "utf8", no),
            lambda: response.write("x", None, no),
            lambda: response.end("x", "utf8", no),
            lambda: response.end(None, None, no),
            lambda: response.set_timeout(1, no),
            lambda: request.set_timeout(1, no),
            lambda: response.write_continue(no),
            lambda: response.write_processing(no),
            lambda: response.write_early_hints({"link": "</a>"}, no),
        )
        codes.extend(map(code_of, calls))
        response.end("fine")

    answer = await asked(listener)
    assert (answer.status, answer.body) == (200, b"fine")
    assert codes == ["ERR_INVALID_ARG_TYPE"] * 9


async def test_empty_chunks_do_not_end_a_piped_body() -> None:
    """A chunk of no bytes is never the last chunk (N-098, H-123)."""

    def listener(request: Request, response: Response) -> None:
        source = streams.PassThrough()
        source.pipe(response)
        for chunk in (b"", b"one", b"", b"two", b""):
            source.write(chunk)
            response.write(b"")
        source.end()

    async with served(listener) as (_, client):
        for _ in range(2):
            assert (await client.ask("GET / HTTP/1.1")).body == b"onetwo"


async def test_an_empty_write_fixes_the_head() -> None:
    """It sends the head alone; its callback is called like others (H-054)."""
    results: list[object] = []
    release = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        response.write("", results.append)
        assert response.headers_sent
        await release.wait()
        response.end("body")

    async with served(listener) as (_, client):
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await client.read_until(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head
        assert results == [None]
        release.set()
        assert await client.read_until(b"0\r\n\r\n") == b"4\r\nbody\r\n0\r\n\r\n"


async def test_chunks_of_one_turn_leave_together() -> None:
    """The head and each chunk keep their own frames (H-054, H-123)."""

    def listener(request: Request, response: Response) -> None:
        for number in range(3):
            response.write(f"{number}")
        response.end("end")

    async with served(listener) as (_, client):
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.read_until(b"\r\n\r\n")
        body = await client.read_until(b"0\r\n\r\n")
    assert body == b"1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n3\r\nend\r\n0\r\n\r\n"


# Callbacks and events ----------------------------------------------------------------


async def test_callbacks_come_in_order_before_finish() -> None:
    """Each write's own, then those of end with finish, then close (H-054, H-056)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        for event in ("prefinish", "finish", "close"):
            response.custom.on(event, lambda e=event: seen.append(e))
        response.write("a", lambda error: seen.append(("a", error)))
        response.write("", lambda error: seen.append(("empty", error)))
        response.end("b", lambda error: seen.append(("end", error)))
        response.end(lambda error: seen.append(("second end", error)))
        assert seen == []

    await asked(listener)
    assert seen == [
        ("a", None),
        ("empty", None),
        "prefinish",
        "finish",
        ("end", None),
        ("second end", None),
        "close",
    ]


async def test_an_end_that_comes_too_late() -> None:
    """Without data it is ignored, its callback told that all is over (H-056)."""
    seen: list[object] = []
    done = anyio.Event()

    def told(error: object) -> None:
        seen.append(error)
        done.set()

    def late(response: Response) -> None:
        assert response.end() is response
        assert response.end(told) is response
        assert seen == []

    def listener(request: Request, response: Response) -> None:
        response.on("finish", lambda: late(response)).end("whole")

    async with served(listener) as (_, client):
        assert (await client.ask("GET / HTTP/1.1")).body == b"whole"
        await done.wait()
    assert [getattr(error, "code", None) for error in seen] == [
        "ERR_STREAM_ALREADY_FINISHED"
    ]


@pytest.mark.parametrize("how", ["write", "end"])
async def test_a_write_after_the_end_is_an_error_event(how: str) -> None:
    """False, then callback and error get the code; the answer is whole (N-114)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.on("error", lambda error: seen.append(getattr(error, "code", None)))
        response.on("finish", lambda: seen.append("finish"))
        response.end("whole")
        if how == "write":
            assert response.write("more", note) is False
        else:
            assert response.end("more", note) is response
        assert seen == []

    def note(error: Any) -> None:
        seen.append(f"callback {error.code}")

    async with served(listener) as (_, client):
        for _ in range(2):
            answer = await client.ask("GET / HTTP/1.1")
            assert answer.body == b"whole"
    one = ["callback ERR_STREAM_WRITE_AFTER_END", "ERR_STREAM_WRITE_AFTER_END"]
    assert sorted(map(str, seen)) == sorted([*one, "finish"] * 2)


async def test_a_write_after_destroy_is_quiet() -> None:
    """Only its callback is told; there is no error event (H-054, N-116)."""
    seen: list[object] = []
    closed = anyio.Event()

    def listener(request: Request, response: Response) -> None:
        response.on("error", seen.append)
        response.on("close", closed.set)
        assert response.destroy() is response
        response.write("x", None, lambda error: seen.append(error.code))
        response.end("x", None, lambda error: seen.append(error.code))

    async with served(listener) as (_, client):
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await client.read_all() == b""
        await closed.wait()
    assert seen == ["ERR_STREAM_DESTROYED"] * 2


async def test_a_response_cannot_be_piped() -> None:
    """ERR_STREAM_CANNOT_PIPE comes as an error, on a later tick (H-057, H-008)."""
    codes: list[object] = []
    told = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        response.pipe(streams.PassThrough())
        response.on("error", codes.append)
        response.on("error", lambda error: told.set())
        await told.wait()
        response.end("fine")

    assert (await asked(listener)).body == b"fine"
    assert [getattr(error, "code", None) for error in codes] == [
        "ERR_STREAM_CANNOT_PIPE"
    ]


async def test_write_says_when_to_wait() -> None:
    """False at the high-water mark, then one drain when all is out (H-054, X-040)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        mark = response.writable_high_water_mark
        response.on("drain", lambda: seen.append("drain"))
        response.on("drain", response.end)
        seen.append(response.write(b"x" * (mark // 2)))
        seen.append(response.writable_need_drain)
        seen.append(response.write(b"x" * mark))
        seen.append(response.writable_need_drain)
        assert response.writable_length > mark

    answer = await asked(listener)
    assert len(answer.body) == 65536 + 65536 // 2
    assert seen == [True, False, False, True, "drain"]


async def test_no_drain_follows_the_end() -> None:
    """Who has ended does not wait for drain (H-163, H-054)."""
    seen: list[str] = []

    def listener(request: Request, response: Response) -> None:
        response.on("drain", lambda: seen.append("drain"))
        response.on("finish", lambda: seen.append("finish"))
        assert response.write(b"x" * 200_000) is False
        response.end()

    await asked(listener)
    assert seen == ["finish"]


async def test_a_socket_counts_what_waits() -> None:
    """bytes_written has what was written in this turn, head and frames too (H-137)."""
    counts: list[int] = []

    def listener(request: Request, response: Response) -> None:
        socket = request.socket
        assert socket is not None
        response.send_date = False
        response.write("x" * 100)
        counts.append(socket.bytes_written)
        response.write(b"y" * 100_000)
        counts.append(socket.bytes_written)
        response.on("finish", lambda: counts.append(socket.bytes_written))
        response.end()
        counts.append(socket.bytes_written)

    async with served(listener) as (_, client):
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = await client.read_all()
    first = received.index(b"x" * 100) + 102
    assert counts == [first, len(received) - 5, len(received), len(received)]


# State -------------------------------------------------------------------------------


async def test_the_state_of_a_response() -> None:
    """What middleware asks, from the first write to close (X-040, X-041, H-057)."""
    seen: list[tuple[object, ...]] = []

    def state(response: Response) -> tuple[object, ...]:
        return (
            response.writable_ended,
            response.finished,
            response.writable_finished,
            response.destroyed,
            response.closed,
            response.errored,
        )

    def listener(request: Request, response: Response) -> None:
        assert response.req is request
        assert response.socket is response.connection is request.socket
        assert response.writable
        assert response.writable_length == 0
        assert not response.writable_object_mode
        response.write("x")
        assert response.writable_length > 0
        seen.append(state(response))
        response.on("finish", lambda: seen.append(state(response)))
        response.on("close", lambda: seen.append(state(response)))
        response.on("close", lambda: seen.append((response.socket,)))
        response.end()
        seen.append(state(response))

    await asked(listener)
    assert seen == [
        (False, False, False, False, False, None),
        (True, True, False, False, False, None),
        (True, True, True, False, False, None),
        (True, True, True, True, True, None),
        (None,),
    ]


async def test_an_error_given_to_destroy_is_kept() -> None:
    """errored is what destroyed it; the response is not finished (X-040, H-164)."""
    reason = ValueError("why")
    errors: list[object] = []
    closed = anyio.Event()

    def listener(request: Request, response: Response) -> None:
        response.on("error", errors.append).on("close", closed.set)
        response.destroy(reason)
        assert response.destroyed
        errors.append(response.errored)
        assert not response.writable_finished

    async with served(listener) as (_, client):
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await client.read_all() == b""
        await closed.wait()
    assert errors == [reason, reason]


async def test_a_message_can_be_destroyed_before_it_has_a_connection() -> None:
    """It is over at once; later calls only tell their callbacks (N-116, H-164)."""
    seen: list[object] = []
    closed = anyio.Event()
    out = http.OutgoingMessage()
    out.on("error", seen.append).on("close", closed.set)
    assert not out.destroyed
    assert out.destroy() is out
    assert out.destroyed
    assert out.write("x", lambda error: seen.append(error.code)) is False
    out.end("x", lambda error: seen.append(error.code))
    assert out.destroy() is out
    assert seen == []
    await closed.wait()
    assert seen == ["ERR_STREAM_DESTROYED"] * 2


async def test_what_destroyed_a_message_is_told() -> None:
    """The error comes once, and close behind it (H-164)."""
    seen: list[object] = []
    closed = anyio.Event()
    reason = ValueError("why")
    out = http.OutgoingMessage()
    out.on("error", seen.append).on("close", closed.set)
    out.destroy(reason).destroy(ValueError("again"))
    await closed.wait()
    assert seen == [reason]
    assert out.errored is reason


def test_the_socket_of_a_message_has_two_names() -> None:
    """Whichever is set, both show it (H-115)."""
    message = http.IncomingMessage()
    assert message.socket is message.connection is None
    socket: Any = object()
    message.connection = socket
    assert message.socket is message.connection is socket


def test_a_message_that_is_neither_has_no_head() -> None:
    """Sending through the base class itself: ERR_METHOD_NOT_IMPLEMENTED (H-011)."""
    for send in (
        lambda: http.OutgoingMessage().write("x"),
        lambda: http.OutgoingMessage().end("x"),
        lambda: http.OutgoingMessage().flush_headers(),
    ):
        with pytest.raises(RuntimeError) as caught:
            send()
        assert getattr(caught.value, "code", None) == "ERR_METHOD_NOT_IMPLEMENTED"


# Cork --------------------------------------------------------------------------------


async def test_corked_chunks_become_one() -> None:
    """cork counts; the last uncork sends what was held back (X-039)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.cork()
        with response.corked() as same:
            assert same is response
            response.write("one ", lambda error: seen.append(error))
            response.write("two")
            seen.append(response.writable_corked)
            seen.append(response.writable_length)
        assert not response.headers_sent
        response.uncork()
        seen.append(response.writable_corked)
        response.uncork()  # one too many: no effect
        response.end("three")

    async with served(listener) as (_, client):
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.read_until(b"\r\n\r\n")
        body = await client.read_until(b"0\r\n\r\n")
    assert body == b"7\r\none two\r\n5\r\nthree\r\n0\r\n\r\n"
    assert seen == [2, 7, 0, None]


async def test_end_uncorks() -> None:
    """What is held back goes out in front of the last chunk (X-039)."""
    corked: list[int] = []

    def listener(request: Request, response: Response) -> None:
        response.cork()
        response.cork()
        for held in request.url[1:]:
            response.write(held)
        response.end("end")
        corked.append(response.writable_corked)

    assert (await asked(listener, "GET /held HTTP/1.1")).body == b"heldend"
    assert (await asked(listener, "GET / HTTP/1.1")).body == b"end"
    assert corked == [0, 0]


# Where no body is allowed ------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)]
)
async def test_a_body_that_is_not_allowed_is_dropped(method: str, status: int) -> None:
    """True, and a callback without an error (H-054, H-120)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.status_code = status
        seen.append(response.write(b"x" * 100_000, seen.append))
        response.end("more", seen.append)

    async with served(listener) as (_, client):
        for _ in range(2):
            answer = await client.ask(f"{method} / HTTP/1.1")
            assert answer.status == status
    assert seen == [True, None, None] * 2


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)]
)
async def test_or_refused(method: str, status: int) -> None:
    """With reject_non_standard_body_writes it raises (X-019, N-094)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.status_code = status
        codes.append(code_of(lambda: response.write("x")))
        codes.append(code_of(lambda: response.end("x")))
        codes.append(code_of(lambda: response.write("")))
        response.end()

    answer = await asked(
        listener, f"{method} / HTTP/1.1", reject_non_standard_body_writes=True
    )
    assert answer.status == status
    assert codes == ["ERR_HTTP_BODY_NOT_ALLOWED", "ERR_HTTP_BODY_NOT_ALLOWED", None]


async def test_refusing_them_is_not_the_default() -> None:
    """reject_non_standard_body_writes is off, and spares ordinary answers (X-019)."""
    assert http.create_server().reject_non_standard_body_writes is False
    answer = await asked(
        lambda request, response: response.end("body"),
        reject_non_standard_body_writes=True,
    )
    assert answer.body == b"body"


# Lengths -----------------------------------------------------------------------------


def too_much(response: Response) -> None:
    response.write("abcd")


def too_much_in_the_end(response: Response) -> None:
    response.end("abcd")


def too_little(response: Response) -> None:
    response.end("ab")


def nothing(response: Response) -> None:
    response.end()


@pytest.mark.parametrize("way", [too_much, too_much_in_the_end, too_little, nothing])
async def test_strict_lengths_raise(way: Callable[[Response], None]) -> None:
    """Before anything wrong is sent; the rest can be sent instead (N-111, X-030)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.strict_content_length = True
        response.set_header("Content-Length", 4)
        response.write("1")
        codes.append(code_of(lambda: way(response)))
        response.end("234")

    async with served(listener) as (_, client):
        for _ in range(2):
            assert (await client.ask("GET / HTTP/1.1")).body == b"1234"
    assert codes == ["ERR_HTTP_CONTENT_LENGTH_MISMATCH"] * 2


async def test_strictness_is_not_the_default() -> None:
    """A wrong length closes the connection behind the answer (X-030, H-045)."""

    def listener(request: Request, response: Response) -> None:
        assert response.strict_content_length is False
        response.set_header("Content-Length", 4)
        response.write("12")
        response.end()

    async with served(listener) as (_, client):
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.read_all()).endswith(b"\r\n\r\n12")


@pytest.mark.parametrize(
    "value", ["abc", "-1", "+1", "1.5", "0x4", "4 ", "", ["1", "2"]]
)
async def test_a_length_is_digits(value: Any) -> None:
    """One number, or the head raises and nothing is sent (H-011, CVE-2026-1525)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.set_header("Content-Length", value)
        codes.append(code_of(lambda: response.end("body")))
        response.set_header("Content-Length", "4")
        response.end("body")

    assert (await asked(listener)).body == b"body"
    assert codes == ["ERR_HTTP_INVALID_HEADER_VALUE"]


# Trailers ----------------------------------------------------------------------------


async def test_trailers_may_repeat() -> None:
    """As pairs or as lists; the order is kept (X-044, H-055)."""

    def listener(request: Request, response: Response) -> None:
        response.write("x")
        response.add_trailers([("X-A", "replaced")])
        response.add_trailers([("X-A", "1"), ("x-a", "2"), ("X-B", ["3", "4"])])
        response.end()

    answer = await asked(listener)
    assert answer.trailers == "X-A: 1\r\nx-a: 2\r\nX-B: 3\r\nX-B: 4"


async def test_finished_waits_for_the_close_of_a_response() -> None:
    """``close`` always follows; what a response held is free then (X-111, H-041)."""
    seen: list[bool] = []

    def listener(request: Request, response: Response) -> None:
        streams.finished(response, lambda error: seen.append(response.closed))
        response.end()

    await asked(listener)
    assert seen == [True]


@pytest.mark.parametrize("how", ["a known length", "HTTP/1.0", "HEAD", "204"])
async def test_trailers_need_chunks(how: str) -> None:
    """In any other message they are dropped in silence (N-110, H-055)."""

    def listener(request: Request, response: Response) -> None:
        response.add_trailers({"X-Trailer": "1"})
        if how == "204":
            response.status_code = 204
        if how == "a known length":
            response.end("body")
        else:
            response.write("body")
            response.end()

    method = "HEAD" if how == "HEAD" else "GET"
    version = "1.0" if how == "HTTP/1.0" else "1.1"
    async with served(listener) as (_, client):
        line = f"{method} / HTTP/{version}\r\n".encode()
        await client.send(line + b"Host: x\r\nConnection: close\r\n\r\n")
        answer = await client.read_all()
    assert b"X-Trailer" not in answer


async def test_trailers_between_write_head_and_end_are_sent() -> None:
    """The head is fixed without a length: the body can be chunked (N-110, H-055)."""

    def listener(request: Request, response: Response) -> None:
        response.write_head(200)
        response.add_trailers({"X-Trailer": "1"})
        response.end("body")

    answer = await asked(listener)
    assert (answer.body, answer.trailers) == (b"body", "X-Trailer: 1")
    old = await asked(listener, "GET / HTTP/1.0")
    assert (old.header("content-length"), old.body) == ("4", b"body")


async def test_trailers_after_the_end_come_too_late() -> None:
    """They have no effect, and are no error (H-055)."""

    def listener(request: Request, response: Response) -> None:
        response.write("x")
        response.end()
        response.add_trailers({"X-Late": "1"})

    assert (await asked(listener)).trailers == ""


@pytest.mark.parametrize(
    ("trailers", "code"),
    [
        (None, "ERR_INVALID_ARG_TYPE"),
        ({"a b": "x"}, "ERR_INVALID_HTTP_TOKEN"),
        ({"a": "x\r\ny"}, "ERR_INVALID_CHAR"),
        ({"a": None}, "ERR_HTTP_INVALID_HEADER_VALUE"),
        ({"Content-Length": "1"}, "ERR_HTTP_TRAILER_INVALID"),
        ({"host": "x"}, "ERR_HTTP_TRAILER_INVALID"),
        (["a"], "ERR_INVALID_ARG_VALUE"),
    ],
)
def test_trailers_are_checked_like_headers(trailers: Any, code: str) -> None:
    """With the same errors, and fields that must not be trailers refused (H-055)."""
    assert code_of(lambda: http.OutgoingMessage().add_trailers(trailers)) == code


@pytest.mark.parametrize("how", ["length", "HEAD", "HTTP/1.0"])
async def test_a_trailer_header_needs_chunks(how: str) -> None:
    """Announcing trailers that cannot come raises when the head is built (H-055)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.set_header("Trailer", "X-Sum")
        if how == "length":
            response.set_header("Content-Length", 4)
        codes.append(code_of(lambda: response.end("body")))
        response.remove_header("trailer")
        response.end("body")

    ask = "HEAD / HTTP/1.1" if how == "HEAD" else "GET / HTTP/1.1"
    if how == "HTTP/1.0":
        ask = "GET / HTTP/1.0"
    assert (await asked(listener, ask)).status == 200
    assert codes == ["ERR_HTTP_TRAILER_INVALID"]


# The head alone ----------------------------------------------------------------------


async def test_flush_headers_sends_the_head_once() -> None:
    """Before there is any body, however often it is called (N-117, H-057)."""
    release = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        response.set_header("X-Early", "1")
        response.flush_headers()
        response.flush_headers()
        await release.wait()
        response.end("body")
        response.flush_headers()

    async with served(listener) as (_, client):
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await client.read_until(b"\r\n\r\n")
        assert b"X-Early: 1\r\n" in head
        release.set()
        assert await client.read_until(b"0\r\n\r\n") == b"4\r\nbody\r\n0\r\n\r\n"
        assert (await client.ask("GET / HTTP/1.1")).body == b"body"


async def test_a_client_s_flushed_head_reaches_the_listener() -> None:
    """The request is there before its body, on both sides (N-117)."""
    arrived = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        arrived.set()
        response.end(await request.body())

    async with served(listener) as (server, _):
        request = http.request(port=server.address().port, method="POST")
        request.flush_headers()
        request.flush_headers()
        await arrived.wait()
        request.end("body")
        response = await request
        assert await response.body() == b"body"

"""The head of an answer: what a listener may set, what is sent, what can be read."""

import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from headrace import http
from headrace.http.testing import RawResponse, served

Request = http.IncomingMessage
Response = http.ServerResponse


def code_of(change: Any) -> str | None:
    """Return the code of what `change()` raises."""
    try:
        change()
    except (TypeError, ValueError, RuntimeError) as error:
        return getattr(error, "code", "without a code")
    return None


async def asked(listener: Any, request: str = "GET / HTTP/1.1") -> RawResponse:
    """Return what a server with that listener answers."""
    async with served(listener) as (_, client):
        return await client.ask(request)


async def test_the_status_code_of_an_implicit_head() -> None:
    """200, or what was set; afterwards it is the one that was sent (H-047)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        codes.append(response.status_code)
        response.status_code = 404
        response.end()
        codes.append(response.status_code)

    assert (await asked(listener)).status == 404
    assert codes == [200, 404]


async def test_a_status_code_set_too_late_changes_nothing() -> None:
    """No error, and nothing on the wire (H-047)."""

    def listener(request: Request, response: Response) -> None:
        response.write("begun")
        response.status_code = 500
        response.end()

    answer = await asked(listener)
    assert (answer.status, answer.body) == (200, b"begun")


async def test_write_head_fixes_code_and_phrase() -> None:
    """Setting them behind it is too late, though nothing has left (H-044, N-107)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.write_head(202, "Taken")
        response.status_code = 500
        response.status_message = "Broken"
        seen.extend((response.status_code, response.status_message))
        response.end("fine")

    answer = await asked(listener)
    assert answer.head.startswith("HTTP/1.1 202 Taken\r\n")
    assert seen == [202, "Taken"]


@pytest.mark.parametrize("code", [-1, 0, 99, 1000, "2000", float("nan"), {}, True])
async def test_the_code_is_checked_when_the_head_is_built(code: Any) -> None:
    """A wrong one raises then; another answer is still possible (H-047, N-102)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.status_code = code
        codes.append(code_of(lambda: response.end("refused")))
        assert not response.headers_sent
        response.status_code = "201"  # type: ignore[assignment]  # digits will do
        response.end("fine")

    answer = await asked(listener)
    assert (answer.status, answer.body) == (201, b"fine")
    assert codes == ["ERR_HTTP_INVALID_STATUS_CODE"]


@pytest.mark.parametrize(
    ("code", "phrase", "sent"),
    [
        (200, None, "OK"),
        (200, "", "OK"),
        (404, "Nowhere", "Nowhere"),
        (418, None, "I'm a Teapot"),
        (299, None, "unknown"),
        (299, "Own\tcaf\xe9", "Own\tcaf\xe9"),
    ],
)
@pytest.mark.parametrize("way", ["write_head", "attributes"])
async def test_the_reason_phrase(
    way: str, code: int, phrase: str | None, sent: str
) -> None:
    """The standard one unless one is given; then it is what was sent (H-048, N-103)."""
    told: list[object] = []

    def listener(request: Request, response: Response) -> None:
        told.append(response.status_message)
        if way == "write_head":
            response.write_head(code, phrase)
        else:
            response.status_code, response.status_message = code, phrase
            response.flush_headers()
        told.append(response.status_message)
        response.end()
        told.append(response.status_message)

    answer = await asked(listener)
    assert answer.head.split("\r\n")[0] == f"HTTP/1.1 {code} {sent}"
    assert told == [None, sent, sent]


async def test_the_client_gets_the_phrase() -> None:
    """Standard, own and unknown ones arrive as they were sent (N-103, H-114)."""
    codes = {200: None, 404: "Nowhere", 299: None}

    def listener(request: Request, response: Response) -> None:
        response.status_code = int(request.url[1:])
        response.status_message = codes[response.status_code]
        response.end()

    phrases = []
    async with served(listener) as (server, _):
        for code in codes:
            answer = await http.get(port=server.address().port, path=f"/{code}")
            phrases.append(answer.status_message)
            answer.resume()
    assert phrases == ["OK", "Nowhere", "unknown"]


@pytest.mark.parametrize("phrase", ["a\r\nX: y", "a\nb", "a\x00", "\u20ac", "a\x7f"])
@pytest.mark.parametrize("way", ["write_head", "attribute", "both"])
async def test_phrases_cannot_carry_headers(way: str, phrase: str) -> None:
    """Control and other characters are refused; nothing was sent (H-044, H-048)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        if way == "write_head":
            codes.append(code_of(lambda: response.write_head(200, phrase)))
        else:
            response.status_message = phrase
            head = {"attribute": response.end, "both": lambda: response.write_head(200)}
            codes.append(code_of(head[way]))
            response.status_message = None
        response.end("fine")

    answer = await asked(listener)
    assert answer.head.startswith("HTTP/1.1 200 OK\r\n")
    assert codes == ["ERR_INVALID_CHAR"]


@pytest.mark.parametrize("how", ["write_head", "write", "end", "flush_headers"])
async def test_whether_the_head_is_fixed(how: str) -> None:
    """True from the moment the head is fixed, though nothing is out yet (H-050)."""
    seen: list[object] = []
    fixing: dict[str, Any] = {
        "write_head": lambda response: response.write_head(200),
        "write": lambda response: response.write("x"),
        "end": lambda response: response.end(),
        "flush_headers": lambda response: response.flush_headers(),
    }

    def listener(request: Request, response: Response) -> None:
        response.set_header("X", "1")
        seen.append(response.headers_sent)
        fixing[how](response)
        seen.append(response.headers_sent)
        response.end()

    await asked(listener)
    assert seen == [False, True]


def test_headers_sent_is_read_only() -> None:
    """Nobody can say that the head is sent (H-050)."""
    with pytest.raises(AttributeError):
        http.OutgoingMessage().headers_sent = True  # type: ignore[misc]


async def test_a_date_is_sent_by_itself() -> None:
    """A date of now in GMT, in the form of RFC 9110 5.6.7 (H-051, N-100)."""
    answer = await asked(lambda request, response: response.end())
    date = answer.header("date")
    assert date is not None
    assert date.endswith(" GMT")
    assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 60


@pytest.mark.parametrize("way", ["send_date", "remove_header"])
async def test_the_date_can_be_left_out(way: str) -> None:
    """By send_date or by removing it (H-051, N-100)."""

    def listener(request: Request, response: Response) -> None:
        assert response.send_date is True
        if way == "send_date":
            response.send_date = False
        else:
            response.remove_header("date")
        response.end()

    assert (await asked(listener)).header("date") is None


async def test_a_date_of_one_s_own_is_sent_as_it_is() -> None:
    """Also one that was removed before; there is only one (H-051, H-053, N-101)."""

    def listener(request: Request, response: Response) -> None:
        response.remove_header("Date")
        response.set_header("DATE", "yesterday")
        response.end()

    answer = await asked(listener)
    assert answer.head.lower().count("\r\ndate:") == 1
    assert answer.header("date") == "yesterday"


async def test_a_header_can_be_removed_until_the_head_is_fixed() -> None:
    """In any case of its name; an absent one is no error (H-053, N-107)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.set_header("X-Gone", "1").set_header("X-Stays", "2")
        response.remove_header("x-GONE")
        response.remove_header("never-set")
        assert not response.has_header("x-gone")
        response.write_head(200)
        codes.append(code_of(lambda: response.remove_header("x-stays")))
        response.end()

    answer = await asked(listener)
    assert (answer.header("x-gone"), answer.header("x-stays")) == (None, "2")
    assert codes == ["ERR_HTTP_HEADERS_SENT"]


async def test_setting_a_removed_header_again_cancels_the_removal() -> None:
    """The user's own value is sent, as if nothing had been removed (H-053)."""

    def listener(request: Request, response: Response) -> None:
        for name in ("Connection", "Content-Length", "Transfer-Encoding"):
            response.remove_header(name)
        response.set_header("Connection", "keep-alive")
        response.set_header("Content-Length", "4")
        response.end("four")

    async with served(listener) as (_, client):
        for _ in range(2):
            answer = await client.ask("GET / HTTP/1.1")
            assert answer.body == b"four"
            assert answer.header("connection") == "keep-alive"


async def test_only_the_length_removed_means_chunks() -> None:
    """Both must be removed to end the body by the close (H-122, N-101)."""

    def listener(request: Request, response: Response) -> None:
        response.remove_header("content-length")
        response.end("whole")

    async with served(listener) as (_, client):
        for _ in range(2):
            answer = await client.ask("GET / HTTP/1.1")
            assert answer.header("transfer-encoding") == "chunked"
            assert answer.body == b"whole"


@pytest.mark.parametrize(("version", "kept"), [("1.1", True), ("1.0", False)])
async def test_without_a_connection_header_the_version_decides(
    version: str, kept: bool
) -> None:
    """A removed Connection is not sent; HTTP/1.1 persists, 1.0 closes (H-122)."""

    def listener(request: Request, response: Response) -> None:
        response.remove_header("connection")
        response.set_header("Content-Length", 2)
        response.end("ok")

    ask = f"GET / HTTP/{version}\nConnection: keep-alive"
    async with served(listener) as (_, client):
        answer = await client.ask(ask)
        assert answer.header("connection") is None
        if kept:
            assert (await client.ask(ask)).body == b"ok"
        else:
            assert await client.read_all() == b""


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("close", False),
        ("CLOSE", False),
        ("x, Close", False),
        (["x", "close"], False),
        ("keep-alive", True),
        ("closed", True),
        ("x", True),
    ],
)
async def test_one_s_own_connection_header_is_obeyed(value: Any, kept: bool) -> None:
    """It is sent as it is; the token close ends the connection (H-124)."""

    def listener(request: Request, response: Response) -> None:
        response.set_header("Connection", value)
        response.end("ok")

    async with served(listener) as (_, client):
        answer = await client.ask("GET / HTTP/1.1")
        lines = [line for line in answer.head.split("\r\n") if "Connection:" in line]
        values = value if isinstance(value, list) else [value]
        assert lines == [f"Connection: {item}" for item in values]
        if kept:
            assert (await client.ask("GET / HTTP/1.1")).body == b"ok"
        else:
            assert await client.read_all() == b""


async def test_headers_can_be_read_after_sending() -> None:
    """get_header, has_header and the views work behind the end, too (N-092, H-052)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.set_header("X-One", 1)
        response.write_head(200, {"X-Two": ["a", "b"]})
        response.end()
        seen.append(response.get_header("x-one"))
        seen.append(response.has_header("X-TWO"))
        seen.append(response.get_headers())
        seen.append(response.get_raw_header_names())

    await asked(listener)
    assert seen == [1, True, {"x-one": 1, "x-two": ["a", "b"]}, ["X-One", "X-Two"]]


async def test_the_views_are_copies() -> None:
    """Changing what get_headers and the name lists return changes nothing (X-036)."""

    def listener(request: Request, response: Response) -> None:
        response.set_header("X-One", "1")
        response.get_headers()["x-two"] = "2"
        response.get_header_names().append("x-three")
        response.get_raw_header_names().clear()
        assert not response.has_header("x-two")
        assert response.get_header_names() == ["x-one"]
        assert response.get_raw_header_names() == ["X-One"]
        response.end()

    answer = await asked(listener)
    assert (answer.status, answer.header("x-two")) == (200, None)


@pytest.mark.parametrize("name", [None, 5, b"x", ["x"]])
def test_names_to_look_up_are_text(name: Any) -> None:
    """get, has and remove raise ERR_INVALID_ARG_TYPE for others (H-052, X-036)."""
    out = http.OutgoingMessage()
    for look_up in (out.get_header, out.has_header, out.remove_header):
        assert code_of(lambda f=look_up: f(name)) == "ERR_INVALID_ARG_TYPE"


async def test_write_head_and_set_header_chain() -> None:
    """Both return the response (X-042, N-109, H-004)."""

    def listener(request: Request, response: Response) -> None:
        response.set_header("X-A", "1").append_header("X-A", "2").set_headers(
            {"X-B": "3"}
        ).write_head(201, {"X-C": "4"}).end("done")

    answer = await asked(listener)
    assert (answer.status, answer.body) == (201, b"done")
    assert [answer.header(f"x-{name}") for name in "abc"] == ["1", "3", "4"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ((200, {"a\r\n": "x"}), "ERR_INVALID_HTTP_TOKEN"),
        ((200, {"": "x"}), "ERR_INVALID_HTTP_TOKEN"),
        ((200, {"a": "x\r\nb: y"}), "ERR_INVALID_CHAR"),
        ((200, {"a": None}), "ERR_HTTP_INVALID_HEADER_VALUE"),
        ((200, {"a": ["x", None]}), "ERR_HTTP_INVALID_HEADER_VALUE"),
        ((200, {"a": True}), "ERR_INVALID_ARG_TYPE"),
        ((200, {"Content-Length": "x"}), "ERR_HTTP_INVALID_HEADER_VALUE"),
        ((200, {"Content-Length": -1}), "ERR_HTTP_INVALID_HEADER_VALUE"),
        ((200, {"Content-Length": 2**64}), "ERR_HTTP_INVALID_HEADER_VALUE"),
        (
            (200, {"Content-Length": 1, "content-length": 2}),
            "ERR_HTTP_INVALID_HEADER_VALUE",
        ),
        (
            (200, ["Content-Length", "1", "content-length", "1"]),
            "ERR_HTTP_INVALID_HEADER_VALUE",
        ),
        ((200, ["a"]), "ERR_INVALID_ARG_VALUE"),
        ((200, ["a", "1", "b"]), "ERR_INVALID_ARG_VALUE"),
        ((200, [("a",)]), "ERR_INVALID_ARG_VALUE"),
        ((200, "fine", 5), "ERR_INVALID_ARG_TYPE"),
        ((200, 5), "ERR_INVALID_ARG_TYPE"),
    ],
)
async def test_a_refused_head_changes_nothing(args: Any, code: str) -> None:
    """After an exception the response can be answered otherwise (H-044, N-104,
    N-105).
    """
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.set_header("X-Kept", "1")
        codes.append(code_of(lambda: response.write_head(*args)))
        assert not response.headers_sent
        assert response.get_headers() == {"x-kept": "1"}
        response.write_head(202).end()

    answer = await asked(listener)
    assert (answer.status, answer.header("x-kept")) == (202, "1")
    assert codes == [code]


async def test_a_list_overrides_what_was_set() -> None:
    """Names of the list replace earlier ones and move to its end (N-105, H-044)."""

    def listener(request: Request, response: Response) -> None:
        response.set_header("X-First", "old").set_header("X-Other", "kept")
        response.write_head(200, ["x-first", "new", "x-last", "1", "X-FIRST", "again"])
        assert response.get_header("x-first") == ["new", "again"]
        response.end()

    answer = await asked(listener)
    lines = [line for line in answer.head.split("\r\n") if line.lower()[:2] == "x-"]
    assert lines == ["X-Other: kept", "x-first: new", "x-last: 1", "X-FIRST: again"]


async def test_write_head_after_an_implicit_head() -> None:
    """After write() or end() it is too late (H-044, N-104)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.write("begun")
        codes.append(code_of(lambda: response.write_head(201)))
        response.end()
        codes.append(code_of(lambda: response.write_head(201)))

    assert (await asked(listener)).status == 200
    assert codes == ["ERR_HTTP_HEADERS_SENT"] * 2


async def test_changes_after_the_head_name_their_error() -> None:
    """Each way to change a header raises ERR_HTTP_HEADERS_SENT (N-106, H-049)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.flush_headers()
        codes.extend(
            code_of(change)
            for change in (
                lambda: response.set_header("a", "b"),
                lambda: response.append_header("a", "b"),
                lambda: response.set_headers({"a": "b"}),
                lambda: response.remove_header("a"),
                lambda: response.write_early_hints({"link": "</a>; rel=preload"}),
                response.write_continue,
                response.write_processing,
            )
        )
        response.end()

    assert (await asked(listener)).header("a") is None
    assert codes == ["ERR_HTTP_HEADERS_SENT"] * 7


async def test_values_of_every_type_on_the_wire() -> None:
    """Numbers are kept as given and sent as text; lists are fields (H-049, H-132)."""

    def listener(request: Request, response: Response) -> None:
        response.set_header("X-Int", 5).set_header("X-Float", 1.5)
        response.set_header("X-Bytes", b"caf\xe9").set_header("X-Empty", "")
        response.set_header("X-List", ["1", 2]).set_header("Cookie", ["a=1", "b=2"])
        response.set_header("X-None", [])
        assert response.get_header("x-int") == 5
        response.end()

    head = (await asked(listener)).head.split("\r\n")
    assert [line for line in head if line.startswith(("X-", "Cookie"))] == [
        "X-Int: 5",
        "X-Float: 1.5",
        "X-Bytes: caf\xe9",
        "X-Empty: ",
        "X-List: 1",
        "X-List: 2",
        "Cookie: a=1; b=2",
    ]


def test_the_validators_are_public() -> None:
    """They check what set_header checks, and return nothing (X-038, H-020)."""
    http.validate_header_name("X-Ok")
    http.validate_header_value("X-Ok", "fine")
    for name in ("", "a b", "a\r\n", None, 5):
        with pytest.raises(TypeError) as caught:
            http.validate_header_name(name)  # type: ignore[arg-type]
        assert getattr(caught.value, "code", None) == "ERR_INVALID_HTTP_TOKEN"
    for value, code in (
        (None, "ERR_HTTP_INVALID_HEADER_VALUE"),
        ("a\r\nb", "ERR_INVALID_CHAR"),
        ("\u20ac", "ERR_INVALID_CHAR"),
        (True, "ERR_INVALID_ARG_TYPE"),
        ({}, "ERR_INVALID_ARG_TYPE"),
    ):
        with pytest.raises(TypeError) as caught:
            http.validate_header_value("X", value)  # type: ignore[arg-type]
        assert getattr(caught.value, "code", None) == code

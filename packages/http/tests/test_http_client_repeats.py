"""Requests that repeat themselves are checked once, and stay apart all the same."""

from collections.abc import Callable
from typing import Any

import pytest

from headrace import http
from headrace.http.testing import HostileServer, ok, stays


async def heads_of(*requests: Callable[[str, http.Agent], http.ClientRequest]) -> Any:
    """Return what each of the requests sends, one after the other."""
    async with (
        HostileServer(stays(*[ok()] * len(requests))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        for make in requests:
            await (await make(server.url(), agent)).body()
        return [head.decode("latin-1") for head in server.heads]


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "*/*", "X-A": "1"},
        {"Host": "other"},
        {"Connection": "close"},
        {"X-List": ["a", "b"]},
        {"X-Number": 5},
        {"Content-Length": "0"},
        {"X-Long": "x" * 5000},
    ],
    ids=lambda headers: next(iter(headers)),
)
async def test_equal_headers_give_equal_heads(headers: dict[str, Any]) -> None:
    """The second and the third time as the first (H-065)."""

    def ask(url: str, agent: http.Agent) -> http.ClientRequest:
        return http.get(url, headers=dict(headers), agent=agent)

    first, second, third = await heads_of(ask, ask, ask)
    assert first == second == third
    for name in headers:
        assert f"\r\n{name}: " in first


async def test_one_request_changes_nothing_for_the_next() -> None:
    """Fields that were set, removed or renamed are one request's own (H-087)."""
    headers = {"X-A": "1", "X-B": "2"}

    def plain(url: str, agent: http.Agent) -> http.ClientRequest:
        return http.get(url, headers=headers, agent=agent)

    def changed(url: str, agent: http.Agent) -> http.ClientRequest:
        request = http.request(url, headers=headers, agent=agent)
        request.set_header("x-a", "other").remove_header("X-B")
        request.append_header("X-C", "3")
        return request.end()

    def other_path(url: str, agent: http.Agent) -> http.ClientRequest:
        request = http.request(url, headers=headers, agent=agent)
        request.path = "/other"
        return request.end()

    def posted(url: str, agent: http.Agent) -> http.ClientRequest:
        request = http.request(url, method="POST", headers=headers, agent=agent)
        return request.end(b"body")

    one, two, three, again, four = await heads_of(
        plain, changed, other_path, plain, posted
    )
    assert one == again
    assert one.startswith("GET / HTTP/1.1\r\nX-A: 1\r\nX-B: 2\r\nHost: ")
    assert two.startswith("GET / HTTP/1.1\r\nx-a: other\r\nHost: ")
    assert "\r\nX-C: 3\r\n" in two
    assert "X-B" not in two
    assert three == one.replace("GET / ", "GET /other ")
    assert four.startswith("POST / HTTP/1.1\r\nX-A: 1\r\nX-B: 2\r\nHost: ")
    assert "\r\nContent-Length: 4\r\n" in four


async def test_a_mapping_that_changes_is_read_again() -> None:
    """What counts is what it holds now, not which object it is (H-065)."""
    headers = {"X-A": "1"}

    def ask(url: str, agent: http.Agent) -> http.ClientRequest:
        return http.get(url, headers=headers, agent=agent)

    def change_and_ask(url: str, agent: http.Agent) -> http.ClientRequest:
        headers["X-A"] = "2"
        return ask(url, agent)

    first, second = await heads_of(ask, change_and_ask)
    assert "\r\nX-A: 1\r\n" in first
    assert "\r\nX-A: 2\r\n" in second


async def test_a_bad_value_is_refused_every_time() -> None:
    """Also when it equals a good one of another type (H-132)."""
    async with HostileServer(stays(*[ok()] * 3)) as server, http.Agent() as agent:
        for _ in range(2):
            await (
                await http.get(server.url(), headers={"X-A": "1"}, agent=agent)
            ).body()
            for value in (True, None, "1\r\n"):
                with pytest.raises((TypeError, ValueError)):
                    http.get(server.url(), headers={"X-A": value}, agent=agent)


async def test_places_given_by_options_stay_apart() -> None:
    """Equal options are one place; what differs in any of them is another (H-058)."""

    def ask(path: str) -> Callable[[str, http.Agent], http.ClientRequest]:
        def make(url: str, agent: http.Agent) -> http.ClientRequest:
            port = int(url.rpartition(":")[2].rstrip("/"))
            return http.get(host="127.0.0.1", port=port, path=path, agent=agent)

        return make

    one, two, three = await heads_of(ask("/a"), ask("/b"), ask("/a"))
    assert one == three
    assert two == one.replace("GET /a ", "GET /b ")


@pytest.mark.parametrize("port", [True, 81.0, "81x"])
async def test_a_bad_port_is_refused_although_a_good_one_was_seen(port: Any) -> None:
    """True and 1, 81.0 and 81 are equal, and not the same (H-059)."""
    for good in (1, 81):
        http.request(host="h", port=good).on("error", lambda error: None).destroy()
    with pytest.raises((TypeError, ValueError)):
        http.request(host="h", port=port)


async def test_credentials_belong_to_their_place() -> None:
    """auth of one request is not sent by the next (H-068)."""

    def with_auth(url: str, agent: http.Agent) -> http.ClientRequest:
        return http.get(url, auth="a:b", headers={"X": "1"}, agent=agent)

    def without(url: str, agent: http.Agent) -> http.ClientRequest:
        return http.get(url, headers={"X": "1"}, agent=agent)

    first, second = await heads_of(with_auth, without)
    assert "\r\nAuthorization: Basic YTpi\r\n" in first
    assert "Authorization" not in second

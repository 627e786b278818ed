"""What tools hear of requests through diagnostics channels (X-099)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from headrace import http
from headrace.events import channel
from headrace.http.testing import HostileServer, close_before_answer, ok, stays

NAMES = (
    "http.client.request.created",
    "http.client.request.start",
    "http.client.request.error",
    "http.client.response.finish",
)


@contextmanager
def listening() -> Iterator[list[tuple[str, Any]]]:
    """Collect what is published on the client's channels."""
    seen: list[tuple[str, Any]] = []

    def note(message: Any, name: Any) -> None:
        seen.append((name, message))

    for name in NAMES:
        channel(name).subscribe(note)
    try:
        yield seen
    finally:
        for name in NAMES:
            channel(name).unsubscribe(note)


async def test_a_request_that_is_answered() -> None:
    """created, start at end(), response.finish with the response (X-099)."""
    with listening() as seen:
        async with HostileServer(stays(ok())) as server, http.Agent() as agent:
            request = http.request(server.url(), agent=agent)
            assert seen == [(NAMES[0], {"request": request})]
            response = await request.end()
    assert seen[1:] == [
        (NAMES[1], {"request": request}),
        (NAMES[3], {"request": request, "response": response}),
    ]


async def test_a_request_that_fails() -> None:
    """error, with the exception (X-099)."""
    with listening() as seen:
        async with HostileServer(close_before_answer) as server, http.Agent() as agent:
            request = http.get(server.url(), agent=agent)
            with pytest.raises(ConnectionResetError) as caught:
                await request
    assert seen[-1] == (NAMES[2], {"request": request, "error": caught.value})

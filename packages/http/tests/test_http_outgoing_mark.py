"""The high-water mark of a message whose body flows."""

from typing import TYPE_CHECKING, cast

import pytest

from headrace import http
from headrace.events.loop import checkpoint, current
from headrace.http import OutgoingMessage
from headrace.http._framing import Framing
from headrace.http._wire import LARGEST_MARK, Wire
from headrace.net.testing import port_of

if TYPE_CHECKING:
    from headrace.http._carrier import Carrier
    from headrace.net import Socket

MARK = 64 * 1024


class System:
    """Takes all that is sent, at once or when it is told to."""

    def __init__(self) -> None:
        self.is_full = False
        self.sent: list[int] = []

    def send(self, chunks: list[bytes]) -> bool:
        self.sent.append(sum(map(len, chunks)))
        return not self.is_full


class Message(OutgoingMessage):
    """A message of known length."""

    def _compose_head(self, body_size: int | None) -> bytes:
        self._framing = Framing.LENGTH
        return b""

    @property
    def socket(self) -> "Socket | None":
        return None


class OneMessage(Wire):
    """A connection for it."""

    def __init__(self, system: System) -> None:
        super().__init__(cast("Carrier", system), current())
        self.owner = None
        self.message = Message()
        self.message._attach(self)

    def drained(self) -> None:
        if not self.unflushed:
            self.message._drain()

    def write_to_the_mark(self) -> int:
        """Write small pieces until told to wait; return how many bytes that took."""
        size = 1024
        while self.message.write(b"x" * 1024):
            size += 1024
        return size


async def test_mark_grows_while_the_system_takes_everything() -> None:
    """Then what waits is gone when the turn ends (H-161, DESIGN 8)."""
    wire = OneMessage(System())
    message = wire.message
    assert message.writable_high_water_mark == MARK
    for mark in (64, 128, 256, 512):
        assert wire.write_to_the_mark() == mark * 1024
        assert message.writable_high_water_mark == mark * 1024
        wire.flush_now()
        assert not message.writable_need_drain
    assert wire.write_to_the_mark() == LARGEST_MARK == 512 * 1024


async def test_fast_peer_leaves_the_loop_to_others_now_and_then() -> None:
    """Behind 4 MiB that the system took at once ``drain`` comes a turn later."""
    wire = OneMessage(System())
    sent = 0
    while not wire.message.writable_need_drain:
        sent += wire.write_to_the_mark()
        wire.flush_now()
    assert 4 * 1024 * 1024 - LARGEST_MARK < sent <= 4 * 1024 * 1024 + LARGEST_MARK
    drains: list[int] = []
    wire.message.on("drain", lambda: drains.append(1))
    for _ in range(3):  # what trio calls soon may come a turn later
        await checkpoint()
    assert drains == [1]
    assert not wire.message.writable_need_drain
    assert wire.write_to_the_mark() == LARGEST_MARK


async def test_mark_is_the_first_again_when_the_system_is_full() -> None:
    """Behind a slow peer no more is kept than always (H-161)."""
    system = System()
    wire = OneMessage(system)
    for _ in range(3):
        wire.write_to_the_mark()
        wire.flush_now()
    assert wire.message.writable_high_water_mark == 8 * MARK
    system.is_full = True
    wire.write_to_the_mark()
    wire.flush_now()
    assert wire.message.writable_need_drain
    wire.flushed()
    assert not wire.message.writable_need_drain
    assert wire.message.writable_high_water_mark == MARK
    system.is_full = False
    assert wire.write_to_the_mark() == MARK
    wire.flush_now()
    assert wire.message.writable_high_water_mark == 2 * MARK


async def test_mark_stays_where_nobody_waits_for_drain() -> None:
    """It takes a body that flows: small answers and large pieces do not move it."""
    wire = OneMessage(System())
    for _ in range(10):
        wire.message.write(b"x" * 1000)
        wire.flush_now()
    assert wire.message.writable_high_water_mark == MARK


@pytest.mark.parametrize("mark", [0, 1000, MARK, LARGEST_MARK])
async def test_mark_that_was_asked_for_stays(mark: int) -> None:
    """The option of the server is obeyed (X-017)."""
    marks: set[int] = set()
    size = max(mark, 1)

    def listener(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        left = 16

        def more() -> None:
            nonlocal left
            left -= 1
            assert response.write(b"x" * size) is False
            marks.add(response.writable_high_water_mark)
            response.once("drain", more if left else response.end)

        more()

    server = http.create_server({"high_water_mark": mark}, listener)
    async with server.listen(0, "127.0.0.1"), http.Agent() as agent:
        url = f"http://127.0.0.1:{port_of(server)}/"
        response = await http.get(url, agent=agent)
        assert len(await response.body()) == 16 * size
    assert marks == {mark}

"""The transport on a socket, with a system that does what the test says."""

import errno
from collections import deque
from typing import Any

import pytest

from headrace import net
from headrace.net._socket_transport import SocketTransport
from headrace.net._state import Sending


class System:
    """A socket whose calls give what is in `answers`, and then take everything."""

    family = 2

    def __init__(self, *answers: Any) -> None:
        self.answers = deque(answers)
        self.sent: list[bytes] = []
        self.calls: list[str] = []

    def _answer(self, call: str, default: Any) -> Any:
        self.calls.append(call)
        answer = self.answers.popleft() if self.answers else default
        if isinstance(answer, int) and answer < 0:
            raise OSError(-answer, "scripted")
        return answer

    def send(self, data: Any) -> int:
        count: int = self._answer("send", len(data))
        self.sent.append(bytes(data[:count]))
        return count

    def sendmsg(self, chunks: list[Any]) -> int:
        data = b"".join(chunks)
        count: int = self._answer("sendmsg", len(data))
        self.sent.append(data[:count])
        return count

    def recv_into(self, buffer: memoryview, limit: int) -> int:
        data: bytes = self._answer("recv", b"")
        buffer[: len(data)] = data
        return len(data)

    def recv(self, limit: int) -> bytes:
        data: bytes = self._answer(f"recv {limit >> 10}", b"")
        assert len(data) <= limit
        return data

    def shutdown(self, how: int) -> None:
        self._answer("shutdown", None)

    def setsockopt(self, *_: object) -> None:
        self._answer("setsockopt", None)

    def getpeername(self) -> Any:
        return self._answer("getpeername", ("127.0.0.1", 1))

    def close(self) -> None:
        self.calls.append("close")


class Turns:
    """A loop that runs ticks and readiness when the test says so."""

    def __init__(self) -> None:
        self.locals: dict[Any, Any] = {}
        self.ticks: deque[Any] = deque()
        self.watched: dict[str, Any] = {}

    def attach(self, closer: object) -> None: ...
    def detach(self, closer: object) -> None: ...

    def deliver(self, owner: object, callback: Any, *args: Any) -> None:
        callback(*args)
        self.drain()

    def next_tick_for(self, owner: object, callback: Any, *args: Any) -> None:
        self.ticks.append((callback, args))

    def drain(self) -> None:
        while self.ticks:
            callback, args = self.ticks.popleft()
            callback(*args)

    def watch_readable(self, sock: object, callback: Any) -> None:
        self.watched["read"] = callback

    def unwatch_readable(self, sock: object) -> None:
        self.watched.pop("read", None)

    def watch_writable(self, sock: object, callback: Any) -> None:
        self.watched["write"] = callback

    def unwatch_writable(self, sock: object) -> None:
        self.watched.pop("write", None)


class Recorder:
    """A holder that writes down what it is told."""

    _owner = None

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.kinds: list[type] = []

    def _transport_ended(self) -> None:
        self.told.append("ended")

    def _transport_flushed(self) -> None:
        self.told.append("flushed")

    def _transport_lost(self, error: Exception | None) -> None:
        self.told.append(error)

    def data(self, view: memoryview) -> None:
        self.kinds.append(type(view))
        self.told.append(bytes(view))


def make(*answers: Any) -> tuple[SocketTransport, System, Turns, Recorder]:
    system, turns, holder = System(*answers), Turns(), Recorder()
    anything: Any = turns, system
    transport = SocketTransport(anything[0], holder, holder.data, anything[1])
    return transport, system, turns, holder


def code(error: Any) -> object:
    return getattr(error, "code", error)


def test_net_transport_sends_what_it_can_and_queues_the_rest() -> None:
    """A partial send is continued when the system is ready; then `flushed`, once."""
    transport, system, turns, holder = make(3, 2)
    assert transport.write([b"abcdefg"]) is False
    assert transport.pending == 4
    assert transport.write([b"hij"]) is False
    turns.watched["write"]()
    turns.watched["write"]()
    assert b"".join(system.sent) == b"abcdefghij"
    assert (holder.told, transport.pending) == (["flushed"], 0)
    assert "write" not in turns.watched
    assert transport.write([b"k"]) is True
    assert transport.bytes_written == 11


def test_net_transport_goes_on_watching_for_a_writer_that_keeps_up() -> None:
    """Who fills the system again when told costs no system call to watch anew."""
    transport, _, turns, holder = make(1, 1, 1, 1)
    moves: list[str] = []
    watch, unwatch = turns.watch_writable, turns.unwatch_writable

    def watch_writable(sock: object, callback: Any) -> None:
        moves.append("watch")
        watch(sock, callback)

    def unwatch_writable(sock: object) -> None:
        moves.append("unwatch")
        unwatch(sock)

    def flushed() -> None:
        holder.told.append("flushed")
        if holder.told == ["flushed"]:
            assert transport.write([b"cd"]) is False

    anything: Any = turns
    anything.watch_writable = watch_writable
    anything.unwatch_writable = unwatch_writable
    anything = holder
    anything._transport_flushed = flushed
    assert transport.write([b"ab"]) is False
    turns.watched["write"]()
    assert (moves, transport.pending) == (["watch"], 1)
    turns.watched["write"]()
    assert (moves, holder.told) == (["watch", "unwatch"], ["flushed"] * 2)


def test_net_transport_that_would_block_at_once() -> None:
    """EAGAIN from a send queues all; from a ready callback it means nothing."""
    transport, system, turns, holder = make(-errno.EAGAIN, -errno.EAGAIN)
    assert transport.write([b"ab", b"cd"]) is False
    turns.watched["write"]()
    turns.watched["write"]()
    assert system.sent == [b"abcd"]
    assert holder.told == ["flushed"]


@pytest.mark.parametrize(("size", "call"), [(100, "send"), (9_000, "sendmsg")])
def test_net_transport_joins_small_chunks_only(size: int, call: str) -> None:
    """Several chunks leave in one system call, copied together if small."""
    transport, system, _, _ = make()
    assert transport.write([b"x" * size, b"y" * size, b"z"]) is True
    assert system.calls == [call]
    assert system.sent == [b"x" * size + b"y" * size + b"z"]


def test_net_transport_takes_many_chunks() -> None:
    """More chunks than one system call should take are copied together."""
    transport, system, _, _ = make()
    chunks = [bytes([number % 256]) * 100 for number in range(1000)]
    assert transport.write(chunks) is True
    assert system.calls == ["send"]
    assert b"".join(system.sent) == b"".join(chunks)


def test_net_transport_queues_what_is_left_of_many_chunks() -> None:
    """More chunks than one system call should take arrive all the same."""
    transport, system, turns, _ = make(12_345)
    chunks = [bytes([number % 256]) * 100 for number in range(1000)]
    assert transport.write(chunks) is False
    while "write" in turns.watched:
        turns.watched["write"]()
    assert b"".join(system.sent) == b"".join(chunks)


def test_net_transport_half_closes_after_the_queue() -> None:
    """FIN follows the last byte; `flushed` tells of both."""
    transport, system, turns, holder = make(1)
    transport.write([b"ab"])
    assert transport.shutdown_write() is False
    assert transport.write([b"too late"]) is False
    turns.watched["write"]()
    assert system.calls == ["send", "send", "shutdown"]
    assert holder.told == ["flushed"]
    assert transport.shutdown_write() is True


def test_net_transport_half_close_of_a_lost_connection() -> None:
    """ENOTCONN at the FIN is no error: the read side knows the reason."""
    transport, _, _, holder = make(-errno.ENOTCONN)
    assert transport.shutdown_write() is True
    assert holder.told == []
    transport, _, turns, holder = make(-errno.EIO)
    transport.shutdown_write()
    turns.drain()
    assert [code(each) for each in holder.told] == ["EIO"]


def test_net_transport_reads_on_after_a_failed_send() -> None:
    """What came before the reset is delivered, then the error of the send."""
    answers = -errno.EPIPE, b"413", b""
    transport, system, turns, holder = make(*answers)
    transport.resume_reading()
    assert transport.write([b"body"]) is False
    turns.drain()
    assert holder.told == []
    turns.watched["read"]()
    turns.watched["read"]()
    assert [code(each) for each in holder.told] == [b"413", "ended", "EPIPE"]
    assert holder.told[2].syscall == "write"
    assert system.calls[-1] == "close"


def test_net_transport_reset_after_a_failed_send() -> None:
    """The reset that reading then meets is only the echo of the first error."""
    transport, _, turns, holder = make(-errno.EPIPE, -errno.ECONNRESET)
    transport.resume_reading()
    transport.write([b"x"])
    turns.watched["read"]()
    assert [code(each) for each in holder.told] == ["EPIPE"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_net_transport_fails_at_once_when_nobody_reads(when: str) -> None:
    """A paused reader may wait for its writes: it must not wait for ever."""
    transport, _, turns, holder = make(-errno.ECONNRESET)
    if when == "before":
        transport.write([b"x"])
    else:
        transport.resume_reading()
        transport.write([b"x"])
        turns.drain()
        assert holder.told == []
        transport.pause_reading()
    assert holder.told == []
    turns.drain()
    assert [code(each) for each in holder.told] == ["ECONNRESET"]


def test_net_transport_other_write_errors_end_it_at_once() -> None:
    """Only a peer that is gone can have left an answer."""
    transport, _, turns, holder = make(-errno.EHOSTUNREACH)
    transport.resume_reading()
    transport.write([b"x"])
    turns.drain()
    assert [code(each) for each in holder.told] == ["EHOSTUNREACH"]


def test_net_transport_write_error_in_the_queue() -> None:
    """A send that fails later drops the queue and stops watching."""
    transport, _, turns, holder = make(1, -errno.EIO)
    transport.write([b"ab"])
    turns.watched["write"]()
    turns.drain()
    assert [code(each) for each in holder.told] == ["EIO"]
    assert (turns.watched, transport.pending) == ({}, 0)


def test_net_transport_spurious_readiness() -> None:
    """Ready, and then nothing there: neither data nor end."""
    transport, _, turns, holder = make(-errno.EAGAIN, -errno.EINTR, b"x")
    transport.resume_reading()
    for _ in range(3):
        turns.watched["read"]()
    assert holder.told == [b"x"]


def test_net_transport_short_pause_costs_nothing() -> None:
    """The watch ends only if something comes during the pause."""
    transport, system, turns, holder = make(b"x")
    transport.resume_reading()
    first = turns.watched["read"]
    transport.pause_reading()
    assert turns.watched["read"] == first
    first()
    assert (turns.watched, system.calls) == ({}, [])
    transport.resume_reading()
    turns.watched["read"]()
    assert holder.told == [b"x"]


def test_net_transport_tick_comes_before_the_bytes() -> None:
    """A tick that pauses, or closes, keeps the bytes in the system."""
    transport, system, turns, holder = make(b"x")
    transport.resume_reading()
    turns.next_tick_for(None, transport.abort)
    turns.watched["read"]()
    assert (holder.told, system.calls) == ([], ["close"])


def test_net_transport_tells_nothing_after_abort() -> None:
    """A closed transport calls nobody and does nothing."""
    transport, system, turns, holder = make(1)
    transport.resume_reading()
    transport.write([b"ab"])
    transport.abort()
    transport.abort()
    transport.reset()
    transport.resume_reading()
    transport.set_no_delay(True)
    transport.set_keep_alive(True, 1)
    assert transport.write([b"x"]) is False
    turns.drain()
    assert (holder.told, turns.watched) == ([], {})
    assert system.calls == ["send", "close"]


def test_net_transport_reset_asks_for_it() -> None:
    """A reset sets SO_LINGER before the close."""
    transport, system, _, _ = make()
    transport.reset()
    assert system.calls == ["setsockopt", "close"]


def test_net_transport_unknown_peer() -> None:
    """A connection that was reset before anybody asked has no address."""
    transport, _, _, _ = make(-errno.ENOTCONN)
    assert transport.remote_address() is None
    assert transport.remote_address() == net.Address("127.0.0.1", "IPv4", 1)
    transport.abort()
    assert transport.remote_address() is not None


def test_net_transport_moves_by_its_table() -> None:
    """The states along a life, as the table has them."""
    transport, _, turns, _ = make(1)
    seen = [transport._sending]
    transport.write([b"ab"])
    seen.append(transport._sending)
    transport.shutdown_write()
    seen.append(transport._sending)
    turns.watched["write"]()
    seen.append(transport._sending)
    transport.abort()
    seen.append(transport._sending)
    assert seen == [
        Sending.OPEN,
        Sending.QUEUED,
        Sending.ENDING,
        Sending.ENDED,
        Sending.CLOSED,
    ]


KIB = b"x" * 1024


def test_net_transport_reads_a_long_message_without_a_copy() -> None:
    """It comes as `bytes`, and its last part into the shared buffer (DESIGN 5)."""
    parts = [KIB * 256, KIB * 100, KIB * 156, b"end", b"next"]
    transport, system, turns, holder = make(*parts)
    transport.resume_reading()
    transport.expect(512 * 1024 + 3)
    for _ in parts:
        turns.watched["read"]()
    assert holder.told == parts
    assert holder.kinds == [bytes, bytes, memoryview, memoryview, memoryview]
    assert system.calls == ["recv 256", "recv 256", "recv", "recv", "recv"]
    assert transport.bytes_read == sum(map(len, parts))


def test_net_transport_never_reads_past_a_long_message() -> None:
    """What follows the message is read with a view, and no call asks for it before."""
    transport, system, turns, _ = make(KIB)
    transport.resume_reading()
    transport.expect(256 * 1024)
    turns.watched["read"]()
    turns.watched["read"]()
    assert system.calls == ["recv 256", "recv"]


def test_net_transport_copies_a_short_message() -> None:
    """Memory for a whole read would be too much for it."""
    transport, _, turns, holder = make(KIB)
    transport.resume_reading()
    transport.expect(256 * 1024 - 1)
    turns.watched["read"]()
    assert holder.kinds == [memoryview]


def test_net_transport_expects_before_it_reads() -> None:
    """A message may be announced while nobody reads."""
    transport, _, turns, holder = make(KIB)
    transport.expect(1024 * 1024)
    transport.resume_reading()
    turns.watched["read"]()
    assert holder.kinds == [bytes]


def test_net_transport_pauses_in_a_long_message() -> None:
    """Nothing is read then; afterwards the message goes on."""
    transport, system, turns, holder = make(KIB, KIB)
    transport.resume_reading()
    transport.expect(1024 * 1024)
    turns.watched["read"]()
    transport.pause_reading()
    turns.watched["read"]()
    assert "read" not in turns.watched
    assert len(system.calls) == 1
    transport.resume_reading()
    turns.watched["read"]()
    assert holder.told == [KIB, KIB]


@pytest.mark.parametrize(
    ("answer", "told"),
    [(b"", ["ended"]), (-errno.ECONNRESET, ["ECONNRESET"]), (-errno.EAGAIN, [])],
)
def test_net_transport_fails_in_a_long_message(answer: Any, told: list[str]) -> None:
    """Its end and its errors are those of any other."""
    transport, _, turns, holder = make(answer)
    transport.resume_reading()
    transport.expect(1024 * 1024)
    turns.watched["read"]()
    assert list(map(code, holder.told)) == told


def test_net_transport_closed_in_a_long_message() -> None:
    """A tick that closes keeps the bytes in the system; what is expected is gone."""
    transport, system, turns, holder = make(KIB)
    transport.resume_reading()
    transport.expect(1024 * 1024)
    turns.next_tick_for(None, transport.abort)
    turns.watched["read"]()
    transport.expect(1024 * 1024)
    assert (holder.told, system.calls, turns.watched) == ([], ["close"], {})

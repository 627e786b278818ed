"""Fuzz a server's connection: any client, any program, any order of events.

    python serve_connection.py [options of libFuzzer] CORPUS_FOLDER
    python serve_connection.py --random SECONDS SEED
    python serve_connection.py --seeds CORPUS_FOLDER

The first form needs atheris and is guided by coverage; the second one mutates the seeds
blindly; the third one writes the seeds down for the first.

An input is two bytes (settings, and how many bytes of schedule follow), the schedule,
and what the client sends. The schedule says in which order bytes arrive, handlers act,
the loop turns, the system takes bytes, the clock goes on, the client leaves.

Nothing but the connection's own loop, on a clock of its own, is real: `Wire` stands in
for a socket and writes down what is done to it. What must hold is in `Run.judge`.
"""

import asyncio
import importlib
import logging
import random
import re
import selectors
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

ATHERIS: Any = None
if __name__ == "__main__" and not {"--random", "--seeds"} & {*sys.argv}:
    ATHERIS = importlib.import_module("atheris")  # has no types

with (
    ATHERIS.instrument_imports(include=["headrace", "h11"])
    if ATHERIS is not None
    else nullcontext()
):
    from headrace import http
    from headrace.events import EventEmitter
    from headrace.events.loop import current
    from headrace.http._connection import ServerConnection
    from headrace.http._exchange import Service
    from headrace.http_parser import (
        EndOfMessage,
        HTTPParserError,
        RequestHead,
        RequestParser,
        ResponseHead,
        ResponseParser,
        Signal,
    )

    # Else the first parser would load it, outside of this block.
    importlib.import_module("headrace.http_parser._h11")

POST: Final = b"POST /%b HTTP/1.1\r\nHost: a\r\n"
GET: Final = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"
LENGTH: Final = b"Content-Length: 5\r\n\r\nhello"

#: Settings, length of the schedule, schedule, what the client sends.
SEEDS: Final = [
    b"\x00\x02\x00\xf8" + GET % b"end",
    b"\x01\x04\xf8\x03\xf8\x03" + (GET % b"hold") * 3,
    b"\x02\x03\x28\x03\xf8" + POST % b"read" + CHUNKED + GET % b"end",
    b"\x03\x03\x28\x03\xf8" + POST % b"parts" + LENGTH + GET % b"hold",
    b"\x04\x03\xf8\x05\xf8" + POST % b"raise" + LENGTH,
    b"\x05\x03\xf8\x05\x06" + POST % b"late-raise" + LENGTH + GET % b"end",
    b"\x06\x04\xf8\x03\x06\x03" + POST % b"async" + CHUNKED + GET % b"async-raise",
    b"\x07\x03\xf8\x0f\x07" + POST % b"hold" + b"Content-Length: 99\r\n\r\nhello",
    b"\x08\x02\xf8\x03" + b"OPTIONS /hold HTTP/1.1\r\nHost: a\r\n"
    b"Connection: upgrade\r\nUpgrade: x\r\n\r\nmore",
    b"\x10\x02\xf8\x03" + b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nmore",
    b"\x20\x02\xf8\x03" + POST % b"read" + b"Expect: 100-continue\r\n" + LENGTH,
    b"\x40\x02\xf8\x03" + POST % b"wrong-length" + CHUNKED + GET % b"pause",
    b"\x80\x04\xf8\x03\x0d\x0d" + POST % b"big" + LENGTH + GET % b"information",
    b"\x00\x03\xf8\x07\x17" + GET % b"destroy" + GET % b"end",
    b"\x00\x02\x2a\xf8" + b"GET /end HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2,
    b"\x00\x02\x2a\xf8" + POST % b"end" + b"Transfer-Encoding: x\r\n" + LENGTH,
    b"\x00\x02\x2a\xf8" + b"GET /cork HTTP/1.1\r\n\r\n" + GET % b"trailers",
    b"\x00\x01\xf8" + POST % b"end" + b"Expect: x\r\n" + LENGTH,
    b"\x00\x03\xf8\x0f\x0f" + POST % b"timeout" + LENGTH + b"GET / HT",
]

LIMITS: Final[dict[str, Any]] = {
    "max_header_size": 512,
    "max_pipelined_requests": 3,
    "max_body_discard": 64,
}
DATE: Final = re.compile(rb"\r\nDate: [^\r]*")
#: What a handler may leave to be written without having been told to wait, and more.
BIG: Final = b"x" * 100_000


class OnPurposeError(Exception):
    """Raised by handlers."""


class Clock(selectors.SelectSelector):
    """A selector that never waits: time goes on instead."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        return super().select(0)


class FuzzLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on a clock that only the input moves."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


class Socket(EventEmitter):
    """What a connection sees of a `headrace.net.Socket` besides the carrier."""

    def __init__(self) -> None:
        super().__init__()
        self.timeout = 0.0

    def set_timeout(self, seconds: float) -> None:
        self.timeout = seconds


class Wire:
    """A carrier that keeps what is sent, and never delivers what is not wanted."""

    def __init__(self, *, slow: bool, may_cut: bool) -> None:
        self.slow = slow
        #: The server half-closes behind a client that has, with answers still owed.
        self.may_cut = may_cut
        self.receiver: Any = None
        self.paused = False
        self.sent: list[bytes] = []
        self.owes_flush = False
        self.ended = self.destroyed = self.released = False

    def consume(self, receiver: Any) -> None:
        self.receiver = receiver

    def release(self, *, unread: bytes = b"") -> None:
        self.released = True

    def send(self, chunks: list[bytes]) -> bool:
        assert not self.released, "sent after the socket was given away"
        assert not self.destroyed, "sent after the end"
        assert not self.ended or self.may_cut, "sent after half-closing"
        assert not self.owes_flush, "sent before the last batch was out"
        self.sent += chunks
        self.owes_flush = self.slow
        return not self.slow

    def expect(self, size: int) -> None: ...

    def pause_receiving(self) -> None:
        self.paused = True

    def resume_receiving(self) -> None:
        self.paused = False

    def end(self) -> None:
        self.ended = True

    def destroy(self, error: Exception | None = None) -> None:
        if not self.destroyed and not self.released:
            self.destroyed = True
            self.receiver.connection_lost(error)

    def destroy_soon(self) -> None:
        self.ended = True
        if not self.owes_flush:
            self.destroy()

    # What the input does.

    def flush(self) -> None:
        if self.owes_flush and not self.destroyed:
            self.owes_flush = False
            self.receiver.flushed()
            if self.ended and not self.owes_flush and not self.receiver.unflushed:
                self.destroy()


class Watch:
    """Counts what happens to one request and its response."""

    def __init__(self, number: int, request: Any, response: Any) -> None:
        self.number = number
        self.line = f"{request.method} {request.url}"
        self.request = request
        self.response = response
        self.events: list[str] = []
        for name in ("aborted", "end", "close"):
            request.on(name, lambda n=name: self.events.append(f"request {n}"))
        for name in ("finish", "close"):
            response.on(name, lambda n=name: self.events.append(f"response {n}"))
        request.on("error", lambda error: None)
        response.on("error", lambda error: None)

    def judge(self) -> None:
        events = self.events
        for name in ("request close", "response close"):
            assert events.count(name) == 1, (self.line, name, events)
        assert not {"request aborted", "request end"} <= set(events), events
        assert len(events) == len(set(events)), events
        for side in ("request", "response"):
            own = [each for each in events if each.startswith(side)]
            assert own[-1] == f"{side} close", events


class Run:
    """One connection, from its first byte to its end."""

    def __init__(
        self, settings: int, schedule: bytes, data: bytes, engine: str
    ) -> None:
        self.settings = settings
        self.schedule = schedule
        self.left = data
        self.fed = b""
        self.engine: Any = engine
        self.watched: list[Watch] = []
        self.held: list[Any] = []
        self.problems: list[object] = []
        self.refused_at: int | None = None
        self.switched = False
        self.wire = Wire(slow=bool(settings & 128), may_cut=bool(settings & 64))
        self.eof = False

    # The program on the server ------------------------------------------------------

    def on_request(self, request: Any, response: Any) -> Any:
        assert self.refused_at is None, "a request behind a refused message"
        assert not self.switched, "a request behind a switch"
        number = len(self.watched)
        self.watched.append(Watch(number, request, response))
        response.set_header("X-Number", number)
        name = request.url.rpartition("/")[2].replace("-", "_")
        act = getattr(self, f"act_{name}", self.act_end)
        return act(request, response)

    def act_end(self, request: Any, response: Any) -> None:
        response.end("whole")

    def act_hold(self, request: Any, response: Any) -> None:
        self.held.append(lambda: response.end("held"))

    def act_parts(self, request: Any, response: Any) -> None:
        response.write("one")
        self.held.append(lambda: response.write("two"))
        self.held.append(response.end)

    def act_trailers(self, request: Any, response: Any) -> None:
        response.set_header("Trailer", "A")
        try:
            response.write("one")
        except http.TrailerInvalidError:  # it is not chunked
            response.remove_header("Trailer")
            response.write("one")
        response.add_trailers({"A": "b"})
        self.held.append(response.end)

    def act_cork(self, request: Any, response: Any) -> None:
        response.cork()
        response.write("one")
        response.write("two")
        self.held.append(response.uncork)
        self.held.append(response.end)

    def act_raise(self, request: Any, response: Any) -> None:
        raise OnPurposeError

    def act_late_raise(self, request: Any, response: Any) -> None:
        response.write("part")

        def fail() -> None:
            raise OnPurposeError

        self.held.append(lambda: current().deliver(response._owner, fail))

    def act_read(self, request: Any, response: Any) -> None:
        size = 0

        def data(chunk: bytes) -> None:
            nonlocal size
            size += len(chunk)

        request.on("data", data)
        request.on("end", lambda: response.end(str(size)))

    def act_pause(self, request: Any, response: Any) -> None:
        request.on("data", lambda chunk: request.pause())
        self.held.append(request.resume)
        self.held.append(lambda: response.end("paused"))

    def act_big(self, request: Any, response: Any) -> None:
        response.write(BIG)
        response.once("drain", lambda: response.end("drained"))
        self.held.append(response.end)

    def act_information(self, request: Any, response: Any) -> None:
        response.write_early_hints({"link": "</a>; rel=preload"})
        response.write_processing()
        self.held.append(response.write_continue)
        self.held.append(lambda: response.end("informed"))

    def act_wrong_length(self, request: Any, response: Any) -> None:
        response.set_header("Content-Length", 3)
        self.held.append(lambda: response.end("too long"))

    def act_destroy(self, request: Any, response: Any) -> None:
        self.held.append(response.destroy)

    def act_give_up(self, request: Any, response: Any) -> None:
        self.held.append(request.destroy)

    def act_timeout(self, request: Any, response: Any) -> None:
        request.set_timeout(3.0, lambda socket: response.end("timeout"))
        self.held.append(lambda: response.end("in time"))

    async def act_async(self, request: Any, response: Any) -> None:
        body = await request.body()
        response.end(str(len(body)))

    async def act_async_raise(self, request: Any, response: Any) -> None:
        await request.body()
        raise OnPurposeError

    # Events -------------------------------------------------------------------------

    def make_server(self) -> http.Server:
        options: dict[str, Any] = {**LIMITS, "engine": self.engine}
        if self.settings & 4:
            options["max_requests_per_socket"] = 2
        if self.settings & 64:
            options["http_allow_half_open"] = False
        server = http.create_server(options, self.on_request)
        if self.settings & 1:
            server.on("client_error", self.on_client_error)
        if self.settings & 8:
            server.on("upgrade", self.on_switch)
        if self.settings & 16:
            server.on("connect", self.on_switch)
        if self.settings & 32:
            server.on("check_continue", self.on_request)
        if self.settings & 2:
            server.on("check_expectation", self.on_request)
        return server

    def on_client_error(self, error: Exception, socket: Any) -> None:
        assert self.refused_at is None, "client_error twice"
        self.refused_at = len(self.watched)
        self.held.append(self.wire.destroy)

    def on_switch(self, request: Any, socket: Any, head: bytes) -> None:
        assert not self.switched
        assert not self.held_answers(), "switched before the answers were out"
        self.switched = True
        request.on("error", lambda error: None)
        request.resume()

    def held_answers(self) -> list[Watch]:
        return [each for each in self.watched if not each.response.writable_finished]

    # The schedule -------------------------------------------------------------------

    async def play(self) -> None:
        loop = current()
        server = self.make_server()
        socket = Socket()
        connection = ServerConnection(server, socket, self.wire, loop)
        socket._owner = connection
        server._http_connections.add(connection)
        self.connection = connection
        self.wire.consume(connection)
        for step in self.schedule:
            await self.step(step)
            self.judge_bounds()
        await self.finish()
        await self.turn(3)
        self.judge()
        server.close()

    async def step(self, step: int) -> None:
        what, amount = step & 7, step >> 3
        if what <= 2:
            self.deliver(len(self.left) if amount == 31 else amount + 1)
        elif what == 3:
            await self.turn(1)
        elif what == 4 and self.held:
            act = self.held.pop(amount % len(self.held))
            current().deliver(self.connection, act)
        elif what == 5:
            self.wire_event(self.wire.flush)
        elif what == 6:
            self.end()
        elif amount == 31:
            self.wire_event(self.wire.destroy)
        else:
            loop: Any = asyncio.get_running_loop()
            loop.clock.now += (amount + 1) * 8
            await self.turn(2)

    def wire_event(self, event: Any, *args: Any) -> None:
        current().deliver(self.connection, event, *args)

    def deliver(self, size: int) -> None:
        wire = self.wire
        if wire.paused or wire.destroyed or wire.released or self.eof:
            return
        piece, self.left = self.left[:size], self.left[size:]
        if piece:
            self.fed += piece
            self.wire_event(self.connection.data_received, memoryview(piece))

    def end(self) -> None:
        wire = self.wire
        if not (self.eof or wire.paused or wire.destroyed or wire.released):
            self.eof = True
            self.wire_event(self.connection.eof_received)

    async def turn(self, times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(0)

    async def finish(self) -> None:
        """Let everything go its way to the end, then lose the client."""
        for _ in range(60):
            self.deliver(len(self.left))
            await self.turn(2)
            self.judge_bounds()
            self.wire_event(self.wire.flush)
            if self.held:
                current().deliver(self.connection, self.held.pop(0))
            elif self.is_quiet():
                break
        self.wire_event(self.wire.destroy)
        while self.held:
            current().deliver(self.connection, self.held.pop(0))

    def is_quiet(self) -> bool:
        """Nothing more can happen by itself."""
        wire = self.wire
        deaf = wire.paused or wire.destroyed or wire.released or self.eof
        return not wire.owes_flush and (deaf or not self.left)

    # What must hold -----------------------------------------------------------------

    def judge_bounds(self) -> None:
        connection = self.connection
        waiting = len(connection._exchanges)
        assert waiting <= LIMITS["max_pipelined_requests"], connection
        if connection._service is Service.LOST:
            return  # its parser may be another one's
        told = re.search(r"unparsed=(\d+)", repr(connection.parser))
        held = int(told[1]) if told is not None else 0
        # One read, and a head that is not complete.
        assert held <= len(self.fed)
        if connection._service is Service.ENDED and not self.wire.destroyed:
            assert connection.deadline <= current().time() + 2.0 or self.wire.slow
        if not self.wire.paused:
            assert held <= LIMITS["max_header_size"], (held, connection)

    def judge(self) -> None:
        assert not self.problems, self.problems
        for watch in self.watched:
            watch.judge()
        if not self.wire.released:
            assert self.connection not in self.connection.server._http_connections
            assert self.connection.deadline == float("inf")
        self.judge_requests()
        self.judge_answers()

    def judge_requests(self) -> None:
        """What was handled is what a parser alone finds, from the first on."""
        parser = RequestParser(self.engine, max_head_size=LIMITS["max_header_size"])
        parser.receive(self.fed)
        found: list[str] = []
        try:
            while not isinstance(event := parser.next_event(), Signal):
                if not isinstance(event, RequestHead):
                    continue
                if event.upgrade:
                    if event.method == "CONNECT" or self.settings & 8:
                        break
                    parser.decline_upgrade()
                expect = event.expect or "100-continue"
                if expect.lower() == "100-continue" or self.settings & 2:
                    found.append(f"{event.method} {event.target}")
        except HTTPParserError:
            pass
        handled = [watch.line for watch in self.watched]
        assert found[: len(handled)] == handled, (found, handled)

    def judge_answers(self) -> None:
        """Answers come in order, only the last may be cut, nothing follows a close."""
        data = b"".join(self.wire.sent)
        if self.switched:
            return
        given: list[int] = []
        may_follow = True
        for position, method in enumerate([*self.methods(), "GET"]):
            if not data:
                break
            # X-007 wants an answer to those beyond the limit, too.
            beyond = self.settings & 4 and data.startswith(b"HTTP/1.1 503 ")
            assert may_follow or beyond, "bytes behind the last answer"
            head, data, whole = read_answer(data, method)
            if head is None or head.status_code == 417:
                break
            may_follow = whole and head.keep_alive
            number = head.first("x-number")
            if number is not None:
                given.append(int(number))
                assert int(number) == position, (number, position)
                if self.watched[position].line.endswith("/wrong-length"):
                    break  # a surplus may follow: a close does, too (H-045)
        else:
            assert not data, data[:100]
        assert given == sorted(set(given)), given

    def methods(self) -> list[str]:
        return [str(watch.request.method) for watch in self.watched]


def read_answer(data: bytes, method: str) -> tuple[ResponseHead | None, bytes, bool]:
    """Return the final head of an answer, what follows it, and whether it is whole."""
    parser = ResponseParser("llhttp")
    parser.expect(method)
    parser.receive(data)
    found = None
    while not isinstance(event := parser.next_event(), Signal):
        if isinstance(event, ResponseHead):
            found = event
        if isinstance(event, EndOfMessage):
            return found, parser.take_leftover(), True
    return found, parser.take_leftover(), False


class Errors(logging.Handler):
    """Takes what is logged; all but what handlers raise on purpose is a problem."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, OnPurposeError):
            self.found.append(self.format(record))


class Fuzzer:
    """Runs one input after the other on one loop."""

    def __init__(self) -> None:
        self.errors = Errors()
        self.logger = logging.getLogger("headrace")
        self.logger.addHandler(self.errors)
        self.logger.propagate = False
        self.loop = FuzzLoop()
        self.loop.set_exception_handler(self.take)
        self.unhandled: list[object] = []

    def close(self) -> None:
        """Let go of the loop and of the log."""
        self.logger.removeHandler(self.errors)
        self.logger.propagate = True
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def take(self, loop: object, context: dict[str, Any]) -> None:
        self.unhandled.append(context)

    def run(self, data: bytes, engines: tuple[str, ...] = ("llhttp", "h11")) -> None:
        """Raise AssertionError if one of the rules does not hold."""
        if len(data) < 2:
            return
        settings, size = data[0], data[1] % 64
        schedule, wire = data[2 : 2 + size], data[2 + size :]
        outcomes = []
        for engine in engines:
            run = Run(settings, schedule, wire, engine)
            self.loop.clock.now = 1000.0
            self.loop.run_until_complete(run.play())
            assert not self.errors.found, "\n".join(self.errors.found)
            assert not self.unhandled, self.unhandled
            sent = DATE.sub(b"", b"".join(run.wire.sent))
            outcomes.append((sent, [watch.events for watch in run.watched]))
        assert outcomes[1:] == outcomes[:-1], outcomes


def mutated(dice: random.Random, seeds: list[bytes]) -> bytes:
    """Return a seed with some bytes changed, put in, taken out or repeated."""
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(data) + 1)
        end = min(len(data), at + dice.randint(0, 12))
        other = dice.choice(seeds)
        start = dice.randrange(len(other))
        data[at:end] = dice.choice(
            [
                b"",
                dice.randbytes(dice.randint(1, 4)),
                data[at:end] * 2,
                other[start : start + dice.randint(1, 80)],
            ]
        )
    return bytes(data)


def run_blindly(seconds: float, seed: int) -> None:
    fuzzer, dice, count = Fuzzer(), random.Random(seed), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutated(dice, SEEDS)
        try:
            fuzzer.run(data)
        except Exception as error:
            raise AssertionError(f"input: {data!r}") from error
        count += 1
    sys.stdout.write(f"{count} inputs\n")


def write_seeds(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (folder / str(number)).write_bytes(seed)


if __name__ == "__main__":
    if "--seeds" in sys.argv:
        write_seeds(Path(sys.argv[2]))
    elif ATHERIS is None:
        run_blindly(float(sys.argv[2]), int(sys.argv[3]))
    else:
        ATHERIS.Setup(sys.argv, Fuzzer().run)
        ATHERIS.Fuzz()

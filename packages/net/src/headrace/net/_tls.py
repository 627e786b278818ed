"""TLS as a layer between a socket and its transport; no I/O of its own.

One `ssl.SSLObject` on two memory buffers, the same on asyncio and trio. Unlike those
of asyncio and anyio it half-closes: `shutdown_write` sends close_notify and reading
goes on; a close_notify received is the end. `_state.py` has the table of its life.

Rules that hold in every state:

- The memory buffers are empty between two calls, except for a record that has arrived
  in part: so they stay small, and closing finds nothing to stumble over.
- Plain data wait in a queue of their own until the transport below has taken what was
  encrypted before: nothing is encrypted ahead.

Source: RFC 8446 section 6.1 (closure alerts); design 5.
"""

import errno
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from headrace.net._errors import SocketError, TLSError, TLSHandshakeTimeoutError
from headrace.net._send_queue import Chunk, SendQueue
from headrace.net._state import SECURING, Securing, SecuringMove, advance
from headrace.net._transport import NOT_CONNECTED, Holder, OnData, Transport

if TYPE_CHECKING:
    from headrace.events.loop import Loop, Owner, Timer
    from headrace.net._address import Address

#: The most that one record can carry (RFC 8446, 5.1), and the step in which buffers are
#: filled: OpenSSL's memory buffers keep the largest size that they ever had.
RECORD_BYTES: Final = 16384
#: Records encrypted before the transport below is asked to take them.
_BATCH_RECORDS: Final = 8
#: Answers to key updates that may wait for a peer that does not read: some 2,000.
_ANSWERS_BYTES: Final = 64 * 1024
#: One read of the transport below, decrypted, and what was left of a record before it.
_PLAIN_BYTES: Final = 288 * 1024
_PLAIN_KEY: Final = "headrace.net TLS buffer"

_DISCONNECTED: Final = (
    "the peer disconnected before the secure connection was established"
)
_HANDSHAKING: Final = Securing.HANDSHAKING
_OPEN: Final = Securing.OPEN
_CLOSED: Final = Securing.CLOSED


class SecureHolder(Holder, Protocol):
    """Who holds a TLS transport."""

    def _tls_established(self) -> None: ...


class TLSTransport(Transport):
    """Encrypts what a transport below it moves.

    Args:
        loop: The running loop.
        holder: Who is called back.
        on_data: Who takes arriving bytes.
        context: The settings.
        server_side: Which side of the handshake this is.
        server_hostname: Of the server, to ask for it and to check its certificate.
        session: Of an earlier connection, to be resumed.

    Raises:
        ValueError: If the host name or the session cannot be used.

    Attributes:
        tls: OpenSSL's side of the connection, for questions.
        was_established: Whether the handshake was completed.
        ended_cleanly: False if the connection below has ended without close_notify: the
            data may have been cut off by an attacker.
    """

    __slots__ = (
        "_below",
        "_below_full",
        "_end_wanted",
        "_flush_owed",
        "_held",
        "_incoming",
        "_limit",
        "_on_established",
        "_outgoing",
        "_owed",
        "_plain",
        "_queue",
        "_read_ended",
        "_state",
        "_timer",
        "_wanted",
        "ended_cleanly",
        "tls",
        "was_established",
    )

    def __init__(
        self,
        loop: "Loop",
        holder: SecureHolder,
        on_data: OnData,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_hostname: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        super().__init__(loop, holder, on_data)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side, server_hostname, session
        )
        self._plain = _plain_buffer(loop)
        self._on_established = holder._tls_established
        self._state = _HANDSHAKING
        self.was_established = False
        self._below: Transport = NOT_CONNECTED
        # Reading
        self._wanted = False
        self._limit = 0
        self._held = b""  # arrived together with the handshake's end, not yet wanted
        self._read_ended = False
        self.ended_cleanly = True
        # Writing
        self._queue: SendQueue | None = None  # plain data that wait
        self._below_full = False  # the transport below has to flush first
        self._flush_owed = False  # to the holder
        self._end_wanted = False
        self._owed = 0  # bytes of OpenSSL's own that wait behind what is not sent
        self._timer: Timer | None = None

    @property
    def _owner(self) -> "Owner | None":
        return self.holder._owner

    @property
    def established(self) -> bool:
        """Whether the handshake is done, or the connection over."""
        return self._state is not _HANDSHAKING

    # The handshake

    def put_over(self, below: Transport) -> None:
        """Use `below` for the encrypted bytes; hold it from now on."""
        self._below = below
        below.holder = self
        below.on_data = self.receive

    def begin(self, timeout: float) -> None:
        """Start the handshake; it fails after `timeout` seconds, 0 is no limit."""
        if timeout:
            self._timer = self.loop.call_later(timeout, self._timed_out)
            self._timer.unref()
        self._below.resume_reading()
        self.loop.next_tick_for(self._owner, self._shake_hands)

    def _timed_out(self) -> None:
        self._timer = None
        self._lose(TLSHandshakeTimeoutError())

    def _shake_hands(self) -> None:
        if self._state is not _HANDSHAKING:
            return
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send_encrypted()
        except ssl.SSLError as error:
            self._fail(error)
        else:
            self._establish()

    def _establish(self) -> None:
        self._move(SecuringMove.ESTABLISH)
        self.was_established = True
        self._stop_timer()
        self._send_encrypted()
        if not self._wanted:
            self._below.pause_reading()
        self._on_established()
        self._go_on()

    def _fail(self, error: ssl.SSLError) -> None:
        """Tell the peer by the alert that OpenSSL has prepared, then give up."""
        self._send_encrypted()
        self._lose(TLSError.from_exception(error))

    def _move(self, move: SecuringMove) -> None:
        self._state = advance(SECURING, self._state, move)

    # Reading

    def resume_reading(self, limit: int = 0) -> None:
        self._wanted, self._limit = True, limit
        if self._held or (self._read_ended and self._state is not _CLOSED):
            self.loop.next_tick_for(self._owner, self._deliver_held)
        elif self.established:
            self._below.resume_reading(limit)

    def read_first(self) -> bool:
        return self._below.read_first()

    def watch_first(self) -> None:
        self._below.watch_first()

    def pause_reading(self) -> None:
        self._wanted = False
        if self.established:
            self._below.pause_reading()

    def receive(self, data: memoryview) -> None:
        """Take encrypted bytes: `on_data` of the transport below."""
        if data.obj is self._plain.obj:
            data = memoryview(bytes(data))  # TLS in TLS: both decrypt into one buffer
        size = 0
        for start in range(0, len(data), RECORD_BYTES):
            self._incoming.write(data[start : start + RECORD_BYTES])
            if self._state is _HANDSHAKING:
                self._shake_hands()
            if self._state is not _HANDSHAKING and not self._read_ended:
                size = self._decrypt(size)
            if self._state is _CLOSED:
                return
        if self._outgoing.pending:  # the answer to a key update, say
            if self._below_full and self._owes_too_much(self._outgoing.pending):
                return
            self._send_encrypted()
            self._go_on()
        if size or self._read_ended:
            self._deliver(self._plain[:size])

    def _owes_too_much(self, size: int) -> bool:
        """Count answers of OpenSSL that wait behind a peer that takes nothing.

        Such a peer could ask for them for ever. Not to read on would be no way out: a
        peer may rightly send all it has before it reads.
        """
        self._owed += size
        if self._owed <= _ANSWERS_BYTES:
            return False
        self._lose(TLSError("the peer takes no answers", "ERR_TLS_ANSWERS_UNREAD"))
        return True

    def _decrypt(self, size: int) -> int:
        """Add what has become readable to the plain bytes; return their number."""
        plain, read = self._plain, self.tls.read
        try:
            while True:
                count: Any = read(RECORD_BYTES, plain[size:])
                if not count:
                    self._read_ended = True
                    break
                size += count
                if not self._incoming.pending and not self.tls.pending():
                    break  # without asking once more, which would cost an exception
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._read_ended = True
        except ssl.SSLError as error:
            if size:
                self._deliver(plain[:size])
            if self._state is not _CLOSED:
                self._fail(error)
        return size

    def _deliver(self, data: memoryview) -> None:
        if not self._wanted:
            self._held += data
            return
        if data:
            self.bytes_read += len(data)
            if self.idle is not None:
                self.idle.touch()
            self.on_data(data)
        if self._read_ended and self._wanted and self._state is not _CLOSED:
            self._end_reading()

    def _deliver_held(self) -> None:
        if self._wanted and self._state is not _CLOSED:
            held, self._held = self._held, b""
            self._deliver(memoryview(held))
            if self._wanted and not self._read_ended:
                self._below.resume_reading(self._limit)

    def _end_reading(self) -> None:
        self._wanted = False
        self._below.pause_reading()
        self.holder._transport_ended()

    def _transport_ended(self) -> None:
        if self._state is _HANDSHAKING:
            self._lose(_disconnected())
        elif not self._read_ended:
            # Many peers close without a word. Whoever must know asks `ended_cleanly`.
            self.ended_cleanly = False
            self._read_ended = True
            self._deliver(memoryview(b""))

    # Writing

    def write(self, chunks: Sequence[Chunk]) -> bool:
        if self._end_wanted or self._state not in (_OPEN, _HANDSHAKING):
            return False
        total = sum(map(len, chunks))
        self.bytes_written += total
        if self._queue is not None or self._below_full or self._state is _HANDSHAKING:
            self._enqueue(chunks)
        elif total <= RECORD_BYTES:
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            if self._encrypt(data) == total:
                return self._send([self._outgoing.read()])
            self._enqueue([data])
        else:
            self._enqueue(chunks)
            if self._pump():
                return True
        self._flush_owed = True
        return False

    def _enqueue(self, chunks: Sequence[Chunk]) -> None:
        if self._queue is None:
            self._queue = SendQueue()
        self._queue.extend(chunks)

    def _encrypt(self, data: Chunk) -> int:
        """Encrypt one record; return how much of `data` it holds."""
        try:
            return self.tls.write(data) if data else 0
        except ssl.SSLWantReadError:  # a renegotiation: the peer has to speak first
            return 0
        except ssl.SSLError as error:
            failure = TLSError.from_exception(error)
            self.loop.next_tick_for(self._owner, self._lose, failure)
            return 0

    def _send(self, encrypted: list[Chunk]) -> bool:
        if self.idle is not None:
            self.idle.touch()
        if self._below.write(encrypted):
            return True
        self._below_full = self._flush_owed = True
        return False

    def _pump(self) -> bool:
        """Encrypt and send what waits, as far as the transport below takes it."""
        queue = self._queue
        while queue is not None and queue.size:
            batch: list[Chunk] = []
            while len(batch) < _BATCH_RECORDS and queue.size:
                count = self._encrypt(queue.first(RECORD_BYTES))
                if not count:
                    break
                queue.consume(count)
                batch.append(self._outgoing.read())
            if not batch or not self._send(batch):
                return False
        self._queue = None
        return True

    def _send_encrypted(self) -> None:
        """Send what OpenSSL itself has to say."""
        if self._outgoing.pending and not self._below.write([self._outgoing.read()]):
            self._below_full = True

    def _transport_flushed(self) -> None:
        self._below_full = False
        self._owed = 0
        self._go_on()

    def _go_on(self) -> None:
        """Send what waits, then the end if it is wanted, then tell the holder."""
        if self._state in (_HANDSHAKING, _CLOSED) or self._below_full:
            return
        if not self._pump() or (self._end_wanted and not self._send_end()):
            return
        if self._flush_owed:
            self._flush_owed = False
            self.holder._transport_flushed()

    def shutdown_write(self) -> bool:
        self._end_wanted = True
        busy = self._queue is not None or self._below_full
        if self._state is _HANDSHAKING or busy or not self._send_end():
            self._flush_owed = True
            return False
        return True

    def _send_end(self) -> bool:
        """Send close_notify once, and half-close below; return whether it is done."""
        if self._state is _OPEN:
            self._move(SecuringMove.END)
            # It also asks for the peer's, which usually has not come: that is fine.
            with suppress(ssl.SSLError):
                self.tls.unwrap()
            self._send_encrypted()
            if not self._below.shutdown_write():
                self._below_full = True
        return not self._below_full

    # The end

    def _transport_lost(self, error: Exception | None) -> None:
        if self._state is _HANDSHAKING and error is None:
            error = _disconnected()
        self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        if self._state is not _CLOSED:
            holder = self.holder
            if self._state is _HANDSHAKING:
                self.local_address()  # for who logs the failure: it is kept when asked
            self.abort()
            holder._transport_lost(error)

    def abort(self) -> None:
        self._close()
        self._below.abort()

    def reset(self) -> None:
        self._close()
        self._below.reset()

    def _close(self) -> None:
        if self._state is not _CLOSED:
            self._move(SecuringMove.CLOSE)
            self._queue = None
            self._stop_timer()
            self._on_established = _ignore
            self.let_go()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Facts

    @property
    def pending(self) -> int:
        waiting = 0 if self._queue is None else self._queue.size
        return waiting + self._below.pending

    @property
    def family(self) -> int:
        return self._below.family

    def remote_address(self) -> "Address | None":
        return self._below.remote_address()

    def local_address(self) -> "Address | None":
        return self._below.local_address()

    def set_no_delay(self, enable: bool) -> None:
        self._below.set_no_delay(enable)

    def set_keep_alive(self, enable: bool, initial_delay: float) -> None:
        self._below.set_keep_alive(enable, initial_delay)

    def raw_socket(self) -> Any:
        return self._below.raw_socket()


def _disconnected() -> SocketError:
    return SocketError.of(errno.ECONNRESET, "read", message=_DISCONNECTED)


def _ignore() -> None:
    """Stand in for the callback of a closed connection."""


def _plain_buffer(loop: "Loop") -> memoryview:
    """Return the buffer that all TLS connections of the loop decrypt into."""
    view: memoryview | None = loop.locals.get(_PLAIN_KEY)
    if view is None:
        view = loop.locals[_PLAIN_KEY] = memoryview(bytearray(_PLAIN_BYTES))
    return view

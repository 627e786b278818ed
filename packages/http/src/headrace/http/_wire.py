"""Bytes on their way to one socket: what is written in one turn leaves in one send.

Both ends of HTTP write through a `Wire`: the server's connection and the client's. An
outgoing message only ever calls `put` and `after_flush`; the wire collects what one
turn of the loop writes, hands it to the socket in a single call, and says when the
operating system has taken it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from headrace.http._batch import FlushBatch
from headrace.streams import StreamDestroyedError

if TYPE_CHECKING:
    from headrace.events.loop import Loop, Owner
    from headrace.http._carrier import Carrier

FlushCallback = Callable[[Exception | None], object]

#: Bytes of a message that wait, from which ``write`` returns False (H-161).
HIGH_WATER_MARK: Final = 65536
#: What that grows to while the system takes all that is written at once. A send wakes
#: the peer, which costs more than to copy 64 KiB; beyond this size nothing is gained
#: (benchmarks/client/README.md).
LARGEST_MARK: Final = 512 * 1024
#: What may leave before other connections and tasks get a turn: a peer that is fast
#: enough would otherwise have the loop to itself for the whole of a long body.
_BURST_BYTES: Final = 4 * 1024 * 1024
# In place of a burst's size.
_FULL: Final = -1  #: the system did not take all of a batch at once
_RESTS: Final = -2  #: it is others' turn

# Who will hand the queue to the socket.
NOBODY: Final = 0  #: nothing is queued
TICK: Final = 1  #: a tick that was scheduled
PARSER: Final = 2  #: the parsing that runs now, when its handlers have returned


class Wire:
    """The writing half of an HTTP connection.

    A batch is what one turn wrote. At most one batch is with the socket at a time;
    what is written meanwhile waits for the next one.
    """

    __slots__ = (
        "_batch",
        "_batch_size",
        "_blocked",
        "_burst",
        "_callbacks",
        "_flush_due",
        "_in_flight",
        "_parsing",
        "_queue",
        "loop",
        "lost",
        "owner",
        "socket",
        "unflushed",
    )

    def __init__(self, socket: Carrier, loop: Loop) -> None:
        self.socket = socket
        self.loop = loop
        #: Who answers for what runs when a batch is out.
        self.owner: Owner | None = self
        #: The connection is gone: nothing can be written any more.
        self.lost = False
        #: Bytes that were put and are not with the operating system yet.
        self.unflushed = 0
        self._queue: list[bytes] = []
        self._callbacks: list[FlushCallback] = []
        self._flush_due = NOBODY
        # Messages are being delivered: whoever does that flushes at its end.
        self._parsing = False
        # The batch that the socket has not fully taken yet.
        self._blocked = False
        self._in_flight: list[FlushCallback] = []
        self._batch_size = 0
        # Whose flush was put off together with others of the loop.
        self._batch = FlushBatch.of(loop)
        # About how much of a long body the system has taken in a row, or why not.
        self._burst = 0

    def put(self, data: bytes) -> int:
        """Queue bytes; they leave before this turn of the loop is over.

        Returns:
            How many are unflushed now.
        """
        self._queue.append(data)
        waiting = self.unflushed = self.unflushed + len(data)
        if not self._flush_due:
            self._schedule_flush()
        return waiting

    def after_flush(self, callback: FlushCallback) -> None:
        """Call `callback(None)` when all bytes put so far are with the system.

        If that never happens, it is called with the error instead.
        """
        self._callbacks.append(callback)
        if not self._flush_due:
            self._schedule_flush()

    def finish(self, data: bytes, callback: FlushCallback) -> None:
        """Queue a message's last bytes, with the call that follows when all is out."""
        if data:
            self._queue.append(data)
            self.unflushed += len(data)
        self._callbacks.append(callback)
        if self._flush_due:
            return
        if self._parsing and not self.loop.ticks:  # `_schedule_flush`, without a call
            self._flush_due = PARSER
        else:
            self._schedule_flush()

    def _schedule_flush(self) -> None:
        """Have the queue flushed in its place among the ticks (H-008).

        With no tick before it, that is right behind the handlers that run now.
        """
        if self._parsing and not self.loop.ticks:
            self._flush_due = PARSER
        else:
            self._flush_due = TICK
            self.loop.next_tick_for(self.owner, self._flush_in_turn)

    @property
    def unsent(self) -> int:
        """Bytes that were put and are not with the socket yet."""
        return sum(map(len, self._queue))

    def flush_now(self) -> None:
        """Hand what is queued to the socket without waiting for the turn's end."""
        if self._queue and not self._blocked:
            due = self._flush_due
            self._flush()
            if due == TICK:  # it is still to come: what is written next needs no other
                self._flush_due = TICK

    def _flush(self) -> None:
        self._flush_due = NOBODY
        if self._blocked or self.lost:
            return
        callbacks = self._callbacks
        self._callbacks = []
        queue = self._queue
        if queue:
            self._queue = []
            if not self.socket.send(queue):
                self._wait_for_socket(callbacks)
                return
            self.unflushed = 0
        if len(callbacks) != 1:
            self._settle(callbacks)
            return
        callback = callbacks[0]
        try:  # what `_settle` does for one message, without a call
            callback(None)
        except Exception as error:
            self.loop.report(error, callback, self.owner)
        self.drained()

    def _flush_in_turn(self) -> None:
        """Flush because its turn has come; subclasses may wait for others."""
        self._flush()

    def _flush_together(self) -> None:
        """Flush now, or together with others that are about to."""
        if self.loop.due or self._batch.wires:
            self._batch.add(self)
        else:
            self._flush()

    def _wait_for_socket(self, callbacks: list[FlushCallback]) -> None:
        """Keep the batch's callbacks until the socket has taken all of it."""
        if self.lost:
            self._fail(callbacks, StreamDestroyedError("write"))
            return
        self._blocked = True
        if self._burst != _RESTS:
            self._burst = _FULL
        self._in_flight = callbacks
        self._batch_size = self.unflushed

    def _settle(self, callbacks: list[FlushCallback]) -> None:
        for callback in callbacks:
            try:
                callback(None)
            except Exception as error:
                self.loop.report(error, callback, self.owner)
        self.drained()

    def flushed(self) -> None:
        """Take note that the socket has handed over the whole batch."""
        self._blocked = False
        self.unflushed -= self._batch_size
        callbacks, self._in_flight = self._in_flight, []
        self._batch_size = 0
        self._settle(callbacks)
        if self._queue or self._callbacks:
            self._flush()

    def next_mark(self, mark: int) -> int | None:
        """Return how much a message may write before the next send, having sent `mark`.

        Twice as much if the system took all of it at once: what waits is gone at the
        end of the turn. If not, the peer is the slower one, and what waits is kept.

        Returns:
            The mark; None: others first, `drained` follows in the next turn.
        """
        burst = self._burst
        if burst == _RESTS:
            return None
        if burst == _FULL:
            self._burst = 0
            return HIGH_WATER_MARK
        self._burst = burst + mark
        if self._burst > _BURST_BYTES:
            self._burst = _RESTS
            self.loop.call_soon(self._rested)
            return None
        return min(2 * mark, LARGEST_MARK)

    def _rested(self) -> None:
        self._burst = 0
        if not self.lost:
            self.drained()

    def drained(self) -> None:
        """React to a completed flush; connections override this."""

    def take_exception(self, error: Exception, source: object) -> bool:
        """Answer for code that ran on behalf of this connection (H-010)."""
        raise NotImplementedError

    def lose(self, error: Exception | None = None) -> None:
        """Give up what is queued: every callback gets an error, in order, as a tick."""
        self.lost = True
        self.unflushed = 0
        if self._queue:
            self._queue = []
        if self._in_flight or self._callbacks:
            callbacks = self._in_flight + self._callbacks
            self._in_flight, self._callbacks = [], []
            self._fail(callbacks, error or StreamDestroyedError("write"))
        self.owner = None  # no cycle: a lost connection goes without the collector

    def _fail(self, callbacks: list[FlushCallback], error: Exception) -> None:
        for callback in callbacks:
            self.loop.next_tick_for(self.owner, callback, error)

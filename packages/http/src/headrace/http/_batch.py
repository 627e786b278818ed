"""Messages of several connections that are ready at once leave together.

A send wakes the peer. That costs as much as a small request, each time the peer has
gone back to sleep; when the answers or requests of one turn follow each other it is
awake for all but the first. A connection that is alone does not wait: it is only when
callbacks of others are due in this turn of the loop that a flush is put off, until they
have run, or until `MOST` connections wait, or the first of them for `LONGEST` seconds.
Both are looked at when a connection is added: a callback that blocks the loop in this
turn holds these messages up as it holds up all that is behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headrace.events.loop import Loop
    from headrace.http._wire import Wire

#: Connections that wait for one another at the most.
MOST: Final = 16
#: Seconds of the first one's waiting after which no further connection is waited for:
#: behind one slow handler the messages leave, and not behind all of them.
LONGEST: Final = 0.000_5

_KEY: Final = "headrace.http messages that leave together"


class FlushBatch:
    """The connections of one loop whose flush was put off in this turn."""

    __slots__ = ("_loop", "_since", "wires")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._since = 0.0
        #: Those that wait.
        self.wires: list[Wire] = []

    @classmethod
    def of(cls, loop: Loop) -> FlushBatch:
        """Return the one of a loop."""
        batch: FlushBatch | None = loop.locals.get(_KEY)
        if batch is None:
            batch = loop.locals[_KEY] = cls(loop)
        return batch

    def add(self, wire: Wire) -> None:
        """Flush `wire` behind what else is due in this turn of the loop."""
        wires, loop = self.wires, self._loop
        if not wires:
            self._since = loop.time()
            # Nobody's: what runs then answers for itself.
            owner, loop.owner = loop.owner, None
            loop.call_soon(self._flush_all)
            loop.owner = owner
        wires.append(wire)
        if len(wires) >= MOST or loop.time() - self._since > LONGEST:
            self._flush_all()

    def _flush_all(self) -> None:
        wires, self.wires = self.wires, []
        for wire in wires:
            self._loop.deliver(wire.owner, wire._flush)

"""What an HTTP connection needs of the stream that carries it.

A `headrace.net.Socket` offers it by itself, past its own buffers. `DuplexCarrier` gives
the same over any other Duplex: an in-memory pair, a tunnel, a user's stream (X-026).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from headrace.net import Receiver
    from headrace.streams import Duplex


class Carrier(Protocol):
    """The raw side of a connection; see `headrace.net.Socket` for each method."""

    def consume(self, receiver: Receiver) -> None:
        """Give all bytes to `receiver` from now on."""

    def release(self, *, unread: bytes = b"") -> None:
        """Go back to stream mode with `unread` in front."""

    def send(self, chunks: list[bytes]) -> bool:
        """Write; False if `receiver.flushed` follows later."""

    def expect(self, size: int) -> None:
        """Be told that so many bytes of one message follow."""

    def pause_receiving(self) -> None:
        """Stop reading."""

    def resume_receiving(self) -> None:
        """Go on reading."""

    def end(self) -> Any:
        """Half-close when everything is written."""

    def destroy(self, error: Exception | None = None) -> Any:
        """Close at once."""

    def destroy_soon(self) -> Any:
        """Close when everything is written."""


class DuplexCarrier:
    """Any Duplex behind the interface of a carrier.

    It is read by `read()`, and told by ``readable`` when to: so data that are not
    wanted stay in the Duplex, and when it is released it flows for whoever listens.
    """

    __slots__ = ("_duplex", "_receiver", "_rests")

    def __init__(self, duplex: Duplex) -> None:
        self._duplex = duplex
        self._receiver: Receiver | None = None
        self._rests = False

    def consume(self, receiver: Receiver) -> None:
        """Give all bytes to `receiver` from now on."""
        self._receiver = receiver
        self._rests = False
        duplex = self._duplex
        if duplex.destroyed:
            duplex.loop().next_tick_for(duplex._owner, self._lost, duplex.errored)
            return
        duplex.on("readable", self._readable)
        duplex.on("end", self._end)
        duplex.on("error", self._lost)
        duplex.on("close", self._lost)

    def release(self, *, unread: bytes = b"") -> None:
        """Go back to stream mode with `unread` in front."""
        self._receiver = None
        duplex = self._duplex
        if unread:
            duplex.unshift(unread)
        duplex.off("readable", self._readable)
        duplex.off("end", self._end)
        duplex.off("error", self._lost)
        duplex.off("close", self._lost)

    def send(self, chunks: list[bytes]) -> bool:
        """Write; False if `receiver.flushed` follows later."""
        duplex = self._duplex
        if not duplex.destroyed and not duplex.writable_ended:
            for chunk in chunks[:-1]:
                duplex.write(chunk)
            duplex.write(chunks[-1], None, self._written)
        return False

    def expect(self, size: int) -> None:
        """Do nothing: the Duplex makes its chunks by itself."""

    def _written(self, error: BaseException | None) -> None:
        if error is None and self._receiver is not None:
            self._receiver.flushed()

    def pause_receiving(self) -> None:
        """Stop reading."""
        self._rests = True

    def resume_receiving(self) -> None:
        """Go on reading."""
        if self._rests:
            self._rests = False
            duplex = self._duplex
            duplex.loop().next_tick_for(duplex._owner, self._readable)

    def end(self) -> None:
        """Half-close when everything is written."""
        self._duplex.end()

    def destroy(self, error: Exception | None = None) -> None:
        """Close at once."""
        self._duplex.destroy(error)

    def destroy_soon(self) -> None:
        """Close when everything is written."""
        duplex = self._duplex
        duplex.end()
        if duplex.writable_finished:
            duplex.destroy()
        else:
            duplex.once("finish", duplex.destroy)

    def _readable(self) -> None:
        while self._receiver is not None and not self._rests:
            chunk = self._duplex.read()
            if chunk is None:
                return
            self._receiver.data_received(memoryview(chunk))

    def _end(self) -> None:
        if self._receiver is not None:
            self._receiver.eof_received()

    def _lost(self, error: BaseException | None = None) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            reason = error if isinstance(error, Exception) else None
            receiver.connection_lost(reason)

"""Two Duplex streams joined in memory: what one is given, the other gives.

Source: X-115.
"""

from collections.abc import Callable, Mapping
from typing import Any, Unpack

from headrace.streams._duplex import Duplex
from headrace.streams._errors import PrematureCloseError, StreamDestroyedError
from headrace.streams._options import DUPLEX_OPTIONS, DuplexOptions, merge_options

__all__ = ["duplex_pair"]


def duplex_pair(
    options: Mapping[str, Any] | None = None,
    /,
    **keywords: Unpack[DuplexOptions],
) -> tuple[Duplex, Duplex]:
    """Return two joined streams; each takes the options of a Duplex.

    As over a wire: chunks arrive with a later tick, back-pressure reaches the other
    side, and the end of one is the end of the other's reading. Destroying one before it
    has finished destroys the other with `PrematureCloseError`: a part of the data must
    not look like the whole.

    Source: X-115.
    """
    merged = merge_options(DUPLEX_OPTIONS, options, keywords)
    one, other = _End(merged), _End(merged)
    one._peer, other._peer = other, one
    return one, other


class _End(Duplex):
    """One end of a pair."""

    #: The other end; None when both are destroyed.
    _peer: "_End | None" = None
    #: The callback of a write of ours that the peer has no room for.
    _held: Callable[..., None] | None = None

    def _write(self, chunk: Any, encoding: str, callback: Callable[..., None]) -> None:
        if self._peer is not None:
            self.loop().next_tick_for(
                self._peer._owner, self._deliver, chunk, encoding, callback
            )

    def _deliver(
        self, chunk: Any, encoding: str, callback: Callable[..., None]
    ) -> None:
        peer = self._peer
        if peer is None or peer.destroyed:
            callback(StreamDestroyedError("write"))
        elif peer.push(chunk, None if encoding == "buffer" else encoding):
            callback(None)
        else:
            self._held = callback

    def _read(self, size: int) -> None:
        peer = self._peer
        if peer is not None and peer._held is not None:
            callback, peer._held = peer._held, None
            callback(None)

    def _final(self, callback: Callable[..., None]) -> None:
        if self._peer is not None:
            self._peer.push(None)
        callback(None)

    def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        peer = self._peer
        if peer is not None and peer.destroyed:
            self._peer = peer._peer = None  # so that neither keeps the other alive
        elif peer is not None and not self.writable_finished:
            peer.destroy(PrematureCloseError())
        elif peer is not None and peer._held is not None:
            held, peer._held = peer._held, None
            held(StreamDestroyedError("write"))
        callback(error)

"""One source joined to one destination.

Source: H-160.
"""

from typing import TYPE_CHECKING, Any, Final

from headrace.events import error_monitor
from headrace.streams._reading import flow, move_flow
from headrace.streams._state import FLOW, Flow, FlowMove

if TYPE_CHECKING:
    from headrace.streams._readable import Readable
    from headrace.streams._readable_state import ReadableState
    from headrace.streams._writable import Writable

__all__ = ["Pipe"]

_FLOWING: Final = Flow.FLOWING
_WAITING: Final = Flow.WAITING
_DRAINED: Final = FlowMove.DRAINED
_FULL: Final = FlowMove.FULL


class Pipe:
    """Writes what the source gives; while the destination is full, the source pauses.

    Attributes:
        source: Where from.
        destination: Where to.
        write: The method of the destination.
        waiting: Whether the destination has yet to emit ``drain``.
    """

    __slots__ = (
        "_end",
        "_listens_for_drain",
        "destination",
        "source",
        "waiting",
        "write",
    )

    def __init__(self, source: "Readable", destination: "Writable", *, end: bool):
        self.source = source
        self.destination = destination
        self.waiting = False
        self._listens_for_drain = False
        self._end = end and not destination._is_stdio
        self.write = destination.write

    def start(self) -> None:
        """Join the two; the first data come with the next tick."""
        source, destination = self.source, self.destination
        state = source._readable_state or source._make_readable_state()
        state.pipes.append(self)
        if source.readable_ended:
            source.loop().next_tick_for(source._owner, self._on_end)
        else:
            source.once("end", self._on_end)
        source.on("close", self._part)
        # The monitor does not count as a listener: an error that nobody else handles
        # stays unhandled.
        destination.on(error_monitor, self._on_error)
        destination.once("close", self._on_destination_gone)
        destination.once("finish", self._on_destination_gone)
        source.on("data", self.carry)
        if source.listener_count("data") == 1:
            state.only_pipe = self
        source.resume()
        if destination.writable_need_drain:
            self.hold_back()
        destination.emit("pipe", source)

    def detach(self) -> None:
        """Separate the two and leave no listener behind."""
        source, destination = self.source, self.destination
        state = source._readable_state
        if state is None or self not in state.pipes:
            return
        state.pipes.remove(self)
        if state.only_pipe is self:
            state.only_pipe = None
        source.off("data", self.carry)
        source.off("end", self._on_end)
        source.off("close", self._part)
        destination.off(error_monitor, self._on_error)
        destination.off("close", self._on_destination_gone)
        destination.off("finish", self._on_destination_gone)
        if self._listens_for_drain:
            destination.off("drain", self._on_drain)
        if self.waiting:
            self.waiting = False
            if self._may_go_on(state):
                move_flow(source, state, _DRAINED)

    def carry(self, chunk: Any) -> None:
        """Write one chunk."""
        try:
            room = self.write(chunk)
        except Exception as error:
            self.refused(error)
        else:
            if room is False:
                self.hold_back()

    def refused(self, error: Exception) -> None:
        """Let the destination fail: what it was given is no chunk for it."""
        self.destination.destroy(error)

    def hold_back(self) -> None:
        """Hold the source back until the destination has drained."""
        self.waiting = True
        if not self._listens_for_drain:
            # Once for the life of the pipe: every full destination costs less then.
            self._listens_for_drain = True
            self.destination.on("drain", self._on_drain)
        source = self.source
        state = source._readable_state
        if state is not None and state.flow is _FLOWING:
            state.flow = FLOW[_FLOWING, _FULL]
            if "pause" in source._listeners:
                source.emit("pause")

    def _on_drain(self) -> None:
        if not self.waiting:
            return
        self.waiting = False
        source = self.source
        state = source._readable_state
        if state is not None and self._may_go_on(state):
            state.flow = FLOW[_WAITING, _DRAINED]
            try:
                if "resume" in source._listeners:
                    source.emit("resume")
            finally:
                # At once: ``drain`` comes from a tick or the loop, not inside a write.
                flow(source, state)

    @staticmethod
    def _may_go_on(state: "ReadableState") -> bool:
        """Return whether the source was waiting and no destination is full."""
        return state.flow is _WAITING and (
            len(state.pipes) == 1 or not any(pipe.waiting for pipe in state.pipes)
        )

    def _on_end(self) -> None:
        self._part()
        if self._end:
            self.destination.end()

    def _part(self) -> None:
        state = self.source._readable_state
        if state is not None and self in state.pipes:
            self.detach()
            self.destination.emit("unpipe", self.source)

    def _on_destination_gone(self) -> None:
        self.source.unpipe(self.destination)

    def _on_error(self, error: BaseException) -> None:
        self.source.unpipe(self.destination)

"""A transport on top of a Socket: for TLS over a connection that exists already."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headrace.net._transport import Chunk, Holder, OnData, Transport

if TYPE_CHECKING:
    from headrace.events.loop import Loop
    from headrace.net._address import Address
    from headrace.net._socket import Socket


class SocketBelow(Transport):
    """Moves bytes through another socket, as its receiver.

    Args:
        loop: The running loop.
        holder: Who is called back.
        on_data: Who takes arriving bytes.
        sock: The socket; owned from now on.
    """

    __slots__ = ("_socket",)

    def __init__(
        self, loop: "Loop", holder: Holder, on_data: OnData, sock: "Socket"
    ) -> None:
        super().__init__(loop, holder, on_data)
        self._socket = sock
        sock.consume(self)
        sock.pause_receiving()

    # What the socket says

    def data_received(self, data: memoryview) -> None:
        """Pass bytes on, on behalf of the upper socket's owner."""
        self.bytes_read += len(data)
        self.loop.deliver(self.holder._owner, self.on_data, data)

    def eof_received(self) -> None:
        """Pass the end on."""
        self.loop.deliver(self.holder._owner, self.holder._transport_ended)

    def flushed(self) -> None:
        """Pass on that all is sent."""
        self.loop.deliver(self.holder._owner, self.holder._transport_flushed)

    def connection_lost(self, error: Exception | None) -> None:
        """Pass the loss on."""
        holder = self.holder
        self.let_go()
        self.loop.next_tick_for(holder._owner, holder._transport_lost, error)

    # What the upper layer says

    def write(self, chunks: Sequence[Chunk]) -> bool:
        self.bytes_written += sum(map(len, chunks))
        return self._socket.send(chunks)

    def resume_reading(self, limit: int = 0) -> None:
        self._socket.resume_receiving()

    def pause_reading(self) -> None:
        self._socket.pause_receiving()

    def shutdown_write(self) -> bool:
        self._socket.end()  # behind everything that was sent
        return True

    def abort(self) -> None:
        self.let_go()
        self._socket.destroy()

    def reset(self) -> None:
        self.let_go()
        self._socket._transport.reset()
        self._socket.destroy()

    # Facts

    @property
    def pending(self) -> int:
        return self._socket._transport.pending

    @property
    def family(self) -> int:
        return self._socket._transport.family

    def remote_address(self) -> "Address | None":
        return self._socket._transport.remote_address()

    def local_address(self) -> "Address | None":
        return self._socket._transport.local_address()

    def set_no_delay(self, enable: bool) -> None:
        self._socket.set_no_delay(enable)

    def set_keep_alive(self, enable: bool, initial_delay: float) -> None:
        self._socket.set_keep_alive(enable, initial_delay)

    def raw_socket(self) -> Any:
        return self._socket._handle

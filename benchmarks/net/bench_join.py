"""One send of several chunks: copied together or handed over, by size; microseconds.

Each number is the median over the rounds of the CPU of one call that sends a head of
200 bytes and a body, with a reader that keeps the socket empty.

Usage: bench_join.py [rounds]
"""

import socket
import sys
import time
from collections.abc import Callable
from statistics import median

SIZES = (100, 1_000, 4_000, 8_000, 16_000, 32_000, 64_000)
CALLS = 500
HEAD = b"h" * 200


def joined(sock: socket.socket, body: bytes) -> None:
    sock.send(b"".join((HEAD, body)))


def handed_over(sock: socket.socket, body: bytes) -> None:
    sock.sendmsg((HEAD, body))


def cost(send: Callable[[socket.socket, bytes], None], size: int) -> float:
    ours, theirs = socket.socketpair()
    buffer = bytearray(1_000_000)
    body = bytes(size)
    spent = 0
    for _ in range(CALLS):
        before = time.process_time_ns()
        send(ours, body)
        spent += time.process_time_ns() - before
        theirs.recv_into(buffer)
    ours.close()
    theirs.close()
    return spent / 1000 / CALLS


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    for size in SIZES:
        results: dict[str, list[float]] = {"joined": [], "sendmsg": []}
        for _ in range(rounds):
            results["joined"].append(cost(joined, size))
            results["sendmsg"].append(cost(handed_over, size))
        for name, costs in results.items():
            print(f"200 + {size:6} bytes, {name:8} {median(costs):6.2f} us CPU")


if __name__ == "__main__":
    main()

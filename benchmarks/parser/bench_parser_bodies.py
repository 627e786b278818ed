"""What a body costs: `receive` and `next_event` for reads of 64 KiB, CPU us per MB.

A body of known length and chunked ones, by the size of their chunks. The least of the
rounds counts.

Usage: bench_parser_bodies.py [rounds]
"""

import sys
import time

from headrace.http_parser import EngineName, RequestParser, Signal

READ = 65_536
MEGABYTES = 4
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n"


def microseconds(engine: EngineName, field: bytes, body: bytes, rounds: int) -> float:
    """Return the cost of a MB of content."""
    reads = [memoryview(body)[at : at + READ] for at in range(0, len(body), READ)]
    least = float("inf")
    for _ in range(rounds):
        parser = RequestParser(engine)
        parser.receive(HEAD % field)
        parser.next_event()
        start = time.process_time()
        for read in reads:
            parser.receive(read)
            while not isinstance(parser.next_event(), Signal):
                pass
        least = min(least, time.process_time() - start)
    return least / MEGABYTES * 1e6


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    total = MEGABYTES * 1_000_000
    for engine in ("llhttp", "h11"):
        name: EngineName = "h11" if engine == "h11" else "llhttp"
        field = b"Content-Length: %d" % total
        costs = {"known length": microseconds(name, field, bytes(total), rounds)}
        for size in (100, 1_000, 16_384, 65_536, 1_000_000):
            chunk = b"%x\r\n%b\r\n" % (size, bytes(size))
            body = chunk * (total // size) + b"0\r\n\r\n"
            field = b"Transfer-Encoding: chunked"
            costs[f"chunks of {size}"] = microseconds(name, field, body, rounds)
        line = ", ".join(f"{what} {cost:.0f}" for what, cost in costs.items())
        print(f"a body on {engine}: {line} us/MB")


if __name__ == "__main__":
    main()

"""What a request without a body costs: `receive`, head and end, CPU microseconds.

Each size twice: the fields repeat from request to request, as those of most clients do,
and they differ each time. Each with both engines, and with none, which shows what the
second opinion costs. The least of the rounds counts.

Usage: bench_parser_heads.py [rounds]
"""

import sys
import time
from itertools import cycle, islice

from headrace.http_parser import RequestParser

CALLS = 2_000

SMALL = b"GET / HTTP/1.1\r\nHost: a%d\r\n\r\n"
BROWSER = b"\r\n".join(
    [
        b"GET /some/path?query=1 HTTP/1.1",
        b"Host: www.example.com",
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox",
        b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        b"Accept-Language: en-US,en;q=0.5",
        b"Accept-Encoding: gzip, deflate, br, zstd",
        b"Connection: keep-alive",
        b"Cookie: session=%d",
        b"Upgrade-Insecure-Requests: 1",
        b"Sec-Fetch-Dest: document",
        b"Sec-Fetch-Mode: navigate",
        b"Sec-Fetch-Site: none",
        b"Priority: u=0, i",
        b"\r\n",
    ]
)


class NoEngine:
    """Has no opinion."""

    name = "none"

    def read_head(self, head: bytes, has_body: bool | None) -> None:
        """Accept it."""

    def decode(self, pieces: list[bytes]) -> bytes:
        """Is not asked: there are no bodies here."""
        raise NotImplementedError

    def is_complete(self) -> bool:
        """Is not asked either."""
        raise NotImplementedError

    def renew(self) -> None:
        """Is not asked either."""


def round_of(engine: str, heads: list[memoryview]) -> float:
    """Return the CPU time of a request, over many on one connection."""
    parser = RequestParser("h11" if engine == "h11" else "llhttp")
    if engine == "none":
        parser._engine = NoEngine()
    receive, next_event = parser.receive, parser.next_event
    start = time.process_time()
    for sent in islice(cycle(heads), CALLS):
        receive(sent)
        next_event()
        next_event()
    return (time.process_time() - start) / CALLS * 1e6


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    for name, head in (("1 field", SMALL), ("12 fields", BROWSER)):
        for variants, what in ((1, "repeated"), (2, "new")):
            heads = [memoryview(head % number) for number in range(variants)]
            costs = {
                engine: min(round_of(engine, heads) for _ in range(rounds))
                for engine in ("llhttp", "h11", "none")
            }
            line = ", ".join(f"{engine} {cost:.1f}" for engine, cost in costs.items())
            print(f"a head of {name}, {what}: {line} us")


if __name__ == "__main__":
    main()

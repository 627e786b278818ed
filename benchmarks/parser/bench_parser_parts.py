"""Where the time of a request head goes: its steps by themselves, microseconds.

The steps are those of `RequestParser._read_head`, for the heads of
bench_parser_heads.py. The least of the rounds counts; the cost of an empty call is
taken off.

Usage: bench_parser_parts.py [rounds]
"""

import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path

from headrace.http_parser import RequestParser, _request
from headrace.http_parser._llhttp import LlhttpEngine
from headrace.http_parser._messages import FieldViews, RequestFacts, RequestHead

HEADS = runpy.run_path(str(Path(__file__).with_name("bench_parser_heads.py")))
CALLS = 2_000


def least(step: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(CALLS):
            step()
        best = min(best, time.process_time() - start)
    return best / CALLS * 1e6


def steps(head: bytes) -> dict[str, Callable[[], object]]:
    """Return the steps for a head, by name."""
    parser = RequestParser("llhttp")
    parser.receive(head)
    line = _request._REQUEST_LINE.match(head)
    assert line is not None
    fields = head[line.end() :]
    engine = LlhttpEngine("requests")
    engine.read_head(head, False)

    facts: RequestFacts = ("1.1", True, None, False, False, None, None, FieldViews())

    return {
        "find the end": parser._find_head,
        "check the request line": lambda: _request._REQUEST_LINE.match(head),
        "compare the fields": lambda: fields == head[line.end() :],
        "check new fields": lambda: _request._FIELDS.fullmatch(fields),
        "read new fields": lambda: _request._read_fields(fields, "1.1", insecure=False),
        "make the record": lambda: RequestHead(head, 1000, "GET", "/", facts),
        "ask llhttp": lambda: engine.read_head(head, False),
    }


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    idle = least(lambda: None, rounds)
    for name, head in (
        ("1 field", HEADS["SMALL"] % 1),
        ("12 fields", HEADS["BROWSER"] % 1),
    ):
        costs = {
            what: max(least(step, rounds) - idle, 0.0)
            for what, step in steps(head).items()
        }
        line = ", ".join(f"{what} {cost:.2f}" for what, cost in costs.items())
        print(f"the steps of a head of {name}: {line} us")


if __name__ == "__main__":
    main()

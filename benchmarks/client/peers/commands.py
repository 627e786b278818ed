"""How a client program is told what to do, and tells what it cost."""

import json
import resource
import sys
from collections.abc import Callable
from time import process_time
from typing import NamedTuple


class Command(NamedTuple):
    """One measurement.

    Attributes:
        case: ``hello`` (pooled connections), ``connect`` (one for each request),
            ``down`` or ``up`` (one body of `amount` bytes).
        concurrency: How many requests at a time.
        amount: How many requests, or bytes.
        port: Of the server.
    """

    case: str
    concurrency: int
    amount: int
    port: int

    @property
    def url(self) -> str:
        path = f"down/{self.amount}" if self.case == "down" else "hello"
        return f"http://127.0.0.1:{self.port}/{path}"


#: What is sent at a time of a body.
PIECE = bytes(64 * 1024)


def obey(run: Callable[[Command], None]) -> None:
    """Read commands, run them, and print the CPU seconds and the peak memory."""
    for line in sys.stdin:
        case, concurrency, count, port = line.split()
        command = Command(case, int(concurrency), int(count), int(port))
        before = process_time()
        run(command)
        cost = {
            "cpu": process_time() - before,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        print(json.dumps(cost), flush=True)

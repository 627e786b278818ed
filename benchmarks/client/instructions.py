"""User instructions and system calls of a client, which noise does not move.

The client runs under callgrind (or strace) twice, for a few and for many requests or
bytes; the difference of the totals is what they cost.

    python benchmarks/client/instructions.py "headrace awaited" aiohttp
    python benchmarks/client/instructions.py --case "hello 16" "headrace listeners"
    python benchmarks/client/instructions.py --case up --syscalls aiohttp node
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from compare import CASES, CLIENTS, MB, PEERS, PYTHON, Case

#: Requests, or MB.
FEW = {"hello": 320, "connect": 160, "down": 32, "up": 32}
MANY = {"hello": 2240, "connect": 1120, "down": 160, "up": 160}
_ROW = re.compile(r"^ *[0-9.]+ +[0-9.]+ +[0-9]+ +([0-9]+) +(?:[0-9]+ +)?(\w+)$")


def run(prefix: list[str], name: str, case: Case, amount: int, port: int) -> None:
    """Let a client do so much under a tool."""
    size = amount if case.unit == 1 else amount * MB
    subprocess.run(
        [*prefix, *CLIENTS[name]],
        input=f"{case.name} {case.concurrency} {size} {port}\n",
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )


def instructions(name: str, case: Case, amount: int, port: int) -> dict[str, int]:
    """Return the user instructions of a client that does so much."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        options = ["--tool=callgrind", f"--callgrind-out-file={out}"]
        run(["valgrind", *options], name, case, amount, port)
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
        assert found is not None
        return {"instructions": int(found[1])}


def system_calls(name: str, case: Case, amount: int, port: int) -> dict[str, int]:
    """Return how often each system call was made for so much."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "strace.out"
        run(["strace", "-f", "-c", "-o", str(out)], name, case, amount, port)
        rows = map(_ROW.match, out.read_text().splitlines())
        return {row[2]: int(row[1]) for row in rows if row and row[2] != "total"}


def difference(
    measure: Callable[[str, Case, int, int], dict[str, int]],
    name: str,
    case: Case,
    port: int,
) -> dict[str, float]:
    """Return what one request, or one MB, costs."""
    few, many = FEW[case.name], MANY[case.name]
    base = measure(name, case, few, port)
    cost = measure(name, case, many, port)
    each = {
        what: (count - base.get(what, 0)) / (many - few) for what, count in cost.items()
    }
    return {what: count for what, count in each.items() if count >= 0.01}


def main() -> None:
    """Print one line per client."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clients", nargs="+", choices=list(CLIENTS))
    parser.add_argument("--case", choices=list(CASES), default="hello 1")
    parser.add_argument("--syscalls", action="store_true")
    arguments = parser.parse_args()
    case = CASES[arguments.case]
    measure = system_calls if arguments.syscalls else instructions
    server = subprocess.Popen(
        [PYTHON, str(PEERS / "server.py")], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    port = int(server.stdout.readline())
    try:
        for name in arguments.clients:
            each = difference(measure, name, case, port)
            text = ", ".join(
                f"{count:,.0f} {what}" if count > 100 else f"{count:.2f} {what}"
                for what, count in sorted(each.items(), key=lambda row: -row[1])
            )
            print(f"{name}, {arguments.case}: {text} a {case.unit_name}", flush=True)
    finally:
        server.terminate()
        server.wait()
    sys.exit(0)


if __name__ == "__main__":
    main()

"""CPU per request, or per MB, of a client process, side by side with its rivals.

All ask the same fast server. Every round asks every client the same, in turn; ratios
are taken inside the round, and the table shows medians. Absolute times mean little on a
shared machine. A bare socket that moves 64 or 512 KiB at a time shows what the system
alone takes for a body.

    python benchmarks/client/compare.py --rounds 9 --case "hello 16" --case "down"

What noise does not move is counted under callgrind or strace, for a few and for many
requests or MB; the difference is what they cost. V8 compiles in the background, so
Node has no such number of instructions.

    python benchmarks/client/compare.py --count instructions --case "hello 1"
    python benchmarks/client/compare.py --count system-calls --case up --client aiohttp
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

PEERS = Path(__file__).parent / "peers"
PYTHON = sys.executable
MB = 1024 * 1024

CLIENTS = {
    "node": ["node", str(PEERS / "node_client.js")],
    "headrace awaited": [PYTHON, str(PEERS / "headrace_client.py"), "await", "asyncio"],
    "headrace listeners": [
        PYTHON,
        str(PEERS / "headrace_client.py"),
        "listen",
        "asyncio",
    ],
    "headrace uvloop": [PYTHON, str(PEERS / "headrace_client.py"), "await", "uvloop"],
    "aiohttp": [PYTHON, str(PEERS / "aiohttp_client.py")],
    "httpx2": [PYTHON, str(PEERS / "httpx_client.py")],
    "urllib3": [PYTHON, str(PEERS / "urllib3_client.py")],
    "bare socket 64": [PYTHON, str(PEERS / "bare_client.py"), "64"],
    "bare socket 512": [PYTHON, str(PEERS / "bare_client.py"), "512"],
}


class Case(NamedTuple):
    """What is measured, and what the cost is divided by."""

    name: str
    concurrency: int
    amount: int
    unit: float
    unit_name: str


CASES = {
    "hello 1": Case("hello", 1, 1000, 1, "request"),
    "hello 16": Case("hello", 16, 1600, 1, "request"),
    "hello 64": Case("hello", 64, 1920, 1, "request"),
    "connect 16": Case("connect", 16, 640, 1, "request"),
    "down": Case("down", 1, 1024 * MB, MB, "MB"),
    "up": Case("up", 1, 1024 * MB, MB, "MB"),
}
#: Where the server runs, and where the clients do.
CORES: dict[str, tuple[list[str], list[str]]] = {
    "any": ([], []),
    "one": (["taskset", "-c", "0"], ["taskset", "-c", "0"]),
    "two": (["taskset", "-c", "0"], ["taskset", "-c", "1"]),
}
CORES_HELP = "both ends share a core, or have one each; by default the system decides"
#: Requests, or MB, that are counted: the difference of both.
FEW = {"hello": 320, "connect": 160, "down": 32, "up": 32}
MANY = {"hello": 2240, "connect": 1120, "down": 160, "up": 160}
_STRACE_ROW = re.compile(r"^ *[0-9.]+ +[0-9.]+ +[0-9]+ +([0-9]+) +(?:[0-9]+ +)?(\w+)$")
#: What must be installed for it, if it is no dependency of ours.
NEEDS = {"httpx2": "httpx2", "urllib3": "urllib3"}
#: Only one request at a time.
_SERIAL = {"urllib3"}


class Client:
    """A client in a process of its own."""

    def __init__(self, name: str, prefix: list[str]) -> None:
        self.name = name
        command = [*prefix, *CLIENTS[name]]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, case: Case, port: int) -> dict[str, float]:
        """Return what one measurement cost."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = f"{case.name} {case.concurrency} {case.amount} {port}\n"
        self.process.stdin.write(line)
        self.process.stdin.flush()
        cost: dict[str, float] = json.loads(self.process.stdout.readline())
        return cost

    def stop(self) -> None:
        """Let the process end."""
        self.process.communicate("", timeout=20)


def compare(
    case: Case, names: list[str], port: int, rounds: int, prefix: list[str]
) -> str:
    """Return a row of the table: cost, ratio to the first client, peak memory."""
    clients = [Client(name, prefix) for name in names if takes(name, case)]
    costs: dict[str, list[float]] = {client.name: [] for client in clients}
    peaks: dict[str, float] = {}
    for number in range(rounds + 1):
        for client in clients:
            cost = client.run(case, port)
            peaks[client.name] = cost["peak"]
            if number:  # the first round warms up
                costs[client.name].append(cost["cpu"] / case.amount * case.unit * 1e6)
    for client in clients:
        client.stop()
    base = costs[names[0]]
    cells = []
    for name in names:
        if name not in costs:
            cells.append("")
            continue
        ratio = statistics.median(a / b for a, b in zip(costs[name], base, strict=True))
        cell = f"{statistics.median(costs[name]):.0f} ({ratio:.2f})"
        if case.unit != 1:
            cell += f" {peaks[name] / MB:.0f} MB"
        cells.append(cell)
    return " | ".join(cells)


def installed(names: list[str]) -> list[str]:
    """Leave out the clients that are not installed, and say so."""
    missing = [name for name in names if name in NEEDS and not find_spec(NEEDS[name])]
    for name in missing:
        print(f"{name} is left out: pip install {NEEDS[name]}", file=sys.stderr)
    return [name for name in names if name not in missing]


def takes(name: str, case: Case) -> bool:
    if name.startswith("bare"):
        return case.unit_name == "MB"
    return name not in _SERIAL or case.concurrency == 1


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
        rows = map(_STRACE_ROW.match, out.read_text().splitlines())
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


def count(what: str, cases: list[str], names: list[str], port: int) -> None:
    """Print a line for each case and client."""
    measure = instructions if what == "instructions" else system_calls
    for case in map(CASES.__getitem__, cases):
        for name in names:
            if not takes(name, case) or (name == "node" and what == "instructions"):
                continue
            each = difference(measure, name, case, port)
            text = ", ".join(
                f"{number:,.0f} {kind}" if number > 100 else f"{number:.2f} {kind}"
                for kind, number in sorted(each.items(), key=lambda row: -row[1])
            )
            print(f"{name}, {case.name} {case.concurrency}: {text}", flush=True)


def main() -> None:
    """Run the cases and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--client", action="append", choices=list(CLIENTS))
    parser.add_argument("--cores", choices=list(CORES), default="any", help=CORES_HELP)
    parser.add_argument("--count", choices=["instructions", "system-calls"])
    arguments = parser.parse_args()
    wanted = installed(arguments.client or list(CLIENTS))
    names = ["node", *(name for name in wanted if name != "node")]
    if shutil.which("node") is None:
        sys.exit("node is not installed: there is nothing to compare with")
    of_server, of_clients = CORES[arguments.cores]
    server = subprocess.Popen(
        [*of_server, PYTHON, str(PEERS / "server.py")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    port = int(server.stdout.readline())
    cases = arguments.case or list(CASES)
    try:
        if arguments.count:
            count(arguments.count, cases, names, port)
            return
        print("| case | " + " | ".join(names) + " |")
        print("|---|" + "---|" * len(names))
        for name in cases:
            case = CASES[name]
            row = compare(case, names, port, arguments.rounds, of_clients)
            print(f"| {name}, us per {case.unit_name} | {row} |", flush=True)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()

"""CPU per request, or per MB, of a client process, side by side with its rivals.

All ask the same fast server. Every round asks every client the same, in turn; ratios
are taken inside the round, and the table shows medians. Absolute times mean little on a
shared machine.

    python benchmarks/client/compare.py --rounds 9 --case "hello 16" --case "down"
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
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
#: Only one request at a time.
_SERIAL = {"urllib3"}


class Client:
    """A client in a process of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            CLIENTS[name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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


def compare(case: Case, names: list[str], port: int, rounds: int) -> str:
    """Return a row of the table: cost, ratio to the first client, peak memory."""
    clients = [Client(name) for name in names if takes(name, case)]
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


def takes(name: str, case: Case) -> bool:
    return name not in _SERIAL or case.concurrency == 1


def main() -> None:
    """Run the cases and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--client", action="append", choices=list(CLIENTS))
    arguments = parser.parse_args()
    names = ["node", *(n for n in arguments.client or CLIENTS if n != "node")]
    if shutil.which("node") is None:
        sys.exit("node is not installed: there is nothing to compare with")
    server = subprocess.Popen(
        [PYTHON, str(PEERS / "server.py")], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    port = int(server.stdout.readline())
    print("| case | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    try:
        for name in arguments.case or CASES:
            case = CASES[name]
            row = compare(case, names, port, arguments.rounds)
            print(f"| {name}, us per {case.unit_name} | {row} |", flush=True)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()

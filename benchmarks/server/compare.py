"""CPU per request of a server process, side by side with its rivals.

Every round asks every server the same, in turn; the ratio to Node is taken inside the
round, and the table shows medians. Absolute times mean little on a shared machine.

    python benchmarks/server/compare.py --rounds 9 --case hello --case json
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from platform import python_version

from load import CASES, Case

PEERS = Path(__file__).parent / "peers"
PYTHON = sys.executable

SERVERS = {
    "node": ["node", str(PEERS / "node_server.js")],
    "headrace": [PYTHON, str(PEERS / "headrace_server.py"), "asyncio", "llhttp"],
    "headrace uvloop": [PYTHON, str(PEERS / "headrace_server.py"), "uvloop", "llhttp"],
    "headrace trio": [PYTHON, str(PEERS / "headrace_server.py"), "trio", "llhttp"],
    "headrace h11": [PYTHON, str(PEERS / "headrace_server.py"), "asyncio", "h11"],
    "uvicorn uvloop": [PYTHON, str(PEERS / "uvicorn_server.py"), "uvloop"],
    "uvicorn asyncio": [PYTHON, str(PEERS / "uvicorn_server.py"), "asyncio"],
    "aiohttp": [PYTHON, str(PEERS / "aiohttp_server.py")],
}
TICKS = os.sysconf("SC_CLK_TCK")


class Running:
    """A server in a process of its own."""

    def __init__(self, name: str, core: int | None = None) -> None:
        self.name = name
        prefix = [] if core is None else ["taskset", "-c", str(core)]
        self.process = subprocess.Popen(
            [*prefix, *SERVERS[name]], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def cpu(self) -> float:
        """Return the CPU seconds that the process has used, its threads included."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def cost(self, case: Case, seconds: float) -> float:
        """Return microseconds of CPU per unit of one load."""
        before = self.cpu()
        units = case.run(self.port, seconds)
        return (self.cpu() - before) / units * 1e6

    def stop(self) -> None:
        """Stop this process, by its own pid."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()


def compare(
    case: Case, servers: list[Running], rounds: int, seconds: float
) -> dict[str, tuple[float, float]]:
    """Return each server's median cost and median ratio to the first one."""
    costs: dict[str, list[float]] = {server.name: [] for server in servers}
    for number in range(rounds + 1):
        for server in servers:
            cost = server.cost(case, seconds)
            if number:  # the first round warms up
                costs[server.name].append(cost)
    base = costs[servers[0].name]
    return {
        name: (
            statistics.median(values),
            statistics.median(a / b for a, b in zip(values, base, strict=True)),
        )
        for name, values in costs.items()
    }


def versions() -> str:
    """Return the versions of all that is compared, in one line."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True)
    packages = ("uvicorn", "httptools", "uvloop", "aiohttp", "h11", "trio", "anyio")
    listed = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    return f"Node {node.stdout.strip()}, CPython {python_version()}, {listed}"


def main() -> None:
    """Run the cases and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=1)  # wrk takes whole ones
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--server", action="append", choices=list(SERVERS))
    parser.add_argument(
        "--cores",
        choices=["any", "one", "two"],
        default="any",
        help="both ends share a core, or have one each; else the system decides",
    )
    arguments = parser.parse_args()
    names = ["node", *(n for n in arguments.server or SERVERS if n != "node")]
    if shutil.which("node") is None:
        sys.exit("node is not installed: there is nothing to compare with")
    core = None if arguments.cores == "any" else 0
    if core is not None:  # of this process, which makes the load
        os.sched_setaffinity(0, {0 if arguments.cores == "one" else 1})
    servers = [Running(name, core) for name in names]
    print(versions(), end="\n\n")
    print("| case | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    try:
        for name in arguments.case or CASES:
            result = compare(CASES[name], servers, arguments.rounds, arguments.seconds)
            cells = [f"{cost:.1f} ({ratio:.2f})" for cost, ratio in result.values()]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    finally:
        for server in servers:
            server.stop()


if __name__ == "__main__":
    main()

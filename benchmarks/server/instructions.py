"""User instructions and system calls per request, which noise does not move.

The server runs under callgrind (or strace) twice, for a few and for many requests over
one connection; the difference of the totals is what the requests cost.

    python benchmarks/server/instructions.py headrace "headrace uvloop"
    python benchmarks/server/instructions.py --syscalls headrace
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from compare import SERVERS
from load import ask_hello

FEW, MANY = 500, 4500
CALLS = ("recv", "recvfrom", "read", "send", "sendto", "sendmsg", "write", "writev")
WAITS = ("epoll_wait", "epoll_pwait", "epoll_ctl")


def ask(port: int, requests: int) -> None:
    """Send requests over one connection, each after the answer to the last."""
    with socket.create_connection(("127.0.0.1", port)) as peer:
        for _ in range(requests):
            ask_hello(peer)


def run(prefix: list[str], name: str, requests: int) -> None:
    """Run a server under a tool for so many requests."""
    process = subprocess.Popen(
        [*prefix, *SERVERS[name]],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    ask(int(process.stdout.readline()), requests)
    os.kill(server_within(process.pid), signal.SIGTERM)
    process.wait(60)


def server_within(pid: int) -> int:
    """Return the server's pid: valgrind becomes the server, strace is its parent."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else pid


def instructions(name: str, requests: int) -> int:
    """Return all user instructions of a server that answers so many requests."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        options = ["--tool=callgrind", f"--callgrind-out-file={out}"]
        run(["valgrind", *options], name, requests)
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])


def system_calls(name: str, requests: int) -> dict[str, int]:
    """Return how often each system call was made for so many requests."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "strace.out"
        run(["strace", "-f", "-c", "-o", str(out)], name, requests)
        rows = [line.split() for line in out.read_text().splitlines()]
    return {
        row[-1]: int(row[3])
        for row in rows
        if row and row[-1] in CALLS + WAITS and row[3].isdigit()
    }


def main() -> None:
    """Print one line per server."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("servers", nargs="+", choices=list(SERVERS))
    parser.add_argument("--syscalls", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.servers:
        if arguments.syscalls:
            few, many = system_calls(name, FEW), system_calls(name, MANY)
            each = {
                call: round((many[call] - few.get(call, 0)) / (MANY - FEW), 2)
                for call in many
            }
            print(
                name, {call: count for call, count in each.items() if count}, flush=True
            )
        else:
            cost = instructions(name, MANY) - instructions(name, FEW)
            print(
                f"{name}: {cost // (MANY - FEW):,} instructions a request", flush=True
            )
    sys.exit(0)


if __name__ == "__main__":
    main()

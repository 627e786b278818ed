"""User instructions and system calls per request, which noise does not move.

The server runs under callgrind (or strace) twice, for a few and for many requests over
one connection; the difference of the totals is what the requests cost.

    python benchmarks/server/instructions.py headrace "headrace uvloop"
    python benchmarks/server/instructions.py --case post headrace
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
from load import REQUESTS, Asker

FEW, MANY = 300, 1800
#: The case in which each request has a connection of its own.
CONNECTION = "connection"
CALLS = ("recv", "recvfrom", "read", "send", "sendto", "sendmsg", "write", "writev")
WAITS = ("epoll_wait", "epoll_pwait", "epoll_ctl")
SETUP = ("accept4", "close", "ioctl", "shutdown", "setsockopt", "getsockname", "getpid")


def ask_anew(port: int, requests: int) -> None:
    """Send each request over a connection of its own."""
    for _ in range(requests):
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            while peer.recv(4096):
                pass


def run(prefix: list[str], name: str, case: str, requests: int) -> None:
    """Run a server under a tool for so many requests."""
    process = subprocess.Popen(
        [*prefix, *SERVERS[name]],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    port = int(process.stdout.readline())
    if case == CONNECTION:
        ask_anew(port, requests)
    else:
        asker = Asker(port, case)
        asker.ask(requests)
        asker.close()
    os.kill(server_within(process.pid), signal.SIGTERM)
    process.wait(60)


def server_within(pid: int) -> int:
    """Return the server's pid: valgrind becomes the server, strace is its parent."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else pid


def instructions(name: str, case: str, requests: int) -> int:
    """Return all user instructions of a server that answers so many requests."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        options = ["--tool=callgrind", f"--callgrind-out-file={out}"]
        run(["valgrind", *options], name, case, requests)
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])


def system_calls(name: str, case: str, requests: int) -> dict[str, int]:
    """Return how often each system call was made for so many requests."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "strace.out"
        run(["strace", "-f", "-c", "-o", str(out)], name, case, requests)
        rows = [line.split() for line in out.read_text().splitlines()]
    return {
        row[-1]: int(row[3])
        for row in rows
        if row and row[-1] in CALLS + WAITS + SETUP and row[3].isdigit()
    }


def main() -> None:
    """Print one line per server."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("servers", nargs="+", choices=list(SERVERS))
    parser.add_argument("--case", choices=[*REQUESTS, CONNECTION], default="hello")
    parser.add_argument("--syscalls", action="store_true")
    arguments = parser.parse_args()
    case = arguments.case
    for name in arguments.servers:
        if arguments.syscalls:
            few = system_calls(name, case, FEW)
            many = system_calls(name, case, MANY)
            each = {
                call: round((many[call] - few.get(call, 0)) / (MANY - FEW), 2)
                for call in many
            }
            print(
                name, {call: count for call, count in each.items() if count}, flush=True
            )
        else:
            cost = instructions(name, case, MANY) - instructions(name, case, FEW)
            print(
                f"{name}: {cost // (MANY - FEW):,} instructions a request", flush=True
            )
    sys.exit(0)


if __name__ == "__main__":
    main()

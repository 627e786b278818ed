"""Honest clients beside many hostile ones: who is slow on purpose slows nobody else.

`./run soak` runs it; the figures are in docs/figures.md.
"""

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Self

import pytest
from peers import Program, our_server, running

pytestmark = [pytest.mark.soak, pytest.mark.time_limit(300)]

ATTACK = Path(__file__).parent / "slow_heads.py"
ATTACKERS = 500
SECONDS = float(os.environ.get("HEADRACE_ATTACK_SECONDS", "60"))
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Honest:
    """A client that asks again and again on one connection and takes the time."""

    def __init__(self, server: Program) -> None:
        self.peer = socket.create_connection(("127.0.0.1", server.port))
        self.peer.settimeout(30)
        self.times: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.peer.close()

    def ask(self) -> None:
        start = time.perf_counter()
        self.peer.sendall(GET)
        answer = b""
        while not answer.endswith(b"hello from headrace\n"):
            received = self.peer.recv(65536)
            assert received
            answer += received
        self.times.append(time.perf_counter() - start)

    def percentile(self, share: float) -> float:
        """Return so many milliseconds that `share` of all answers took no longer."""
        return 1000 * sorted(self.times)[int(len(self.times) * share)]

    def told(self) -> dict[str, float]:
        return {
            "requests": len(self.times),
            "p50_ms": round(self.percentile(0.5), 3),
            "p99_ms": round(self.percentile(0.99), 3),
            "max_ms": round(1000 * max(self.times), 1),
        }


@pytest.mark.parametrize(
    "which",
    [
        ("asyncio", "llhttp"),
        ("asyncio", "h11"),
        ("uvloop", "llhttp"),
        ("trio", "llhttp"),
    ],
    ids="-".join,
)
def test_slow_heads_do_not_slow_the_others(which: tuple[str, str]) -> None:
    """500 attackers for 60 s: the p99 of the others is at most twice as long.

    Two servers run, one of them attacked. An honest client asks them in turn, so that
    whatever else the machine does disturbs both alike (X-001).
    """
    with running(our_server(*which)) as attacked, running(our_server(*which)) as other:
        command = [sys.executable, str(ATTACK), str(attacked.port), str(ATTACKERS)]
        before = attacked.resident_kib()
        with (
            running([*command, str(SECONDS)]) as attack,
            Honest(attacked) as one,
            Honest(other) as two,
        ):
            assert attack.place == "ready"
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                one.ask()
                two.ask()
                time.sleep(0.001)
            grown = attacked.resident_kib() - before
            used = attacked.cpu_seconds() - other.cpu_seconds()
            sent, _ = attack.process.communicate(timeout=60)
        assert attacked.errors() == ""
    under, free = one.told(), two.told()
    print("\n", json.dumps({"server": which, "attacked": under, "free": free}))
    print(f"{sent.strip()}; attacked server: {grown} KiB and {used:.1f} s of CPU more")
    assert under["p99_ms"] <= 2 * free["p99_ms"]
    assert grown < 16 * 1024

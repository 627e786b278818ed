"""Runs of the fuzzer over a server's connection; see `fuzz/serve_connection.py`.

A normal run plays the seeds and some hundred mutations of them, always the same; a soak
run lets coverage guide it, for as long as ``HEADRACE_FUZZ_SECONDS`` says.
"""

import logging
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

log = logging.getLogger(__name__)

PROGRAM = Path(__file__).parent / "fuzz/serve_connection.py"
SECONDS = int(os.environ.get("HEADRACE_FUZZ_SECONDS", "120"))


@pytest.fixture
def program() -> Any:
    """The fuzzer, as a module."""
    spec = spec_from_file_location("serve_connection", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fuzzer(program: Any) -> Iterator[Any]:
    """What plays one input after the other."""
    found = program.Fuzzer()
    yield found
    found.close()


def test_connections_keep_the_rules(program: Any, fuzzer: Any) -> None:
    """Answers in order, nothing behind the last, each event once, nothing left (H-127).

    Also: what is handled is what a parser finds, and both engines do the same.
    """
    for seed in program.SEEDS:
        fuzzer.run(seed)


def test_connections_keep_the_rules_in_mutations(program: Any, fuzzer: Any) -> None:
    """The same for inputs that nobody has thought of."""
    dice = random.Random(1)
    for _ in range(300):
        fuzzer.run(program.mutated(dice, program.SEEDS))


def test_a_broken_rule_is_found(program: Any, fuzzer: Any) -> None:
    """The fuzzer can fail: an answer that comes twice does not pass."""

    def answer_twice(run: Any, request: Any, response: Any) -> None:
        response.end("whole")
        run.wire.sent.append(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 2)

    program.Run.act_twice = answer_twice
    with pytest.raises(AssertionError):
        fuzzer.run(b"\x00\x02\xf8\x03GET /twice HTTP/1.1\r\nHost: a\r\n\r\n")


@pytest.mark.soak
@pytest.mark.time_limit(SECONDS + 300)
def test_fuzzing_breaks_no_rule(with_atheris: dict[str, str], tmp_path: Path) -> None:
    """Whatever coverage-guided input, schedule and program come together."""
    seeds = tmp_path / "seeds"
    subprocess.run([sys.executable, PROGRAM, "--seeds", seeds], check=True)
    options = [f"-max_total_time={SECONDS}", "-max_len=600", "-verbosity=1"]
    artifacts = f"-artifact_prefix={tmp_path}/"
    done = subprocess.run(
        [sys.executable, PROGRAM, *options, artifacts, seeds],
        env=with_atheris,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [each.read_bytes() for each in tmp_path.glob("crash-*")]
    assert (done.returncode, found) == (0, []), done.stdout + done.stderr[-3000:]
    log.info("fuzzer: %s", done.stderr.strip().splitlines()[-1])

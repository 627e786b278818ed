"""A long run of the fuzzer over both engines; see `fuzz/compare_engines.py`."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

log = logging.getLogger(__name__)

PROGRAM = Path(__file__).parent / "fuzz/compare_engines.py"
SECONDS = int(os.environ.get("HEADRACE_FUZZ_SECONDS", "120"))

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
#: Four bytes of choices, then what the peer sends: something to begin with.
SEEDS = [
    b"\x01\x01\x01\x05" + HEAD + b"Content-Length: 5\r\n\r\nhello",
    b"\x01\x01\x01\x05" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    b'5;a="b"\r\nhello\r\n0\r\nA: b\r\n\r\n',
    b"\x01\x01\x00\x05" + HEAD + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n",
    b"\x01\x08\x00\x05" + HEAD.replace(b"\r", b"") + b"A: b\n c\n\n",
    b"\x00\x01\x01\x05HTTP/1.1 200 OK\r\n\r\nhello",
    b"\x00\x01\x01\x05HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204\r\n\r\n",
    b"\x04\x01\x01\x05HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
]


@pytest.mark.soak
@pytest.mark.time_limit(SECONDS + 300)
def test_fuzzing_finds_no_difference(
    with_atheris: dict[str, str], tmp_path: Path
) -> None:
    """Engines and splits agree, whatever coverage-guided input comes."""
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    for number, seed in enumerate(SEEDS):
        (seeds / str(number)).write_bytes(seed)
    options = [f"-max_total_time={SECONDS}", "-max_len=1000", "-verbosity=1"]
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

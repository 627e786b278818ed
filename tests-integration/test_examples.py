"""The programs in examples/ run as they are, on every runtime and with both engines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

#: What each program prints: the acceptance programs (H-166 to H-169), and HTTPS.
PRINTED = {
    "post_form.py": [
        "STATUS: 200",
        "TYPE: text/plain",
        "BODY: POST /upload Hello World!",
        "No more data in response.",
    ],
    "connect_proxy.py": ["got connected! 200", "HTTP/1.1 200 OK True"],
    "upgrade_echo.py": ["got upgraded! 101", "echo: ping"],
    "https_both_ends.py": [
        "hello DNS:me.example on localhost",
        "hello a stranger on localhost",
        "ERR_TLS_CERT_ALTNAME_INVALID",
    ],
    "agent_remove.py": [
        "Got response: 200 keep-alive",
        "in agent: True",
        "in agent: False",
        "removed: 200 keep-alive",
        "own agent: 200 close",
    ],
}

RUNTIMES = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}

#: Runs a program's main on the runtime that is named.
RUNNER = """
import runpy, sys
from headrace import net
program, backend, options = sys.argv[1], sys.argv[2], eval(sys.argv[3])
main = runpy.run_path(program)["main"]
net.run(main, backend=backend, backend_options=options)
"""


def output_of(command: list[str], **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("engine", ["h11", "llhttp"])
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("program", PRINTED)
def test_acceptance_program(program: str, runtime: str, engine: str) -> None:
    """Each acceptance program prints what the contract says and ends (H-166…H-169)."""
    backend, options = RUNTIMES[runtime]
    command = ["-c", RUNNER, str(EXAMPLES / program), backend, repr(options)]
    assert output_of(command, HEADRACE_HTTP_PARSER=engine) == PRINTED[program]


@pytest.mark.parametrize("program", PRINTED)
def test_acceptance_program_as_it_is(program: str) -> None:
    """The file can be run directly."""
    assert output_of([str(EXAMPLES / program)]) == PRINTED[program]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_demo_tells_each_step_and_ends(backend: str) -> None:
    """The main job runs, streams 4 MiB both ways and ends by itself (issue 2)."""
    told = "\n".join(output_of([str(EXAMPLES / "demo.py"), "--backend", backend]))
    assert "200 OK" in told
    assert "4096 KiB came back" in told
    assert "trailers: {'x-echoed-bytes': '4194304'}" in told
    assert told.endswith("done: no connection, task or socket is left")

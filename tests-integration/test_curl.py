"""curl against our server: a client that nobody here has written."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import Program, our_server, running

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed"
)


@pytest.fixture(
    scope="module",
    params=[("asyncio", "llhttp"), ("asyncio", "h11"), ("trio", "llhttp")],
    ids="-".join,
)
def server(request: pytest.FixtureRequest) -> Iterator[Program]:
    """One server for all tests of a runtime and an engine."""
    with running(our_server(*request.param)) as program:
        yield program
        assert "Warning" not in program.errors()


def curl(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "50", *arguments],
        capture_output=True,
        check=False,
    )
    # Not in text mode: that would hide the CR at the end of each line.
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def test_get(server: Program) -> None:
    """GET gets status, headers and body."""
    done = curl("--include", server.base + "/")
    assert done.stdout.startswith("HTTP/1.1 200 OK\r\n")
    assert done.stdout.endswith("\r\n\r\nhello from headrace\n")


def test_head(server: Program) -> None:
    """HEAD gets the head of GET and no body (H-120)."""
    done = curl("--head", server.base + "/")
    assert done.returncode == 0
    assert done.stdout.startswith("HTTP/1.1 200 OK\r\n")
    assert "hello" not in done.stdout


def test_http_1_0(server: Program) -> None:
    """HTTP/1.0 is answered, and the connection closes (N-090)."""
    done = curl("--http1.0", "--include", server.base + "/")
    assert "Connection: close" in done.stdout
    assert "X-Version: 1.0" in done.stdout
    assert done.stdout.endswith("hello from headrace\n")


def test_trailers(server: Program) -> None:
    """curl prints trailers behind the headers (H-055)."""
    done = curl(
        "--dump-header", "-", "--output", "/dev/null", server.base + "/trailers"
    )
    assert done.stdout.rstrip().endswith("X-Sum: 4")


def test_expect_continue(server: Program) -> None:
    """curl waits for the 100 before it sends the body (H-024)."""
    done = curl(
        "--verbose", "--header", "Expect: 100-continue",
        "--expect100-timeout", "30", "--data", "x" * 5000, server.base + "/count",
    )  # fmt: skip
    assert "HTTP/1.1 100 Continue" in done.stderr
    assert done.stdout == "5000"


def test_chunked_upload_of_100_mb_in_flat_memory(
    server: Program, tmp_path: Path
) -> None:
    """A 100 MB chunked POST is streamed, never collected (issue 2)."""
    body = tmp_path / "body"
    with body.open("wb") as file:
        file.truncate(100_000_000)
    curl(server.base + "/count", "--data", "warm")
    before = server.peak_kib()
    done = curl(
        "--header", "Transfer-Encoding: chunked", "--request", "POST",
        "--upload-file", str(body), server.base + "/count",
    )  # fmt: skip
    assert done.stdout == "100000000"
    assert server.peak_kib() - before < 8 * 1024


def test_echo_streams_both_ways(server: Program, tmp_path: Path) -> None:
    """A body comes back as it was sent."""
    body = tmp_path / "body"
    body.write_bytes(bytes(range(256)) * 8192)
    back = tmp_path / "back"
    curl("--request", "POST", "--upload-file", str(body), "-o", str(back),
         server.base + "/echo")  # fmt: skip
    assert back.read_bytes() == body.read_bytes()


def test_connect_proxy(server: Program) -> None:
    """`curl -p -x` tunnels through our CONNECT (H-025)."""
    done = curl("--proxytunnel", "--proxy", server.base, server.base + "/")
    assert done.stdout == "hello from headrace\n"


def test_a_slow_reader_keeps_memory_flat(server: Program) -> None:
    """1 GB for a client that reads slowly stays with the client (issue 2)."""
    curl(server.base + "/big/1", "--output", "/dev/null")
    before = server.peak_kib()
    done = curl("--limit-rate", "20M", "--max-time", "2", "--output", "/dev/null",
                server.base + "/big/1024")  # fmt: skip
    assert done.returncode == 28, "curl is expected to give up before the end"
    assert server.peak_kib() - before < 8 * 1024


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_unix_socket(backend: str, tmp_path: Path) -> None:
    """A server on a path answers, and removes its file (H-031)."""
    path = tmp_path / "server.sock"
    with running(our_server(backend, "llhttp", str(path))):
        done = curl("--unix-socket", str(path), "http://localhost/")
    assert done.stdout == "hello from headrace\n"
    assert not path.exists()

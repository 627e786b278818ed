"""curl against our server: a client that nobody here has written."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).parent / "streaming_server.py"

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed"
)


class Server:
    """`streaming_server.py` in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(SERVER), *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.place = self.process.stdout.readline().strip()
        self.base = f"http://127.0.0.1:{self.place}"

    def resident_kib(self) -> int:
        """Return the greatest resident size so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])

    def stop(self) -> str:
        """Stop it and return what it printed last."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        return str(out)


@pytest.fixture(
    scope="module",
    params=[("asyncio", "llhttp"), ("asyncio", "h11"), ("trio", "llhttp")],
    ids="-".join,
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One server for all tests of a runtime and an engine."""
    started = Server(*request.param)
    yield started
    started.stop()


def curl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "50", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_get(server: Server) -> None:
    """GET gets status, headers and body."""
    done = curl("--include", server.base + "/")
    assert done.stdout.startswith("HTTP/1.1 200 OK\r\n")
    assert done.stdout.endswith("\r\n\r\nhello from headrace\n")


def test_head(server: Server) -> None:
    """HEAD gets the head of GET and no body (H-120)."""
    done = curl("--head", server.base + "/")
    assert done.returncode == 0
    assert done.stdout.startswith("HTTP/1.1 200 OK\r\n")
    assert "hello" not in done.stdout


def test_http_1_0(server: Server) -> None:
    """HTTP/1.0 is answered, and the connection closes (N-090)."""
    done = curl("--http1.0", "--include", server.base + "/")
    assert "Connection: close" in done.stdout
    assert "X-Version: 1.0" in done.stdout
    assert done.stdout.endswith("hello from headrace\n")


def test_trailers(server: Server) -> None:
    """curl prints trailers behind the headers (H-055)."""
    done = curl("--dump-header", "-", "--output", "/dev/null", server.base + "/trailers")
    assert done.stdout.rstrip().endswith("X-Sum: 4")


def test_expect_continue(server: Server) -> None:
    """curl waits for the 100 before it sends the body (H-024)."""
    done = curl(
        "--verbose", "--header", "Expect: 100-continue",
        "--expect100-timeout", "30", "--data", "x" * 5000, server.base + "/count",
    )  # fmt: skip
    assert "HTTP/1.1 100 Continue" in done.stderr
    assert done.stdout == "5000"


def test_chunked_upload_of_100_mb_in_flat_memory(
    server: Server, tmp_path: Path
) -> None:
    """A 100 MB chunked POST is streamed, never collected (issue 2)."""
    body = tmp_path / "body"
    with body.open("wb") as file:
        file.truncate(100_000_000)
    curl(server.base + "/count", "--data", "warm")
    before = server.resident_kib()
    done = curl(
        "--header", "Transfer-Encoding: chunked", "--request", "POST",
        "--upload-file", str(body), server.base + "/count",
    )  # fmt: skip
    assert done.stdout == "100000000"
    assert server.resident_kib() - before < 8 * 1024


def test_echo_streams_both_ways(server: Server, tmp_path: Path) -> None:
    """A body comes back as it was sent."""
    body = tmp_path / "body"
    body.write_bytes(bytes(range(256)) * 8192)
    back = tmp_path / "back"
    curl("--request", "POST", "--upload-file", str(body), "-o", str(back),
         server.base + "/echo")  # fmt: skip
    assert back.read_bytes() == body.read_bytes()


def test_connect_proxy(server: Server) -> None:
    """`curl -p -x` tunnels through our CONNECT (H-025)."""
    done = curl("--proxytunnel", "--proxy", server.base, server.base + "/")
    assert done.stdout == "hello from headrace\n"


def test_a_slow_reader_keeps_memory_flat(server: Server) -> None:
    """1 GB for a client that reads slowly stays with the client (issue 2)."""
    curl(server.base + "/big/1", "--output", "/dev/null")
    before = server.resident_kib()
    done = curl("--limit-rate", "20M", "--max-time", "2", "--output", "/dev/null",
                server.base + "/big/1024")  # fmt: skip
    assert done.returncode == 28, "curl is expected to give up before the end"
    assert server.resident_kib() - before < 8 * 1024


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_unix_socket(backend: str, tmp_path: Path) -> None:
    """A server on a path answers, and removes its file (H-031)."""
    path = tmp_path / "server.sock"
    server = Server(backend, "llhttp", str(path))
    done = curl("--unix-socket", str(path), "http://localhost/")
    server.stop()
    assert done.stdout == "hello from headrace\n"
    assert not path.exists()

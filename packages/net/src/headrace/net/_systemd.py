"""Sockets that systemd, or whoever speaks its protocol, has opened for this process."""

import os
import socket
from typing import Final

_FIRST_DESCRIPTOR: Final = 3


def systemd_sockets(name: str | None = None) -> list[socket.socket]:
    """Return the sockets handed to this process at its start.

    They are ready for `listen`: ``server.listen(systemd_sockets()[0])``. Each call
    makes new socket objects for the same descriptors, so call it once.

    Args:
        name: Only those with this `FileDescriptorName=`.

    Returns:
        The sockets, in the order of the unit file; none if there are none.

    Source: sd_listen_fds(3).
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []  # meant for a parent of ours
    count = int(os.environ.get("LISTEN_FDS", "0"))
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    names += ["unknown"] * (count - len(names))
    found = []
    for number in range(count):
        descriptor = _FIRST_DESCRIPTOR + number
        os.set_inheritable(descriptor, False)
        if name is None or names[number] == name:
            found.append(socket.socket(fileno=descriptor))
    return found

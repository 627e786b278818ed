"""Which connections are interchangeable: those with equal names.

The first part of a name is Node's: `host:port:local_address[:family][:socket_path]`.
What else decides where a connection leads is appended where it is given, because a
request must never get a socket that leads somewhere else.

Source: H-096, beyond.md pitfall 20.
"""

import os
from collections.abc import Mapping
from typing import Any

__all__ = ["name_of"]


def name_of(options: Mapping[str, Any]) -> str:
    """Return the name of the connections that `options` ask for."""
    get = options.get
    host, port, local = get("host"), get("port"), get("local_address")
    name = f"{host or 'localhost'}:{port or ''}:{local or ''}"
    family = get("family")
    if family == 4 or family == 6:
        name += f":{family}"
    path = get("socket_path")
    if path:
        name += f":{_path_name(path)}"
    local_port = get("local_port")
    if local_port:
        name += f":local_port={local_port}"
    lookup = get("lookup")
    if lookup is not None:
        # The function lives as long as the name: the options of each socket keep it.
        name += f":lookup={id(lookup)}"
    return name


def _path_name(path: str | bytes | os.PathLike[str]) -> str:
    text = os.fsdecode(path)
    # A relative path that begins like a family must not read as one.
    return f"./{text}" if text[:1] in "46" else text

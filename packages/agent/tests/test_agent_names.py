"""Which connections are interchangeable."""

from typing import Any

import pytest

from headrace.agent import Agent


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "localhost::"),
        ({"host": "example.com", "port": 80}, "example.com:80:"),
        ({"port": "80"}, "localhost:80:"),
        ({"local_address": "192.168.1.1"}, "localhost::192.168.1.1"),
        (
            {"host": "0.0.0.0", "port": 80, "local_address": "192.168.1.1"},
            "0.0.0.0:80:192.168.1.1",
        ),
        ({"family": 0}, "localhost::"),
        ({"family": 4}, "localhost:::4"),
        ({"family": 6}, "localhost:::6"),
        ({"socket_path": "/tmp/s"}, "localhost:::/tmp/s"),
        ({"family": 4, "socket_path": "/tmp/s"}, "localhost:::4:/tmp/s"),
        ({"host": None, "port": None, "family": None}, "localhost::"),
    ],
)
def test_name_has_the_documented_parts(options: dict[str, Any], name: str) -> None:
    """`host:port:local_address`, then family and path if given (H-096, N-159)."""
    assert Agent().get_name(options) == name


def test_name_of_nothing() -> None:
    """Options may be left out (H-096)."""
    assert Agent().get_name() == "localhost::"


def resolve_elsewhere(*args: object) -> None: ...


@pytest.mark.parametrize(
    "other",
    [
        {"port": 81},
        {"host": "h"},
        {"local_address": "127.0.0.2"},
        {"local_port": 4000},
        {"family": 4},
        {"socket_path": "4"},
        {"socket_path": b"/tmp/s"},
        {"lookup": resolve_elsewhere},
    ],
)
def test_another_way_is_another_name(other: dict[str, Any]) -> None:
    """Whatever decides where a connection leads is in its name (pitfall 20)."""
    options = {"port": 80, "no_delay": True}
    agent = Agent()
    assert agent.get_name(options) == agent.get_name({"port": 80, "method": "GET"})
    assert agent.get_name({**options, **other}) != agent.get_name(options)


def test_a_path_is_no_family() -> None:
    """A Unix socket called 4 is not IPv4 (pitfall 20)."""
    agent = Agent()
    assert agent.get_name({"socket_path": "4"}) != agent.get_name({"family": 4})
    both = {"family": 4, "socket_path": "x"}
    assert agent.get_name({"socket_path": "4:x"}) != agent.get_name(both)

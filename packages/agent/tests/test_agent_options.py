"""What an Agent can be told."""

import math
from types import MappingProxyType
from typing import Any

import pytest

from headrace.agent import Agent


def test_agent_defaults() -> None:
    """Nothing is kept and nothing limited, but 256 free sockets a name (H-090)."""
    agent = Agent()
    assert agent.keep_alive is False
    assert agent.keep_alive_msecs == 1000
    assert agent.max_sockets == agent.max_total_sockets == math.inf
    assert agent.max_free_sockets == 256
    assert agent.scheduling == "lifo"
    assert agent.timeout is None
    assert agent.agent_keep_alive_timeout_buffer == 1.0


def test_keywords_win_over_the_mapping() -> None:
    """Options come both ways, and the caller's mapping is not changed (H-002)."""
    mapping = MappingProxyType({"keep_alive": True, "max_sockets": 3, "host": "h"})
    agent = Agent(mapping, max_sockets=4, port=None)
    assert (agent.keep_alive, agent.max_sockets) == (True, 4)
    assert agent.options["host"] == "h"
    assert "port" not in agent.options
    assert agent.options["max_sockets"] == 4


def test_options_show_later_changes() -> None:
    """`options` tells the settings as they are, read-only (H-090)."""
    agent = Agent()
    agent.max_sockets = 7
    assert agent.options["max_sockets"] == 7
    assert not hasattr(agent.options, "__setitem__")


@pytest.mark.parametrize("options", [{"colour": "red"}, {"keepAlive": True}, {1: 2}])
def test_unknown_options_raise(options: dict[Any, Any]) -> None:
    """An unknown name raises, as a keyword and in a mapping (H-002)."""
    with pytest.raises(TypeError) as caught:
        Agent(options)
    assert caught.value.code == "ERR_INVALID_ARG_TYPE"  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Agent(**{str(name): value for name, value in options.items()})


COUNTS = ["max_sockets", "max_free_sockets", "max_total_sockets"]
DURATIONS = ["timeout", "keep_alive_msecs", "agent_keep_alive_timeout_buffer"]


def code_of(options: object) -> str:
    with pytest.raises((TypeError, ValueError)) as caught:
        Agent(options)  # type: ignore[arg-type]
    return str(getattr(caught.value, "code", None))


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_checked(name: str) -> None:
    """Counts under 1 and NaN are out of range, other types are refused (H-090)."""
    for value in (0, -1, 0.5, math.nan):
        assert code_of({name: value}) == "ERR_OUT_OF_RANGE"
    for wrong in ("1", True, [1]):
        assert code_of({name: wrong}) == "ERR_INVALID_ARG_TYPE"
    assert getattr(Agent({name: math.inf}), name) == math.inf


@pytest.mark.parametrize("name", DURATIONS)
def test_durations_are_checked(name: str) -> None:
    """Durations are finite numbers from 0 (H-005)."""
    for value in (-1, math.nan, math.inf):
        assert code_of({name: value}) == "ERR_OUT_OF_RANGE"
    for wrong in ("1", True):
        assert code_of({name: wrong}) == "ERR_INVALID_ARG_TYPE"
    assert getattr(Agent({name: 0}), name) == 0


def test_other_options_are_checked() -> None:
    """`scheduling` takes two words (X-058), `keep_alive` a boolean (H-090)."""
    assert code_of({"scheduling": "filo"}) == "ERR_INVALID_ARG_VALUE"
    assert code_of({"scheduling": 1}) == "ERR_INVALID_ARG_TYPE"
    assert code_of({"keep_alive": 1}) == "ERR_INVALID_ARG_TYPE"
    assert code_of(["keep_alive"]) == "ERR_INVALID_ARG_TYPE"


def test_changes_are_checked_as_well() -> None:
    """A setting that is refused stays what it was (H-093)."""
    agent = Agent(max_sockets=2)
    with pytest.raises(ValueError, match="1 or more"):
        agent.max_sockets = 0
    assert agent.max_sockets == 2
    agent.timeout = 1.5
    agent.timeout = None
    assert agent.timeout is None


def test_connect_options_override_the_request() -> None:
    """What the agent says about connecting wins over the request (H-090)."""
    agent = Agent(keep_alive=True, keep_alive_msecs=500, timeout=2.0)
    asked = {"host": "h", "port": 80, "method": "GET", "timeout": 9.0, "family": None}
    assert agent.connect_options(asked) == {
        "host": "h",
        "port": 80,
        "timeout": 2.0,
        "no_delay": True,
        "keep_alive": True,
        "keep_alive_initial_delay": 0.5,
    }


def test_a_unix_path_wins_over_host_and_port() -> None:
    """With `socket_path` host and port only name the peer (H-062)."""
    asked = {"host": "h", "port": 80, "socket_path": "/s", "path": "/index.html"}
    assert Agent().connect_options(asked) == {"path": "/s", "no_delay": True}


def test_subclasses_know_a_default_port() -> None:
    """`default_port` serves requests that name none (X-070)."""

    class Finger(Agent):
        default_port = 79

    assert Finger().connect_options({"host": "h"})["port"] == 79
    assert Finger().connect_options({"port": 80})["port"] == 80
    assert "port" not in Agent().connect_options({"host": "h"})

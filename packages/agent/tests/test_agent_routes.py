"""Options that cannot change are looked at once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from headrace.agent import Agent, FrozenOptions


def test_the_same_options_are_read_once() -> None:
    """Equal ones of another identity, and ones that can change, are read again."""
    agent = Agent(local_address="127.0.0.1")
    place = FrozenOptions({"host": "h", "port": 1})
    first = agent._route(place)
    assert first == ({**place, "local_address": "127.0.0.1"}, "h:1:127.0.0.1")
    assert agent._route(place)[0] is first[0]
    assert agent._route(FrozenOptions(place))[0] is not first[0]
    changing: dict[str, Any] = {"host": "a", "port": 1}
    view = MappingProxyType(changing)
    for options in (changing, view):
        changing["host"] = "a"
        assert agent._route(options)[1] == "a:1:127.0.0.1"
        changing["host"] = "b"
        assert agent._route(options)[1] == "b:1:127.0.0.1"


def test_frozen_options_are_a_copy_that_stays() -> None:
    """Neither the mapping it was made from nor its own methods change it (H-002)."""
    mapping: dict[str, Any] = {"host": "h"}
    frozen: dict[str, Any] = FrozenOptions(mapping)
    mapping["host"] = "other"
    for change in (
        lambda: frozen.update(host="x"),
        lambda: frozen.__setitem__("host", "x"),
        lambda: frozen.pop("host"),
        lambda: frozen.setdefault("port", 1),
        frozen.popitem,
        frozen.clear,
    ):
        with pytest.raises(TypeError):
            change()
    with pytest.raises(TypeError):
        del frozen["host"]
    with pytest.raises(TypeError):
        frozen |= {"port": 1}
    assert frozen == {"host": "h"}


def test_what_is_kept_is_bounded() -> None:
    """Many places, once each, leave little behind."""
    agent = Agent()
    for port in range(1000):
        agent._route(FrozenOptions(port=port))
    assert len(agent._routes) <= 256


def test_an_override_of_get_name_is_always_asked() -> None:
    """It may look at more than its argument (H-096)."""

    class Numbered(Agent):
        asked = 0

        def get_name(self, options: Mapping[str, Any] = FrozenOptions()) -> str:
            self.asked += 1
            return f"{super().get_name(options)}:{self.asked}"

    agent = Numbered()
    place = FrozenOptions(host="h")
    assert [agent._route(place)[1] for _ in range(2)] == ["h:::1", "h:::2"]

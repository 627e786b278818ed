"""Options that cannot change are looked at once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from headrace.agent import Agent, ConnectionCallback, FrozenOptions
from headrace.agent.testing import Order


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


def test_where_options_lead_is_worked_out_once() -> None:
    """Of options that can change, or that leave it to the class, each time."""
    agent = Agent()
    place = FrozenOptions(host="127.0.0.1", port=1)
    assert agent._destination(place) is agent._destination(place)
    for other in (dict(place), FrozenOptions(host="127.0.0.1")):

        class Known(Agent):
            default_port = 2

        first = Known()._destination(other)
        assert Known()._destination(other) is not first
    for port in range(1000):
        agent._destination(FrozenOptions(port=port))
    assert len(agent._places) <= 256


@pytest.mark.parametrize(
    ("setting", "value", "name", "expected"),
    [
        ("timeout", 3.0, "timeout", 3.0),
        ("keep_alive", True, "keep_alive", True),
        ("keep_alive_msecs", 5000, "keep_alive_initial_delay", 5.0),
    ],
)
def test_a_changed_setting_counts_for_later_connections(
    setting: str, value: Any, name: str, expected: Any
) -> None:
    """Also for a place that was connected to before (H-091, X-059)."""
    agent = Agent(keep_alive=setting == "keep_alive_msecs")
    place = FrozenOptions(host="127.0.0.1", port=1)
    assert agent._destination(place).options.get(name) != expected
    setattr(agent, setting, value)
    assert agent._destination(place).options[name] == expected


def test_an_override_of_connect_options_is_always_asked() -> None:
    """It may look at more than its argument (H-104)."""

    class Numbered(Agent):
        asked = 0

        def connect_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
            self.asked += 1
            return {**super().connect_options(options), "port": self.asked}

    agent = Numbered()
    place = FrozenOptions(host="127.0.0.1", port=80)
    ports = [agent._destination(place).options["port"] for _ in range(2)]
    assert ports == [1, 2]


async def test_hooks_cannot_change_options_that_cannot_change() -> None:
    """What `create_connection` gets of `FrozenOptions` serves later requests, too."""
    seen: list[Mapping[str, Any]] = []

    class Curious(Agent):
        def create_connection(
            self, options: Mapping[str, Any], callback: ConnectionCallback
        ) -> None:
            seen.append(options)
            raise OSError("no")

    agent = Curious(local_address="127.0.0.1")
    place = FrozenOptions(host="127.0.0.1", port=1)
    for _ in range(2):
        order = Order()
        agent.add_request(order, place)
        with pytest.raises(OSError, match="no"):
            await order.socket()
    assert seen[0] is seen[1]
    assert type(seen[0]) is FrozenOptions
    assert seen[0] == {**place, "local_address": "127.0.0.1"}

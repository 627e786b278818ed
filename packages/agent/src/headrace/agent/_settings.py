"""What an Agent can be told and told again, besides how to connect."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar, overload

from headrace.agent._options import check_duration
from headrace.agent._pool import Limits

if TYPE_CHECKING:
    from headrace.agent._agent import Agent

__all__ = ["AgentSettings", "Setting", "check_timeout"]

T = TypeVar("T")


class AgentSettings(Limits):
    """What an agent can be told, besides how to connect."""

    __slots__ = ("agent_keep_alive_timeout_buffer", "keep_alive_msecs", "timeout")

    names: ClassVar[frozenset[str]] = frozenset((*Limits.__slots__, *__slots__))

    def __init__(self) -> None:
        super().__init__()
        self.keep_alive_msecs: float = 1000
        self.timeout: float | None = None
        self.agent_keep_alive_timeout_buffer: float = 1.0


class Setting(Generic[T]):
    """A checked attribute of an Agent; a change counts for later decisions."""

    def __init__(self, check: Callable[[str, object], T], doc: str) -> None:
        self._check = check
        self._name = ""
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, agent: None, owner: type) -> Self: ...
    @overload
    def __get__(self, agent: "Agent", owner: type) -> T: ...
    def __get__(self, agent: "Agent | None", owner: type) -> "Self | T":
        if agent is None:
            return self
        value: T = getattr(agent._settings, self._name)
        return value

    def __set__(self, agent: "Agent", value: T) -> None:
        setattr(agent._settings, self._name, self._check(self._name, value))
        agent._settings_changed()


def check_timeout(name: str, value: object) -> float | None:
    """Return a duration, or None."""
    return None if value is None else check_duration(name, value)

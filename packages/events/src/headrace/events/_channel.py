"""Diagnostics channels: what libraries tell tools, at the price of one check.

A publisher keeps the channel and asks before it builds a message::

    started = channel("http.server.request.start")
    ...
    if started.has_subscribers:
        started.publish({"request": request, "response": response})
"""

import logging
from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import Any, Final, TypeAlias
from weakref import WeakValueDictionary

from headrace.events import loop
from headrace.events._errors import InvalidArgTypeError

Message: TypeAlias = Mapping[str, Any]
Subscriber: TypeAlias = Callable[[Message, Hashable], object]

logger = logging.getLogger("headrace")


class Channel:
    """A named stream of messages; get it with `channel`.

    Attributes:
        name: Its name.
        has_subscribers: Whether anybody would hear a message.

    Source: X-099.
    """

    __slots__ = ("__weakref__", "_subscribers", "has_subscribers", "name")

    def __init__(self, name: Hashable) -> None:
        self.name: Final = name
        self.has_subscribers = False
        self._subscribers: tuple[Subscriber, ...] = ()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have ``subscriber(message, name)`` called for each message.

        Raises:
            InvalidArgTypeError: If `subscriber` is not callable.
        """
        if not callable(subscriber):
            raise InvalidArgTypeError("subscriber", "callable", subscriber)
        with _lock:
            self._replace((*self._subscribers, subscriber))

    def unsubscribe(self, subscriber: Subscriber) -> bool:
        """Take back one `subscribe`; return whether there was one."""
        with _lock:
            subscribers = list(self._subscribers)
            if subscriber not in subscribers:
                return False
            subscribers.remove(subscriber)
            self._replace(tuple(subscribers))
            return True

    def _replace(self, subscribers: tuple[Subscriber, ...]) -> None:
        self._subscribers = subscribers
        self.has_subscribers = bool(subscribers)
        if subscribers:
            _subscribed.add(self)
        else:
            _subscribed.discard(self)

    def publish(self, message: Message) -> None:
        """Call the subscribers, in order and at once.

        A subscriber that raises harms neither the publisher nor the other subscribers:
        the exception is reported (H-010), without a running loop it is logged.
        """
        for subscriber in self._subscribers:
            try:
                subscriber(message, self.name)
            except Exception as error:
                self._report(error)

    def _report(self, error: Exception) -> None:
        try:
            running = loop.current()
        except RuntimeError:
            text = "subscriber of channel %r failed"
            logger.critical(text, self.name, exc_info=error)
        else:
            running.report(error, self)

    def __repr__(self) -> str:
        return f"<Channel {self.name!r}, {len(self._subscribers)} subscribers>"


# A channel lives as long as somebody holds it or is subscribed to it, so names made up
# at run time do not pile up. The lock is there because channels are shared by all loops
# of a process, whatever threads they run in.
_channels: Final[WeakValueDictionary[Hashable, Channel]] = WeakValueDictionary()
_subscribed: Final[set[Channel]] = set()
_lock: Final = Lock()


def channel(name: Hashable) -> Channel:
    """Return the channel of that name, the same one for everybody.

    Raises:
        InvalidArgTypeError: If `name` is not hashable.

    Source: X-099.
    """
    try:
        hash(name)
    except TypeError as error:
        raise InvalidArgTypeError("name", "hashable", name) from error
    with _lock:
        found = _channels.get(name)
        if found is None:
            found = _channels[name] = Channel(name)
        return found

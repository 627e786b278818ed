"""Diagnostics channels (X-099)."""

import gc
import logging
import weakref
from collections.abc import Hashable
from typing import Any

import pytest

from headrace.events import Channel, channel, loop


@pytest.fixture
def fresh() -> Channel:
    return channel(object())


def test_a_name_has_one_channel() -> None:
    """Publisher and subscriber meet by the name (X-099)."""
    assert channel("test.one") is channel("test.one")
    assert channel("test.one").name == "test.one"
    assert repr(channel("test.one")) == "<Channel 'test.one', 0 subscribers>"


def test_subscribers_get_message_and_name(fresh: Channel) -> None:
    """In order and at once (X-099)."""
    calls, message = list[tuple[Any, ...]](), {"socket": object()}
    fresh.subscribe(lambda *args: calls.append(("first", *args)))
    fresh.subscribe(lambda *args: calls.append(("second", *args)))
    fresh.publish(message)
    assert calls == [("first", message, fresh.name), ("second", message, fresh.name)]
    assert calls[0][1] is message


def test_has_subscribers_is_an_attribute(fresh: Channel) -> None:
    """The one check that a publisher pays (X-099)."""

    def subscriber(message: object, name: Hashable) -> None:
        """Hear nothing."""

    assert fresh.has_subscribers is False
    fresh.subscribe(subscriber)
    fresh.subscribe(subscriber)
    assert fresh.unsubscribe(subscriber) is True
    assert fresh.has_subscribers is True
    assert fresh.unsubscribe(subscriber) is True
    assert fresh.has_subscribers is False
    assert fresh.unsubscribe(subscriber) is False


def test_publishing_to_nobody_is_harmless(fresh: Channel) -> None:
    """A publisher that does not ask first does no harm (X-099)."""
    fresh.publish({})


def test_subscribers_may_come_and_go_while_a_message_is_published(
    fresh: Channel,
) -> None:
    """The list is fixed when `publish` begins (X-099)."""
    calls = list[str]()

    def first(message: object, name: Hashable) -> None:
        calls.append("first")
        fresh.unsubscribe(first)
        fresh.unsubscribe(second)
        fresh.subscribe(third)

    def second(message: object, name: Hashable) -> None:
        calls.append("second")

    def third(message: object, name: Hashable) -> None:
        calls.append("third")

    fresh.subscribe(first)
    fresh.subscribe(second)
    fresh.publish({})
    assert calls == ["first", "second"]
    fresh.publish({})
    assert calls == ["first", "second", "third"]


def test_a_failing_subscriber_is_logged(
    fresh: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the publisher nor the others notice; without a loop, a log (X-099)."""
    calls = list[object]()

    def fail(message: object, name: Hashable) -> None:
        raise ZeroDivisionError

    fresh.subscribe(fail)
    fresh.subscribe(lambda *args: calls.append(args))
    fresh.publish({})
    assert len(calls) == 1
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("headrace", logging.CRITICAL)
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_a_failing_subscriber_is_reported(fresh: Channel) -> None:
    """On a loop whoever owns the code that runs answers (X-099, H-010)."""
    taken, error = list[Exception](), OSError("broken")

    class Owner:
        def take_exception(self, error: Exception, source: object) -> bool:
            assert source is fresh
            taken.append(error)
            return True

    def fail(message: object, name: Hashable) -> None:
        raise error

    fresh.subscribe(fail)
    loop.current().deliver(Owner(), fresh.publish, {})
    assert taken == [error]


@pytest.mark.parametrize("wrong", [None, 1, "subscriber"], ids=repr)
def test_a_subscriber_is_callable(fresh: Channel, wrong: Any) -> None:
    """ERR_INVALID_ARG_TYPE, at once (X-099)."""
    with pytest.raises(TypeError) as caught:
        fresh.subscribe(wrong)
    assert getattr(caught.value, "code", None) == "ERR_INVALID_ARG_TYPE"
    assert fresh.has_subscribers is False


def test_a_name_is_hashable() -> None:
    """ERR_INVALID_ARG_TYPE, at once (X-099)."""
    wrong: Any = []
    with pytest.raises(TypeError) as caught:
        channel(wrong)
    assert getattr(caught.value, "code", None) == "ERR_INVALID_ARG_TYPE"


def test_a_subscribed_channel_stays_and_an_unused_one_goes() -> None:
    """Subscribers come before publishers, and made-up names do not pile up (X-099)."""
    calls, used, unused = list[object](), object(), object()
    channel(used).subscribe(lambda *args: calls.append(args))
    gone = weakref.ref(channel(unused))
    gc.collect()
    channel(used).publish({})
    assert len(calls) == 1
    assert gone() is None

"""`drain()`: wait until writing may go on, from a coroutine."""

from typing import Any

from headrace.streams._errors import PrematureCloseError, StreamDestroyedError

__all__ = ["drain"]


async def drain(stream: Any) -> None:
    """Wait as `Writable.drain` promises, through public properties and events only."""
    _check(stream)
    if not stream.writable_need_drain:
        return
    waiter = stream.loop().waiter()

    def go_on(*_: object) -> None:
        if not waiter.is_set:
            waiter.set()

    # ``finish`` and ``close`` too: a stream that is ended meanwhile never drains.
    events = ("drain", "finish", "close")
    for event in events:
        stream.on(event, go_on)
    try:
        await waiter.wait()
    finally:
        for event in events:
            stream.off(event, go_on)
    if stream.destroyed and not stream.writable_finished:
        raise stream.errored or PrematureCloseError()


def _check(stream: Any) -> None:
    if stream.writable_finished:
        return  # everything is written: there is nothing to wait for
    if stream.errored is not None:
        raise stream.errored
    if stream.destroyed:
        raise StreamDestroyedError("drain")

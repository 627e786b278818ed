"""`duplex_pair`, `compose`, `Duplex.from_` and the questions (X-115, X-119)."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from headrace.events import loop
from headrace.streams import (
    Duplex,
    InvalidArgTypeError,
    MissingArgsError,
    PassThrough,
    PrematureCloseError,
    Readable,
    StreamDestroyedError,
    Transform,
    Writable,
    compose,
    duplex_pair,
    finished,
    is_disturbed,
    is_errored,
    is_readable,
    is_writable,
)
from headrace.streams.testing import EventLog, closed

Done = Callable[..., None]


def upper() -> Transform:
    return Transform(transform=lambda *args: args[2](None, args[0].upper()))


async def all_of(stream: Readable) -> bytes:
    return b"".join([chunk async for chunk in stream.iterator()])


# Pairs


async def test_pair_delivers_on_a_later_tick() -> None:
    """As over a wire, nothing arrives inside `write()` (X-115)."""
    near, far = duplex_pair()
    got: list[bytes] = []
    far.resume()
    await loop.checkpoint()
    far.on("data", got.append)
    near.write(b"a")
    assert got == []
    await loop.checkpoint()
    assert got == [b"a"]
    near.destroy()
    far.on("error", lambda error: None)
    await loop.checkpoint()


async def test_pair_with_options() -> None:
    """Both ends take the options (X-115)."""
    near, far = duplex_pair(object_mode=True, allow_half_open=False)
    near.end({"a": 1})
    assert [item async for item in far] == [{"a": 1}]
    await closed(far)
    with pytest.raises(TypeError):
        duplex_pair(nope=1)  # type: ignore[call-arg]


async def test_pair_keeps_encodings_of_text() -> None:
    """With `decode_strings=False` text is encoded on arrival (X-115)."""
    near, far = duplex_pair({"decode_strings": False})
    near.write("6869", "hex")
    near.end("é")
    assert await all_of(far) == b"hi\xc3\xa9"


async def test_destroying_one_end_before_it_has_finished() -> None:
    """The other end fails: half of the data must not look whole (pitfall 3)."""
    near, far = duplex_pair()
    log = EventLog(far, "end", "error", "close")
    far.resume()
    near.write(b"half")
    await loop.checkpoint()
    near.destroy()
    await closed(far)
    assert log.names == ["error", "close"]
    assert isinstance(far.errored, PrematureCloseError)


async def test_destroying_one_end_after_it_has_finished() -> None:
    """What was sent is read to its end; writing back fails (X-115)."""
    near, far = duplex_pair(high_water_mark=1)
    near.end(b"a")
    assert await all_of(far) == b"a"
    told: list[Any] = []
    far.write(b"b")
    far.write(b"c", told.append)
    far.on("error", lambda error: None)
    await loop.checkpoint()
    near.destroy()
    await closed(far)
    assert [type(error) for error in told] == [StreamDestroyedError]


# compose


async def test_compose_is_one_duplex() -> None:
    """What is written to it passes all stages (X-115)."""

    async def doubled(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk * 2

    whole = compose(upper(), doubled, PassThrough())
    whole.write(b"a")
    whole.end(b"b")
    assert sorted(await all_of(whole)) == sorted(b"AABB")
    await finished(whole)


async def test_compose_of_a_source_and_a_sink() -> None:
    """Ends that cannot be written or read are absent (X-115)."""
    readable = compose([b"a"], upper())
    assert not readable.writable
    assert await all_of(readable) == b"A"
    got: list[bytes] = []

    async def collect(chunks: AsyncIterator[bytes]) -> None:
        got.extend([chunk async for chunk in chunks])

    writable = compose(upper(), collect)
    assert not writable.readable
    writable.end(b"a")
    await finished(writable)
    assert got == [b"A"]


async def test_compose_fails_as_one() -> None:
    """The error of a part is the error of the whole, and all is destroyed (X-115)."""
    first, last = upper(), upper()
    whole = compose(first, last)
    error = OSError("no")
    log = EventLog(whole, "error", "close")
    last.destroy(error)
    await closed(whole)
    assert log.entries == [("error", error), ("close",)]
    assert first.destroyed


async def test_destroying_a_composition_destroys_its_parts() -> None:
    """No part stays open (X-115)."""
    first, last = upper(), upper()
    whole = compose(first, last)
    whole.destroy()
    await closed(whole)
    await loop.checkpoint()
    assert first.closed
    assert last.closed


async def test_compose_back_pressure() -> None:
    """A reader that waits holds back the writer (H-161)."""
    whole = compose(PassThrough(high_water_mark=10), PassThrough(high_water_mark=10))
    count = 0
    while whole.write(b"x" * 1000):
        count += 1
        assert count < 1000
        await loop.checkpoint()
    assert whole.writable_need_drain
    whole.end()
    assert len(await all_of(whole)) == (count + 1) * 1000


async def test_compose_of_nothing() -> None:
    """At least one stage; one alone is itself (X-115)."""
    with pytest.raises(MissingArgsError):
        compose()
    stream = upper()
    assert compose(stream) is stream


# Duplex.from_


async def test_duplex_from_streams() -> None:
    """A Duplex is itself; one side alone leaves the other absent (X-115)."""
    stream = upper()
    assert Duplex.from_(stream) is stream
    readable = Duplex.from_(Readable.from_([b"a"]))
    assert (readable.readable, readable.writable) == (True, False)
    assert await all_of(readable) == b"a"
    sink: Any = Writable(write=lambda *args: args[2]())
    writable = Duplex.from_(sink)
    assert (writable.readable, writable.writable) == (False, True)
    writable.end(b"a")
    await finished(writable)
    assert sink.writable_finished


async def test_duplex_from_two_streams() -> None:
    """A mapping names the two sides (X-115)."""
    entry, output = PassThrough(), PassThrough()
    whole = Duplex.from_({"readable": output, "writable": entry})
    output.end(b"out")
    whole.end(b"in")
    assert await all_of(whole) == b"out"
    assert await all_of(entry) == b"in"


async def test_duplex_from_iterables_and_functions() -> None:
    """What `pipeline` takes as a stage can be a Duplex (X-115)."""

    async def shout(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk + b"!"

    assert await all_of(Duplex.from_([b"a", b"b"])) == b"ab"
    stage = Duplex.from_(shout)
    stage.end(b"a")
    assert await all_of(stage) == b"a!"


async def test_exception_of_a_consuming_function() -> None:
    """What it raises is the error of the stream (X-115)."""

    async def fail(chunks: AsyncIterator[bytes]) -> None:
        async for _ in chunks:
            raise ZeroDivisionError

    stage = Duplex.from_(fail)
    stage.write(b"a")
    with pytest.raises(ZeroDivisionError):
        await finished(stage)


@pytest.mark.parametrize("wrong", [5, None, {"nope": 1}, print])
async def test_duplex_from_something_else(wrong: Any) -> None:
    """It raises at once (H-011)."""
    with pytest.raises(InvalidArgTypeError):
        Duplex.from_(wrong)


# Questions


async def test_questions_about_streams() -> None:
    """Readable, writable, errored, disturbed (X-119)."""
    stream, sink = Readable(read=lambda size: None), Writable()
    assert is_readable(stream)
    assert not is_writable(stream)
    assert is_writable(sink)
    assert not is_readable(sink)
    assert not is_disturbed(stream)
    assert not is_disturbed(sink)
    stream.push(b"ab")
    stream.read(1)
    assert stream.readable_did_read
    assert is_disturbed(stream)
    sink.on("error", lambda error: None)
    sink.destroy(OSError("no"))
    assert is_errored(sink)
    assert sink.writable_aborted
    assert not is_errored(stream)
    untouched = Readable(read=lambda size: None)
    untouched.destroy()
    assert untouched.readable_aborted
    assert is_disturbed(untouched)
    await loop.checkpoint()

"""The chunk queue against a plain `bytearray`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.streams._buffer_list import BufferList

CHUNKS = st.lists(st.binary(min_size=1, max_size=20), max_size=10)


def filled(chunks: list[Any]) -> BufferList:
    buffer = BufferList()
    for chunk in chunks:
        buffer.append(chunk, len(chunk))
    return buffer


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.binary(min_size=1, max_size=30)),
        st.tuples(st.just("prepend"), st.binary(min_size=1, max_size=30)),
        st.tuples(st.just("take"), st.integers(1, 40)),
        st.tuples(st.just("shift"), st.none()),
        st.tuples(st.just("clear"), st.none()),
    ),
    max_size=40,
)


@given(STEPS)
def test_any_steps_equal_a_bytearray(steps: list[tuple[str, Any]]) -> None:
    """Whatever is put in and taken out, the bytes and the length are the model's."""
    buffer, model = BufferList(), bytearray()
    for name, value in steps:
        if name == "append":
            buffer.append(value, len(value))
            model += value
        elif name == "prepend":
            buffer.prepend(value, len(value))
            model[:0] = value
        elif name == "clear":
            buffer.clear()
            model.clear()
        elif model:
            size = min(value, len(model)) if name == "take" else buffer.first_length()
            taken = buffer.take(size) if name == "take" else buffer.shift()
            assert taken == bytes(model[:size])
            del model[:size]
        assert buffer.length == len(model)
    if model:
        assert buffer.take(len(model)) == bytes(model)


@given(CHUNKS, st.integers(1, 7))
def test_reading_in_steps_gives_each_byte_once(chunks: list[bytes], step: int) -> None:
    """Small steps over large chunks lose and double nothing."""
    buffer, parts = filled(chunks), list[bytes]()
    while buffer.length:
        parts.append(buffer.take(min(step, buffer.length)))
    assert b"".join(parts) == b"".join(chunks)
    assert all(len(part) == step for part in parts[:-1])


def test_a_whole_chunk_is_not_copied() -> None:
    """What is taken as it was put in is the same object."""
    chunk = b"x" * 1000
    buffer = filled([chunk, chunk])
    assert buffer.take(1000) is chunk
    assert buffer.shift() is chunk


def test_small_steps_copy_only_what_they_take() -> None:
    """64 KiB read in bytes does not move the rest for each of them."""
    buffer = filled([b"x" * 65536])
    for _ in range(1000):
        buffer.take(1)
    assert buffer.offset == 1000
    assert len(buffer.chunks[0]) == 65536


def test_text_is_joined_as_text() -> None:
    """Chunks of text are counted in characters."""
    buffer = filled(["äö", "ü€x"])
    assert buffer.take(3) == "äöü"
    assert buffer.take(2) == "€x"


@pytest.mark.parametrize("chunk", ["", 0, None, [1, 2]])
def test_objects_count_one(chunk: Any) -> None:
    """In object mode every chunk is one, whatever it is."""
    buffer = BufferList(object_mode=True)
    buffer.append(chunk, 1)
    assert buffer.first_length() == buffer.length == 1
    assert buffer.take(1) is chunk
    assert buffer.length == 0

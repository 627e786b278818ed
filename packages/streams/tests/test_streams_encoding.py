"""Names of encodings, text to bytes and back (H-007)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.streams import InvalidArgValueError, UnknownEncodingError, encode_text
from headrace.streams._encoding import make_decoder, normalize


@pytest.mark.parametrize(
    ("name", "text", "data"),
    [
        ("utf8", "é", b"\xc3\xa9"),
        ("UTF-8", "é", b"\xc3\xa9"),
        ("latin1", "é", b"\xe9"),
        ("binary", "é", b"\xe9"),
        ("ascii", "e", b"e"),
        ("utf16le", "é", b"\xe9\x00"),
        ("UTF-16LE", "é", b"\xe9\x00"),
        ("ucs2", "é", b"\xe9\x00"),
        ("ucs-2", "é", b"\xe9\x00"),
        ("hex", "C3a9", b"\xc3\xa9"),
        ("base64", "w6k=", b"\xc3\xa9"),
        ("base64url", "w6k", b"\xc3\xa9"),
        ("koi8-r", "ж", b"\xd6"),
    ],
)
def test_names(name: str, text: str, data: bytes) -> None:
    """Node's names in any case, and every Python text codec (H-007)."""
    assert encode_text(text, name) == data
    decoded = make_decoder(normalize(name)).decode(data, True)
    assert decoded == (text.lower() if name == "hex" else text)


@pytest.mark.parametrize("name", ["", "nope", "rot13", "zlib", "hex_codec", None, 5])
def test_unknown_names(name: object) -> None:
    """They raise ERR_UNKNOWN_ENCODING, also codecs that are not text (H-007)."""
    with pytest.raises(UnknownEncodingError) as caught:
        encode_text("a", name)
    assert caught.value.code == "ERR_UNKNOWN_ENCODING"
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("text", "encoding", "data"),
    [
        ("abc", "hex", b"\xab"),
        ("abxx12", "hex", b"\xab"),
        ("", "hex", b""),
        ("aGk", "base64", b"hi"),
        ("a G\nk=", "base64", b"hi"),
        ("-_8", "base64", b"\xfb\xff"),
        ("+/8=", "base64url", b"\xfb\xff"),
        ("aGk=aGk=", "base64", b"hi"),
        ("a", "base64", b""),
    ],
)
def test_what_is_no_digit(text: str, encoding: str, data: bytes) -> None:
    """As in Node, hex stops at it and base64 leaves it out (H-007)."""
    assert encode_text(text, encoding) == data


@pytest.mark.parametrize("encoding", ["ascii", "latin1", "utf8"])
def test_text_that_cannot_be_expressed(encoding: str) -> None:
    """It raises; Node writes something else in silence (H-006)."""
    with pytest.raises(InvalidArgValueError) as caught:
        encode_text("\ud800€", encoding)
    assert caught.value.code == "ERR_INVALID_ARG_VALUE"
    assert isinstance(caught.value.__cause__, UnicodeError)


@given(st.binary(max_size=50), st.sampled_from(["hex", "base64", "base64url"]))
def test_digits_read_back(data: bytes, encoding: str) -> None:
    """What is written as digits reads back as the same bytes (H-159)."""
    text = make_decoder(encoding).decode(data, True)
    assert encode_text(text, encoding) == data


@given(st.text(st.characters(codec="utf-8")), st.lists(st.integers(0, 100)))
def test_any_split_decodes_alike(text: str, cuts: list[int]) -> None:
    """Wherever the bytes are cut, the text is the same (H-159)."""
    data = text.encode()
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    decoder = make_decoder("utf-8")
    parts = [decoder.decode(data[a:b]) for a, b in itertools.pairwise(edges)]
    assert "".join(parts) + decoder.decode(b"", True) == text

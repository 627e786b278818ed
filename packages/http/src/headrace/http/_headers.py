"""Header fields that we send: what may be in them, and how they are given.

Every way out (heads, trailers, 1xx, early hints) goes through this one validator, so
that no CR, LF or other control character can reach the wire (H-131, H-132).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from headrace.http._errors import (
    InvalidArgTypeError,
    InvalidArgValueError,
    InvalidCharError,
    InvalidHeaderValueError,
    InvalidTokenError,
)

Scalar = str | int | float | bytes
HeaderValue = Scalar | Sequence[Scalar]
# A mapping, a flat list or a list of pairs. Values are checked when they are given: for
# a union with HeaderValue in it mypy infers a mixed literal as `dict[str, object]`.
Headers = Mapping[str, Any] | Iterable[Any]
Fields = dict[
    str, tuple[str, HeaderValue]
]  #: lower-case name -> (name, value as given)

# token = 1*tchar (RFC 9110 section 5.6.2)
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# What a field value and a reason phrase may hold (RFC 9110 section 5.5, H-132).
NOT_TEXT: Final = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
# Names repeat from message to message: the check of a name that was seen is a look-up.
KNOWN_NAMES: Final[dict[str, str]] = {}
_KNOWN_NAMES_MAX: Final = 1024


# Whole header lines that were checked: programs send the same ones again and again.
KNOWN_LINES: Final[dict[tuple[str, str], tuple[str, str]]] = {}
_KNOWN_LINES_MAX: Final = 512
# Whole mappings likewise, by their items: what they come to is shared, not copied.
KNOWN_HEADS: Final[dict[tuple[tuple[str, str], ...], tuple[Fields, str]]] = {}
_KNOWN_HEADS_MAX: Final = 256
_KNOWN_HEAD_SIZE: Final = 512
_KNOWN_LINE_SIZE: Final = 128


def plain(text: str) -> str:
    """Return the characters of `text` as nothing but a ``str``.

    What was checked is what is sent: a subclass (an Enum with text, say) may tell
    formatting, or a method, something else than the characters it holds.
    """
    return text if type(text) is str else str.__str__(text)


def is_token(text: object) -> bool:
    """Tell whether `text` is an HTTP token."""
    return isinstance(text, str) and _TOKEN.fullmatch(text) is not None


def lower_name(name: str) -> str:
    """Return the lower-case form of a valid header name.

    Raises:
        InvalidTokenError: If `name` is not an HTTP token.
    """
    try:
        return KNOWN_NAMES[name]
    except (KeyError, TypeError):
        pass
    if not is_token(name):
        raise InvalidTokenError("a header name", name)
    name = plain(name)
    if len(KNOWN_NAMES) < _KNOWN_NAMES_MAX:
        KNOWN_NAMES[name] = name.lower()
    return name.lower()


def known_line(name: str, value: str) -> tuple[str, str]:
    """Return a header's lower-case name and its line, checked; remember short ones.

    Raises:
        InvalidTokenError: If `name` is not an HTTP token.
        InvalidCharError: If `value` holds a character that a header must not hold.
    """
    lowered = lower_name(name)
    check_value(name, value)
    line = (lowered, f"{name}: {value}\r\n")
    if len(line[1]) <= _KNOWN_LINE_SIZE and type(name) is str:
        if len(KNOWN_LINES) >= _KNOWN_LINES_MAX:
            KNOWN_LINES.clear()
        KNOWN_LINES[name, value] = line
    return line


def remember_head(headers: Mapping[str, str], fields: Fields, text: str) -> None:
    """Keep what a whole mapping of text came to, if it is short.

    Args:
        headers: Names and values, of exactly the type ``str``.
        fields: They, under lower-case names; never changed from now on.
        text: Their lines.
    """
    if len(text) <= _KNOWN_HEAD_SIZE:
        if len(KNOWN_HEADS) >= _KNOWN_HEADS_MAX:
            KNOWN_HEADS.clear()
        KNOWN_HEADS[tuple(headers.items())] = (fields, text)


def check_text(what: str, text: str) -> None:
    """Raise InvalidCharError if `text` may not stand in a head."""
    if NOT_TEXT.search(text) is not None:
        raise InvalidCharError(what, text)


def value_text(name: str, value: object) -> str:
    """Return one field value as text, validated.

    Raises:
        InvalidHeaderValueError: If `value` is None.
        InvalidArgTypeError: If `value` is not ``str``, ``int``, ``float`` or ``bytes``.
        InvalidCharError: If the text holds a control or a non-latin-1 character.
    """
    if type(value) is str:
        text = value
    elif isinstance(value, str):
        text = plain(value)
    elif isinstance(value, bytes):
        text = bytes.decode(value, "latin-1")
    elif isinstance(value, int) and not isinstance(value, bool):
        text = int.__repr__(value)
    elif isinstance(value, float):
        text = float.__repr__(value)
    elif value is None:
        raise InvalidHeaderValueError(name, value)
    else:
        raise InvalidArgTypeError(
            f"the value of header {name!r}", "text, bytes, a number or a list", value
        )
    if NOT_TEXT.search(text) is not None:
        raise InvalidCharError(f"the value of header {name!r}", text)
    return text


def check_value(name: str, value: object) -> None:
    """Validate a field value or each item of a list of values."""
    if type(value) is str:
        if NOT_TEXT.search(value) is not None:
            raise InvalidCharError(f"the value of header {name!r}", value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            value_text(name, item)
    else:
        value_text(name, value)


def validate_header_name(name: str) -> None:
    """Check a header name as ``set_header`` does.

    Raises:
        InvalidTokenError: If `name` is not an HTTP token.

    Source: H-131, X-038.
    """
    lower_name(name)


def validate_header_value(name: str, value: HeaderValue) -> None:
    """Check a header value as ``set_header`` does.

    Raises:
        InvalidHeaderValueError: If `value` is None.
        InvalidArgTypeError: If `value`, or an item of it, has a type we do not send.
        InvalidCharError: If it holds a character that a header must not hold.

    Source: H-132, X-038.
    """
    check_value(name, value)


def is_list_form(headers: object) -> bool:
    """Tell whether `headers` is a flat list or a list of pairs, not a mapping."""
    return not isinstance(headers, Mapping)


def pairs(headers: object) -> list[tuple[str, HeaderValue]]:
    """Return headers of any accepted form as (name, value) pairs, unchecked.

    Args:
        headers: A mapping, a flat list ``[name, value, …]`` or a list of pairs.

    Raises:
        InvalidArgValueError: If a flat list has an odd length.
        InvalidArgTypeError: If it is none of the three.
    """
    if isinstance(headers, Mapping):
        return [(_plain_name(name), value) for name, value in headers.items()]
    if isinstance(headers, (str, bytes)) or not isinstance(headers, Iterable):
        raise InvalidArgTypeError("headers", "a mapping, a list or pairs", headers)
    items = list(headers)
    if items and isinstance(items[0], (tuple, list)):
        if any(not isinstance(item, (tuple, list)) or len(item) != 2 for item in items):
            raise InvalidArgValueError("headers", "must hold pairs only", headers)
        return [(_plain_name(name), value) for name, value in items]
    if len(items) % 2:
        raise InvalidArgValueError("headers", "must have an even length", headers)
    names = map(_plain_name, items[::2])
    return list(zip(names, items[1::2], strict=True))


def _plain_name(name: Any) -> Any:
    """Return a name of a subclass of ``str`` as ``str``; what is none is refused later.

    A name is looked up before it is checked, and a subclass could be equal to another.
    """
    return plain(name) if isinstance(name, str) else name


def has_token(value: HeaderValue, token: str) -> bool:
    """Tell whether a comma-separated header value holds `token`, in any case."""
    if type(value) is str:
        lowered = value.lower()
        if token not in lowered:
            return False
        return lowered == token or any(
            part.strip() == token for part in lowered.split(",")
        )
    items = value if isinstance(value, (list, tuple)) else (value,)
    return any(has_token(value_text("", item), token) for item in items)


def field_lines(name: str, value: HeaderValue) -> str:
    """Return the header line, or the lines of a list value, each ending in CRLF."""
    if type(value) is str:
        return f"{name}: {value}\r\n"
    if isinstance(value, (list, tuple)):
        if name.lower() == "cookie":  # one Cookie field only: RFC 6265 section 5.4
            return f"{name}: {'; '.join(value_text(name, item) for item in value)}\r\n"
        return "".join(f"{name}: {value_text(name, item)}\r\n" for item in value)
    return f"{name}: {value_text(name, value)}\r\n"

"""Field lines: their grammar, and the views of them that users see."""

import re
from typing import Final

#: One character of a token (RFC 9110 section 5.6.2).
TOKEN_CHAR: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
#: One character of a field value, blanks included: no control character but TAB
#: (RFC 9110 section 5.5).
VALUE_CHAR: Final = rb"[\t\x20-\x7e\x80-\xff]"

#: field-line CRLF, any number of them (RFC 9112 section 5): no blank before the colon, no
#: line folding. Possessive, so that a refusal costs no more than an acceptance.
FIELD_LINES: Final = rb"(?:" + TOKEN_CHAR + rb"++:" + VALUE_CHAR + rb"*+\r\n)*+"

TRAILER_SECTION: Final = re.compile(FIELD_LINES + rb"\r\n")

#: Fields of which the first counts when they are repeated (H-108). These are fields with
#: one value by their definition, where joining would make a value nobody sent.
FIRST_WINS: Final = frozenset(
    {
        "age",
        "authorization",
        "content-length",
        "content-type",
        "etag",
        "expires",
        "from",
        "host",
        "if-modified-since",
        "if-unmodified-since",
        "last-modified",
        "location",
        "max-forwards",
        "proxy-authorization",
        "referer",
        "retry-after",
        "server",
        "user-agent",
    }
)

#: Fields of FIRST_WINS that are never joined, also when the user asks for joining: a
#: second value would speak about framing or routing (X-014).
_NEVER_JOINED: Final = frozenset({"content-length", "host"})


def parse_fields(section: bytes, max_count: int) -> list[str]:
    """Return checked field lines as a flat list of names and values.

    Args:
        section: Field lines, each with its CRLF, without the blank line.
        max_count: How many fields to keep; 0 keeps all.

    Source: H-036, H-109.
    """
    lines = section.decode("latin-1").split("\r\n")
    lines.pop()  # what follows the last CRLF: nothing
    if max_count and len(lines) > max_count:
        del lines[max_count:]
    raw: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        raw.append(name)
        raw.append(value.strip(" \t"))
    return raw


def merge_headers(
    raw: list[str], join_duplicates: bool = False
) -> dict[str, str | list[str]]:
    """Return a flat list of names and values as a dictionary with lower-case names.

    Repeats: ``set-cookie`` is always a list; ``cookie`` is joined by ``"; "``; of fields
    with one value by definition (``host``, ``content-type`` …) the first wins; all
    others are joined by ``", "``.

    Args:
        raw: Names and values in turn, as in `raw_headers` or `raw_trailers`.
        join_duplicates: Join the repeats of single-valued fields too, except
            ``content-length`` and ``host``.

    Source: H-108, X-014.
    """
    merged: dict[str, str | list[str]] = {}
    pairs = iter(raw)
    for name, value in zip(pairs, pairs, strict=True):
        key = name.lower()
        if key == "set-cookie":
            cookies = merged.setdefault(key, [])
            assert isinstance(cookies, list)
            cookies.append(value)
        elif key not in merged:
            merged[key] = value
        elif key not in FIRST_WINS or (join_duplicates and key not in _NEVER_JOINED):
            separator = "; " if key == "cookie" else ", "
            merged[key] = f"{merged[key]}{separator}{value}"
    return merged


def distinct_headers(raw: list[str]) -> dict[str, list[str]]:
    """Return a flat list of names and values as lower-case name to list of values.

    Source: X-065.
    """
    distinct: dict[str, list[str]] = {}
    pairs = iter(raw)
    for name, value in zip(pairs, pairs, strict=True):
        distinct.setdefault(name.lower(), []).append(value)
    return distinct

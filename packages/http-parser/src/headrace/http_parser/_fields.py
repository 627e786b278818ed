"""Field lines: their grammar, and the views of them that users see."""

import re
from typing import Final

#: One character of a token (RFC 9110 section 5.6.2).
TOKEN_CHAR: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"

#: One character of a field value, blanks included: no control character but TAB
#: (RFC 9110 section 5.5).
VALUE_CHAR: Final = rb"[\t\x20-\x7e\x80-\xff]"

#: Any number of ``field-name ":" OWS field-value OWS CRLF`` (RFC 9112 section 5): no
#: blank before the colon, no line folding. Possessive, so that a refusal costs no more
#: than an acceptance.
FIELD_LINES: Final = rb"(?:" + TOKEN_CHAR + rb"++:" + VALUE_CHAR + rb"*+\r\n)*+"

#: A whole trailer section with its blank line (RFC 9112 section 7.1.2).
TRAILER_SECTION: Final = re.compile(FIELD_LINES + rb"\r\n")

# Fields with one value by their definition: of repeats the first wins (H-108).
_FIRST_WINS: Final = frozenset(
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

# Never joined, also when the user wants joining: they say where a message ends and
# whom it is for.
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
    if max_count:
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

    ``set-cookie`` is always a list. Repeats of ``cookie`` are joined by ``"; "``; of
    fields with one value by definition (``host``, ``content-type`` …) the first wins;
    repeats of all others are joined by ``", "``.

    Args:
        raw: Names and values in turn, as in `raw_headers` and `raw_trailers`.
        join_duplicates: Join the repeats of fields with one value too, except
            ``content-length`` and ``host``.

    Source: H-108, X-014.
    """
    merged: dict[str, str | list[str]] = {}
    repeats: dict[str, list[str]] = {}
    for name, value in zip(raw[::2], raw[1::2], strict=True):
        key = name.lower()
        if key not in merged and key != "set-cookie":
            merged[key] = value
        else:
            repeats.setdefault(key, []).append(value)
    # All at once: joining one by one would copy a long list for each of its elements.
    for key, values in repeats.items():
        first = merged.get(key)
        if key == "set-cookie":
            merged[key] = values
        elif key not in _FIRST_WINS or (join_duplicates and key not in _NEVER_JOINED):
            separator = "; " if key == "cookie" else ", "
            merged[key] = separator.join((str(first), *values))
    return merged


def distinct_headers(raw: list[str]) -> dict[str, list[str]]:
    """Return a flat list of names and values as lower-case name to all its values.

    Source: X-065.
    """
    distinct: dict[str, list[str]] = {}
    for name, value in zip(raw[::2], raw[1::2], strict=True):
        distinct.setdefault(name.lower(), []).append(value)
    return distinct

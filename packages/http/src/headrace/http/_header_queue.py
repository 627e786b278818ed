"""The headers of a message while they can still be changed.

Life of a message: its headers are OPEN; `write_head` or the first body byte makes them
FIXED; the head is SENT to the wire; `end` makes the message ENDED; when the operating
system has everything it is FINISHED. Being destroyed is independent of that: it can
happen in every stage, and nothing is sent afterwards.
"""

from __future__ import annotations

from typing import Any, Final, Self

from headrace.http._errors import HeadersSentError, InvalidArgTypeError
from headrace.http._headers import (
    KNOWN_HEADS,
    KNOWN_LINES,
    KNOWN_NAMES,
    NOT_TEXT,
    Fields,
    Headers,
    HeaderValue,
    check_value,
    field_lines,
    is_list_form,
    known_line,
    lower_name,
    pairs,
    plain,
    remember_head,
    value_text,
)
from headrace.streams import Writable

# The stages of a message's life. Plain numbers: they are compared on the hot path.
OPEN: Final = 0
FIXED: Final = 1
SENT: Final = 2
ENDED: Final = 3
FINISHED: Final = 4

NO_FIELDS: Final[Fields] = {}
NO_NAMES: Final[frozenset[str]] = frozenset()


class HeaderQueue(Writable):
    """A message's queued headers: set, read and removed until the head is fixed.

    Source: H-049 to H-053, X-034 to X-037.
    """

    __slots__ = ("_fields", "_lines", "_removed", "_stage", "_text", "unique_headers")

    # Set by `OutgoingMessage`, the one class below: a constructor of its own would cost
    # each message a call.
    _stage: int
    _fields: Fields
    _lines: list[tuple[str, HeaderValue]] | None  # a head that was given as a list
    _text: str | None  # the lines of all fields, where they are known already
    _removed: frozenset[str]  # automatic headers that the user took out
    #: Names whose list values are sent once, joined with ``; `` (X-015).
    unique_headers: frozenset[str]

    @property
    def headers_sent(self) -> bool:
        """Whether the head is fixed and can no longer be changed (H-050)."""
        return self._stage != OPEN

    def set_header(self, name: str, value: HeaderValue) -> Self:
        """Queue one header for the head, replacing an earlier one of that name.

        Args:
            name: An HTTP token; its case is sent as given.
            value: Text, bytes or a number; a list gives one field per item.

        Raises:
            HeadersSentError: If the head is fixed already.
            InvalidTokenError: If `name` is not a token.
            InvalidHeaderValueError: If `value` is None.
            InvalidCharError: If a value holds a control character.
            InvalidArgTypeError: If a value has another type.

        Source: H-049, H-131, H-132.
        """
        if self._stage != OPEN:
            raise HeadersSentError("set headers")
        if type(name) is not str and isinstance(name, str):
            name = plain(name)
        try:
            lowered = KNOWN_NAMES[name]
        except (KeyError, TypeError):
            lowered = lower_name(name)
        if type(value) is not str or NOT_TEXT.search(value) is not None:
            check_value(name, value)
        fields = self._fields
        if fields is NO_FIELDS:
            self._fields = {lowered: (name, value)}
        else:
            fields[lowered] = (name, value)
            self._text = None
        if self._removed:
            self._removed = self._removed - {lowered}
        return self

    def append_header(self, name: str, value: HeaderValue) -> Self:
        """Add a value to a header, keeping those it has (X-034).

        Raises:
            HeadersSentError: If the head is fixed already; else as `set_header`.
        """
        present = self._fields.get(lower_name(name))
        if present is None:
            return self.set_header(name, value)
        old = present[1] if isinstance(present[1], (list, tuple)) else [present[1]]
        new = value if isinstance(value, (list, tuple)) else [value]
        return self.set_header(present[0], [*old, *new])

    def set_headers(self, headers: Headers) -> Self:
        """Queue several headers; repeated ``Set-Cookie`` pairs are collected (X-035).

        Raises:
            HeadersSentError: If the head is fixed already; else as `set_header`.
        """
        if self._stage != OPEN:
            raise HeadersSentError("set headers")
        given = pairs(headers)
        for name, value in given:
            lower_name(name)
            check_value(name, value)
        cookies_seen = False
        for name, value in given:
            if name.lower() == "set-cookie" and cookies_seen:
                self.append_header(name, value)
            else:
                self.set_header(name, value)
                cookies_seen = cookies_seen or name.lower() == "set-cookie"
        return self

    def get_header(self, name: str) -> HeaderValue | None:
        """Return a queued value as it was given, in any case of `name`, or None.

        Raises:
            InvalidArgTypeError: If `name` is not ``str``.

        Source: H-052.
        """
        if not isinstance(name, str):
            raise InvalidArgTypeError("name", "a str", name)
        field = self._fields.get(name.lower())
        return None if field is None else field[1]

    def has_header(self, name: str) -> bool:
        """Tell whether a header of that name is queued (X-036)."""
        return self.get_header(name) is not None

    def get_headers(self) -> dict[str, HeaderValue]:
        """Return a copy of the queued headers under lower-case names (X-036)."""
        return {lowered: value for lowered, (_, value) in self._fields.items()}

    def get_header_names(self) -> list[str]:
        """Return the lower-case names of the queued headers (X-036)."""
        return list(self._fields)

    def get_raw_header_names(self) -> list[str]:
        """Return the names of the queued headers as they were given (X-036)."""
        return [name for name, _ in self._fields.values()]

    def remove_header(self, name: str) -> None:
        """Take out a queued header; an automatic one of that name is not added.

        Raises:
            HeadersSentError: If the head is fixed already.
            InvalidArgTypeError: If `name` is not ``str``.

        Source: H-053, H-122.
        """
        if not isinstance(name, str):
            raise InvalidArgTypeError("name", "a str", name)
        if self._stage != OPEN:
            raise HeadersSentError("remove headers")
        lowered = name.lower()
        if self._fields is not NO_FIELDS:
            self._text = None
            self._fields.pop(lowered, None)
        self._removed = self._removed | {lowered}

    def _take_known(self, headers: Headers) -> bool:
        """Take a mapping over that was checked before; return whether it was."""
        if type(headers) is not dict or self._fields or self._removed:
            return False
        try:
            known = KNOWN_HEADS.get(tuple(headers.items()))
        except TypeError:  # a list among the values
            return False
        if known is None:
            return False
        self._fields, self._text = known
        return True

    def _merge_headers(self, headers: Headers) -> None:
        """Take the headers of `write_head` over those set before (H-044)."""
        if type(headers) is dict and not self._fields and not self._removed:
            known = self._read_mapping(headers)
            if known is not None:
                self._fields, self._text = known
                return
        given = pairs(headers)
        checked = []
        for name, value in given:
            checked.append((lower_name(name), name, value))
            check_value(name, value)
        fields = dict(self._fields)
        if is_list_form(headers):
            self._merge_list(fields, checked)
        given_names: set[str] = set()
        for lowered, name, value in checked:
            if lowered in given_names:
                value = _joined(fields[lowered][1], value)
            given_names.add(lowered)
            fields[lowered] = (name, value)
        if self._removed:
            self._removed = self._removed.difference(
                lowered for lowered, _, _ in checked
            )
        self._fields = fields
        self._text = None

    def _read_mapping(self, headers: dict[Any, Any]) -> tuple[Fields, str] | None:
        """Return the fields and lines of a mapping, checked; None if it is unusual."""
        fields: Fields = {}
        text = ""
        is_text = True
        for field in headers.items():
            name, value = field
            if type(name) is not str:
                return None
            if type(value) is str:
                line = KNOWN_LINES.get(field) or known_line(name, value)
                fields[line[0]] = field
                text += line[1]
            else:
                is_text = False
                fields[lower_name(name)] = field
                check_value(name, value)
                text += self._value_lines(name, value)
        if len(fields) < len(headers):
            return None
        if is_text and "content-length" not in fields:  # its value is checked, too
            remember_head(headers, fields, text)
        return fields, text

    def _merge_list(
        self, fields: Fields, checked: list[tuple[str, str, HeaderValue]]
    ) -> None:
        """Keep a head given as a list in exactly that order, case and repetition."""
        for lowered, _, _ in checked:
            fields.pop(lowered, None)
        self._lines = [*fields.values(), *((name, value) for _, name, value in checked)]

    def _user_lines(self) -> str:
        """Return the user's header lines as they go on the wire."""
        fields = self._fields
        text = self._text
        if text is not None:
            return text
        text = ""
        lines = self._lines
        for name, value in fields.values() if lines is None else lines:
            if type(value) is str:
                text += f"{name}: {value}\r\n"
            else:
                text += self._value_lines(name, value)
        return text

    def _value_lines(self, name: str, value: HeaderValue) -> str:
        if isinstance(value, (list, tuple)) and name.lower() in self.unique_headers:
            return f"{name}: {'; '.join(value_text(name, item) for item in value)}\r\n"
        return field_lines(name, value)


def _joined(first: HeaderValue, second: HeaderValue) -> HeaderValue:
    """Return both values of a repeated name as one list."""
    items = first if isinstance(first, (list, tuple)) else [first]
    more = second if isinstance(second, (list, tuple)) else [second]
    return [*items, *more]

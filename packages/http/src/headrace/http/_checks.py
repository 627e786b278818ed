"""Checks of arguments that several kinds of objects take."""

from __future__ import annotations

from math import inf

from headrace.http._errors import InvalidArgTypeError, OutOfRangeError


def check_duration(name: str, value: object) -> float:
    """Return seconds as a number (H-005).

    Raises:
        InvalidArgTypeError: If `value` is no real number.
        OutOfRangeError: If it is negative or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidArgTypeError(name, "a number of seconds", value)
    if not 0 <= value < inf:
        raise OutOfRangeError(name, "0 or more, and finite", value)
    return value


def check_callback(callback: object) -> None:
    """Raise InvalidArgTypeError unless `callback` is callable or None (H-003)."""
    if callback is not None and not callable(callback):
        raise InvalidArgTypeError("callback", "callable", callback)

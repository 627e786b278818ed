"""High-water marks: the defaults, and what a caller may ask for.

Source: H-161, X-118.
"""

from typing import Final

from headrace.streams._errors import InvalidArgTypeError, OutOfRangeError

__all__ = [
    "DEFAULT_MARKS",
    "check_high_water_mark",
    "get_default_high_water_mark",
    "grown_high_water_mark",
    "set_default_high_water_mark",
]

#: `read(n)` refuses a larger n: it would make the stream buffer that much.
LARGEST_READ: Final = 1 << 30

#: By object mode, what streams use that set none; see `set_default_high_water_mark`.
DEFAULT_MARKS: Final = {False: 65536, True: 16}


def get_default_high_water_mark(object_mode: bool = False) -> int:
    """Return the mark of streams that set none: bytes, or objects in object mode."""
    return DEFAULT_MARKS[object_mode]


def set_default_high_water_mark(object_mode: bool, value: int) -> None:
    """Set the mark for streams that are used for the first time from now on.

    Raises:
        InvalidArgTypeError: If `value` is not an integer.
        OutOfRangeError: If `value` is negative.
    """
    DEFAULT_MARKS[object_mode] = check_high_water_mark(value)


def check_high_water_mark(value: object, name: str = "high_water_mark") -> int:
    """Return `value` if it is an integer of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgTypeError(name, "an int", value)
    if value < 0:
        raise OutOfRangeError(name, "0 or more", value)
    return value


def grown_high_water_mark(size: int) -> int:
    """Return the mark that lets `read(size)` be answered: the next power of two.

    A power of two keeps a caller who asks for ever more from moving it every time.
    """
    if size > LARGEST_READ:
        raise OutOfRangeError("size", f"at most {LARGEST_READ}", size)
    return 1 << (size - 1).bit_length()

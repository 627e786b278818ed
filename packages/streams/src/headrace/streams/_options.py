"""The constructor options of streams: which there are, and where each one goes.

Source: H-002, H-162.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypedDict

from headrace.streams import _destroy
from headrace.streams._encoding import make_decoder, normalize
from headrace.streams._errors import InvalidArgTypeError
from headrace.streams._high_water_mark import check_high_water_mark
from headrace.streams._state import Reading, Writing

if TYPE_CHECKING:
    from headrace.streams._stream import Stream

__all__ = [
    "DUPLEX_OPTIONS",
    "READABLE_OPTIONS",
    "TRANSFORM_OPTIONS",
    "WRITABLE_OPTIONS",
    "DuplexOptions",
    "ReadableOptions",
    "TransformOptions",
    "WritableOptions",
    "apply_options",
    "merge_options",
]

_Hook = Callable[..., object] | None


class _StreamOptions(TypedDict, total=False):
    auto_destroy: bool | None
    construct: _Hook
    destroy: _Hook
    high_water_mark: int | None
    object_mode: bool | None


class ReadableOptions(_StreamOptions, total=False):
    """The keywords of Readable."""

    encoding: str | None
    read: _Hook


class WritableOptions(_StreamOptions, total=False):
    """The keywords of Writable."""

    decode_strings: bool | None
    default_encoding: str | None
    final: _Hook
    write: _Hook
    writev: _Hook


class DuplexOptions(ReadableOptions, WritableOptions, total=False):
    """The keywords of Duplex."""

    allow_half_open: bool | None
    readable: bool | None
    readable_high_water_mark: int | None
    readable_object_mode: bool | None
    writable: bool | None
    writable_high_water_mark: int | None
    writable_object_mode: bool | None


class TransformOptions(DuplexOptions, total=False):
    """The keywords of Transform and PassThrough."""

    flush: _Hook
    transform: _Hook


READABLE_OPTIONS: Final = ReadableOptions.__optional_keys__
WRITABLE_OPTIONS: Final = WritableOptions.__optional_keys__
DUPLEX_OPTIONS: Final = DuplexOptions.__optional_keys__
TRANSFORM_OPTIONS: Final = TransformOptions.__optional_keys__

_HOOKS: Final = (
    "construct",
    "destroy",
    "final",
    "flush",
    "read",
    "transform",
    "write",
    "writev",
)


def merge_options(
    known: frozenset[str], options: Mapping[str, Any] | None, keywords: Any
) -> dict[str, Any]:
    """Return the given options without those that are None; keywords win.

    Raises:
        InvalidArgTypeError: If `options` is no mapping.
        TypeError: If a name is not known.
    """
    if options is not None and not isinstance(options, Mapping):
        raise InvalidArgTypeError("options", "a mapping", options)
    merged = {**(options or {}), **keywords}
    unknown = merged.keys() - known
    if unknown:
        raise TypeError(f"unknown option: {', '.join(sorted(map(str, unknown)))}")
    return {name: value for name, value in merged.items() if value is not None}


def apply_options(stream: "Stream", options: Mapping[str, Any]) -> None:
    """Set up a new stream as its options say."""
    if "auto_destroy" in options:
        stream._auto_destroy = bool(options["auto_destroy"])
    if "allow_half_open" in options:
        stream.__dict__["allow_half_open"] = bool(options["allow_half_open"])
    if stream._has_readable:
        _apply_to_readable(stream, options)
    if stream._has_writable:
        _apply_to_writable(stream, options)
    _set_hooks(stream, options)


def _for_side(options: Mapping[str, Any], side: str, name: str) -> Any:
    """Return the option for one side; the common one sets both."""
    return options.get(name, options.get(f"{side}_{name}"))


def _mark(options: Mapping[str, Any], side: str) -> int | None:
    mark = _for_side(options, side, "high_water_mark")
    return None if mark is None else check_high_water_mark(mark)


def _apply_to_readable(stream: Any, options: Mapping[str, Any]) -> None:
    mark = _mark(options, "readable")
    objects = bool(_for_side(options, "readable", "object_mode"))
    absent = options.get("readable", True) is False
    encoding = options.get("encoding")
    if mark is None and not objects and not absent and encoding is None:
        return  # nothing that needs a state yet
    state = stream._make_readable_state(mark, object_mode=objects)
    if absent:
        state.side = Reading.ABSENT
    if encoding is not None:
        state.encoding = normalize(encoding)
        state.decoder = make_decoder(state.encoding)
        state.plain = False


def _apply_to_writable(stream: Any, options: Mapping[str, Any]) -> None:
    mark = _mark(options, "writable")
    objects = bool(_for_side(options, "writable", "object_mode"))
    absent = options.get("writable", True) is False
    encoding = options.get("default_encoding")
    texts = options.get("decode_strings", True) is False
    if mark is None and not objects and not absent and encoding is None and not texts:
        return
    state = stream._make_writable_state(mark, object_mode=objects)
    if absent:
        state.side = Writing.ABSENT
    state.default_encoding = normalize(encoding or "utf-8")
    state.decode_strings = not texts


def _set_hooks(stream: "Stream", options: Mapping[str, Any]) -> None:
    for name in _HOOKS:
        if name not in options:
            continue
        hook = options[name]
        if not callable(hook):
            raise InvalidArgTypeError(name, "callable", hook)
        stream.__dict__[f"_{name}"] = hook
    if "construct" in options:
        _destroy.construct(stream)

"""The constructor options of streams: which there are, and where each one goes.

Source: H-002, H-162.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

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
    "apply_options",
    "merge_options",
]

_COMMON: Final = frozenset(
    {"auto_destroy", "construct", "destroy", "high_water_mark", "object_mode"}
)
READABLE_OPTIONS: Final = _COMMON | {"encoding", "read"}
WRITABLE_OPTIONS: Final = _COMMON | {
    "decode_strings",
    "default_encoding",
    "final",
    "write",
    "writev",
}
DUPLEX_OPTIONS: Final = (
    READABLE_OPTIONS
    | WRITABLE_OPTIONS
    | {
        "allow_half_open",
        "readable",
        "readable_high_water_mark",
        "readable_object_mode",
        "writable",
        "writable_high_water_mark",
        "writable_object_mode",
    }
)
TRANSFORM_OPTIONS: Final = DUPLEX_OPTIONS | {"flush", "transform"}

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
    known: frozenset[str],
    options: Mapping[str, Any] | None,
    keywords: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the given options without those that are None; keywords win.

    Raises:
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
    for name in ("auto_destroy", "allow_half_open"):
        if name in options:
            attribute = "_auto_destroy" if name == "auto_destroy" else name
            setattr(stream, attribute, bool(options[name]))
    if stream._has_readable:
        _apply_to_readable(stream, options)
    if stream._has_writable:
        _apply_to_writable(stream, options)
    _set_hooks(stream, options)


def _side(options: Mapping[str, Any], side: str, name: str) -> Any:
    """Return the option for one side; the common one sets both."""
    return options.get(name, options.get(f"{side}_{name}"))


def _mark(options: Mapping[str, Any], side: str) -> int | None:
    mark = _side(options, side, "high_water_mark")
    return None if mark is None else check_high_water_mark(mark)


def _apply_to_readable(stream: Any, options: Mapping[str, Any]) -> None:
    mark = _mark(options, "readable")
    objects = bool(_side(options, "readable", "object_mode"))
    absent = options.get("readable", True) is False
    encoding = options.get("encoding")
    if mark is None and not objects and not absent and encoding is None:
        return
    state = stream._make_readable_state(mark, object_mode=objects)
    if absent:
        state.side = Reading.ABSENT
    if encoding is not None:
        state.encoding = normalize(encoding)
        state.decoder = make_decoder(state.encoding)


def _apply_to_writable(stream: Any, options: Mapping[str, Any]) -> None:
    mark = _mark(options, "writable")
    objects = bool(_side(options, "writable", "object_mode"))
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
        setattr(stream, f"_{name}", hook)
    if "construct" in options:
        _destroy.construct(stream)

"""Text to bytes and bytes to text, under Node's names for encodings.

`hex` and `base64` run the other way round: text is decoded to bytes when it is written,
bytes are encoded to text when they are read. Text encodings are Python's own codecs.

Source: H-007, H-159.
"""

import base64
import codecs
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol

from headrace.streams._errors import InvalidArgValueError, UnknownEncodingError

__all__ = ["TextDecoder", "encode_text", "make_decoder", "normalize"]

_NODE_NAMES: Final = {
    "utf8": "utf-8",
    "binary": "latin-1",
    "latin1": "latin-1",
    "utf16le": "utf-16-le",
    "utf-16le": "utf-16-le",
    "ucs2": "utf-16-le",
    "ucs-2": "utf-16-le",
    "hex": "hex",
    "base64": "base64",
    "base64url": "base64url",
}
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/]")


class TextDecoder(Protocol):
    """Turns chunks of bytes into text; keeps what is incomplete for the next call."""

    def decode(self, data: bytes, final: bool = False) -> str:
        """Return the text that is complete; all of it when `final`."""
        ...


@lru_cache(maxsize=64)
def _normalize(encoding: str) -> str:
    name = encoding.lower()
    if name in _NODE_NAMES:
        return _NODE_NAMES[name]
    try:
        info = codecs.lookup(name)
        # The only public sign of a codec that is not bytes <-> text is that these fail.
        "".encode(name)
        b"".decode(name)
    except (LookupError, UnicodeError):
        raise UnknownEncodingError(encoding) from None
    if info.incrementaldecoder is None:
        raise UnknownEncodingError(encoding)
    return info.name


def normalize(encoding: object) -> str:
    """Return the one spelling of `encoding`.

    Raises:
        UnknownEncodingError: If there is no such encoding.
    """
    if not isinstance(encoding, str):
        raise UnknownEncodingError(encoding)
    return _normalize(encoding)


def encode_text(text: str, encoding: object = "utf-8") -> bytes:
    """Return the bytes of `text`.

    For `hex` and `base64` it stops at, respectively leaves out, what is no digit.

    Raises:
        UnknownEncodingError: If there is no such encoding.
        InvalidArgValueError: If the encoding cannot express the text.
    """
    name = normalize(encoding)
    special = _FROM_TEXT.get(name)
    if special is not None:
        return special(text)
    try:
        return text.encode(name)
    except UnicodeError as error:
        raise InvalidArgValueError(
            "chunk", f"cannot be encoded: {error}", text
        ) from error


def make_decoder(encoding: str) -> TextDecoder:
    """Return a decoder for `encoding`, a name from `normalize`."""
    if encoding == "hex":
        return _HexDecoder()
    if encoding in ("base64", "base64url"):
        return _Base64Decoder(url=encoding == "base64url")
    return codecs.getincrementaldecoder(encoding)("replace")


def _from_hex(text: str) -> bytes:
    found = _HEX.match(text)
    return bytes.fromhex(found.group() if found else "")


def _from_base64(text: str) -> bytes:
    body, _, _ = text.partition("=")
    digits = _NOT_BASE64.sub("", body.replace("-", "+").replace("_", "/"))
    if len(digits) % 4 == 1:  # six bits are no byte
        digits = digits[:-1]
    return base64.b64decode(digits + "=" * (-len(digits) % 4))


_FROM_TEXT: Final[dict[str, Callable[[str], bytes]]] = {
    "hex": _from_hex,
    "base64": _from_base64,
    "base64url": _from_base64,
}


class _HexDecoder:
    __slots__ = ()

    def decode(self, data: bytes, final: bool = False) -> str:
        return data.hex()


class _Base64Decoder:
    """Keeps 1 or 2 bytes back, because only 3 bytes make whole digits."""

    __slots__ = ("_kept", "_url")

    def __init__(self, *, url: bool) -> None:
        self._kept = b""
        self._url = url

    def decode(self, data: bytes, final: bool = False) -> str:
        data = self._kept + data
        whole = len(data) if final else len(data) - len(data) % 3
        self._kept = data[whole:]
        if self._url:
            return base64.urlsafe_b64encode(data[:whole]).decode("ascii").rstrip("=")
        return base64.b64encode(data[:whole]).decode("ascii")

"""Whom a request is for: the forms of its target, and its Host field."""

import re
from functools import lru_cache
from typing import Final

from headrace.http_parser._methods import ASTERISK_METHODS

# uri-host = IP-literal / IPv4address / reg-name (RFC 3986 section 3.2.2); every
# IPv4address is a reg-name too.
_REG_NAME_PART: Final = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})"
_IP_LITERAL: Final = (
    rb"\[(?:[0-9A-Fa-f:.]++|[vV][0-9A-Fa-f]++\.[A-Za-z0-9\-._~!$&'()*+,;=:]++)\]"
)

# Host = uri-host [ ":" port ], port = *DIGIT (RFC 9110 section 7.2). An empty one is
# legal: the target had no authority.
_HOST: Final = re.compile(
    rb"(?:" + _IP_LITERAL + rb"|" + _REG_NAME_PART + rb"*+)(?::[0-9]*+)?+"
)

# authority-form = uri-host ":" port (RFC 9112 section 3.2.3)
_AUTHORITY_FORM: Final = re.compile(
    rb"(?:" + _IP_LITERAL + rb"|" + _REG_NAME_PART + rb"++):[0-9]++"
)

# absolute-form = scheme "://" authority [ path ] [ "?" query ] (RFC 9112 section 3.2.2)
# authority = [ userinfo "@" ] host [ ":" port ] with a host that is not empty
_ABSOLUTE_FORM: Final = re.compile(
    rb"[A-Za-z][A-Za-z0-9+.\-]*+://"
    rb"(?:(?:" + _REG_NAME_PART + rb"|:)*+@)?+"
    rb"(?:" + _IP_LITERAL + rb"|" + _REG_NAME_PART + rb"++)(?::[0-9]*+)?+"
    rb"(?:[/?#][\x21-\x7e]*+)?+"
)


def is_valid_target(method: str, target: bytes) -> bool:
    """Tell whether `target` has a form that `method` may have.

    Args:
        method: A known method.
        target: One or more visible ASCII characters.

    Source: RFC 9112 section 3.2. In paths and queries every visible character passes,
    as in Node: clients send more of them than the RFC has.
    """
    if method == "CONNECT":
        return _AUTHORITY_FORM.fullmatch(target) is not None
    if target.startswith(b"/"):
        return True
    if target == b"*":
        return method in ASTERISK_METHODS
    return _ABSOLUTE_FORM.fullmatch(target) is not None


# The same few names come again and again. A few long ones must not cost much memory.
@lru_cache(maxsize=64)
def is_valid_host(value: bytes) -> bool:
    """Tell whether `value`, without outer blanks, may stand in a Host field."""
    return _HOST.fullmatch(value) is not None

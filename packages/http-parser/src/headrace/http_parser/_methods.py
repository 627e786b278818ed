"""The request methods a server accepts, each with where it comes from."""

from typing import Final

_ORIGINS: Final = {
    "ACL": "RFC 3744 section 8.1",
    "BIND": "RFC 5842 section 4",
    "CHECKOUT": "RFC 3253 section 4.3",
    "CONNECT": "RFC 9110 section 9.3.6",
    "COPY": "RFC 4918 section 9.8",
    "DELETE": "RFC 9110 section 9.3.5",
    "GET": "RFC 9110 section 9.3.1",
    "HEAD": "RFC 9110 section 9.3.2",
    "LINK": "RFC 2068 section 19.6.1.2",
    "LOCK": "RFC 4918 section 9.10",
    "M-SEARCH": "UPnP Device Architecture 2.0 section 1.3.2",
    "MERGE": "RFC 3253 section 11.2",
    "MKACTIVITY": "RFC 3253 section 13.5",
    "MKCALENDAR": "RFC 4791 section 5.3.1",
    "MKCOL": "RFC 4918 section 9.3",
    "MOVE": "RFC 4918 section 9.9",
    "NOTIFY": "UPnP Device Architecture 2.0 section 4.3",
    "OPTIONS": "RFC 9110 section 9.3.7",
    "PATCH": "RFC 5789 section 2",
    "POST": "RFC 9110 section 9.3.3",
    "PROPFIND": "RFC 4918 section 9.1",
    "PROPPATCH": "RFC 4918 section 9.2",
    "PURGE": "in use by caches, not registered",
    "PUT": "RFC 9110 section 9.3.4",
    "QUERY": "draft-ietf-httpbis-safe-method-w-body",
    "REBIND": "RFC 5842 section 6",
    "REPORT": "RFC 3253 section 3.6",
    "SEARCH": "RFC 5323 section 2",
    "SOURCE": "in use by Icecast, not registered",
    "SUBSCRIBE": "UPnP Device Architecture 2.0 section 4.1",
    "TRACE": "RFC 9110 section 9.3.8",
    "UNBIND": "RFC 5842 section 5",
    "UNLINK": "RFC 2068 section 19.6.1.3",
    "UNLOCK": "RFC 4918 section 9.11",
    "UNSUBSCRIBE": "UPnP Device Architecture 2.0 section 4.1",
}

#: The methods a request parser accepts; they are case-sensitive (H-013).
METHODS: Final = tuple(sorted(_ORIGINS))

METHOD_BY_BYTES: Final = {method.encode(): method for method in METHODS}

#: The methods whose target may be ``*``: the server as a whole (RFC 9112 section 3.2.4)
#: and the multicast discovery of UPnP.
ASTERISK_METHODS: Final = frozenset({"OPTIONS", "M-SEARCH", "NOTIFY"})

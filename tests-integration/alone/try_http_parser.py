"""Parse a request that comes byte by byte, on h11, the engine that is always there."""

import importlib.util

from headrace.http_parser import NEED_DATA, EndOfMessage, RequestHead, RequestParser

REQUEST = (
    b"POST /words HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\nDigest: none\r\n\r\n"
)

assert importlib.util.find_spec("httptools") is None
parser = RequestParser()
events = []
for byte in REQUEST:
    parser.receive(bytes([byte]))
    while (event := parser.next_event()) is not NEED_DATA:
        events.append(event)

head, *body, end = events
assert isinstance(head, RequestHead)
assert (head.method, head.target) == ("POST", "/words")
assert b"".join(chunk for chunk in body if isinstance(chunk, bytes)) == b"firstsecond"
assert isinstance(end, EndOfMessage)
assert end.raw_trailers == ["Digest", "none"]
print(f"parsed {len(REQUEST)} bytes on h11")

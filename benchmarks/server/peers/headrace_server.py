"""The routes of the comparison on headrace.

``asyncio|uvloop|trio llhttp|h11 [CERT KEY]``; with a certificate over TLS.
"""

import json
import signal
import sys

import anyio

from headrace import http, https
from headrace.net.testing import port_of

CHUNK = b"x" * 65536


def hello(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    response.write_head(200, {"Content-Type": "text/plain"})
    response.end("Hello World\n")


def answer_json(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    read = len(request.headers)
    response.set_header("Content-Type", "application/json")
    response.set_header("Cache-Control", "no-store")
    response.set_header("X-Request-Id", request.headers.get("x-request-id", ""))
    response.set_header("Vary", "Accept")
    response.end(json.dumps({"message": "hello", "headers": read}))


def echo(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    chunks: list[bytes] = []
    request.on("data", chunks.append)
    request.on("end", lambda: response.end(b"".join(chunks)))


def chunked(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    for _ in range(8):
        response.write("a chunk of text\n")
    response.end()


def upload(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    size = 0

    def count(chunk: bytes) -> None:
        nonlocal size
        size += len(chunk)

    request.on("data", count)
    request.on("end", lambda: response.end(str(size)))


def download(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    left = int(request.url.rpartition("/")[2]) * 16
    response.set_header("Content-Length", left * len(CHUNK))

    def more() -> None:
        nonlocal left
        while left:
            left -= 1
            if not response.write(CHUNK):
                response.once("drain", more)
                return
        response.end()

    more()


ROUTES = {
    "/": hello,
    "/json": answer_json,
    "/echo": echo,
    "/chunked": chunked,
    "/upload": upload,
}


def route(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    ROUTES.get(request.url, download)(request, response)


async def main(engine: str, *files: str) -> None:
    options = {"engine": engine}
    server: http.Server
    if files:
        options |= zip(("cert", "key"), files, strict=True)
        server = https.create_server(options, route)
    else:
        server = http.create_server(options, route)
    server.listen(0, "127.0.0.1")
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with server:
            print(port_of(server), flush=True)
            async for _ in signals:
                break
            server.close_all_connections()


if __name__ == "__main__":
    runtime, engine, *files = sys.argv[1:]
    anyio.run(
        main,
        engine,
        *files,
        backend="trio" if runtime == "trio" else "asyncio",
        backend_options={"use_uvloop": True} if runtime == "uvloop" else {},
    )

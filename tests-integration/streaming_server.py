"""A server for tests from outside: prints its port, then ``peak KiB`` at the end.

    python streaming_server.py BACKEND ENGINE [unix socket path]

BACKEND is asyncio, uvloop or trio.

/            a page            /echo      the body, streamed back
/count       its size          /trailers  a chunked answer with trailers
/big/N       N MiB             /ignore    never reads the body, never answers
/mebibyte    1 MiB at once     /early     answers before the body
/raise       does not answer
CONNECT      tunnels           Upgrade    echoes
"""

import resource
import signal
import sys
from typing import Any
from urllib.parse import urlsplit

import anyio

from headrace import http, net
from headrace.net.testing import port_of
from headrace.streams import pipeline

PIECE = b"x" * 65536


async def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    url = request.url
    if url == "/echo":
        await pipeline(request, response)
    elif url == "/count":
        size = 0
        async for chunk in request:
            size += len(chunk)
        response.end(str(size))
    elif url == "/trailers":
        response.set_header("Trailer", "X-Sum")
        response.write("body")
        response.add_trailers({"X-Sum": "4"})
        response.end()
    elif url == "/early":
        response.end("that was quick")
    elif url == "/raise":
        raise ConnectionError("on purpose, and of the quiet kind")
    elif url.startswith("/big/"):
        await send_big(response, int(url.rpartition("/")[2]))
    elif url != "/ignore":
        response.set_header("X-Version", request.http_version)
        response.end("hello from headrace\n")


def listen(request: http.IncomingMessage, response: http.ServerResponse) -> Any:
    if request.url == "/mebibyte":
        response.end(PIECE * 16)
        return None
    return answer(request, response)


async def send_big(response: http.ServerResponse, mib: int) -> None:
    response.set_header("Content-Length", mib << 20)
    for _ in range(mib * 16):
        response.write(PIECE)
        await response.drain()
    response.end()


def tunnel(request: http.IncomingMessage, client: net.Socket, head: bytes) -> None:
    target = urlsplit(f"//{request.url}")
    upstream = net.connect(target.port or 443, target.hostname)

    def connected() -> None:
        client.write("HTTP/1.1 200 Connection Established\r\n\r\n")
        upstream.write(head)
        pipeline(client, upstream, lambda error: None)
        pipeline(upstream, client, lambda error: None)

    upstream.once("connect", connected)
    upstream.once("error", lambda error: client.destroy())


def echo(request: http.IncomingMessage, socket: net.Socket, head: bytes) -> None:
    socket.write(
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n"
    )
    socket.write(head)
    socket.pipe(socket)


async def main(engine: str, path: str | None) -> None:
    server = http.create_server({"engine": engine}, listen)
    server.on("connect", tunnel)
    server.on("upgrade", echo)
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        server.listen(path) if path else server.listen(0, "127.0.0.1")
        async with server:
            print(path or port_of(server), flush=True)
            async for _ in signals:
                break
            server.close_all_connections()
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)


if __name__ == "__main__":
    backend, engine, *rest = sys.argv[1:]
    uvloop = {"use_uvloop": True} if backend == "uvloop" else None
    anyio.run(
        main,
        engine,
        rest[0] if rest else None,
        backend="asyncio" if uvloop else backend,
        backend_options=uvloop,
    )

"""The main job in one program: a real server, a real client, a streamed exchange.

It tells each step on the terminal and ends by itself. With ``--serve`` the server stays
up, so that curl or a browser can talk to it.
"""

import argparse
import sys
from collections.abc import AsyncIterator
from platform import python_version

import anyio

from headrace import http
from headrace.streams import pipeline

PAGE = """<!doctype html>
<title>headrace</title>
<h1>Hello from headrace</h1>
<p>POST anything to <code>/echo</code> and it is streamed back while you send it.</p>
"""
PIECES = 64
PIECE = b"0123456789abcdef" * 4096  # 64 KiB


async def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    """Serve the hello page at / and a streaming echo at /echo."""
    if request.url == "/":
        response.write_head(200, {"Content-Type": "text/html; charset=utf-8"})
        response.end(PAGE)
    elif request.url == "/echo" and request.method == "POST":
        response.write_head(200, {"Trailer": "X-Echoed-Bytes"})
        echoed = 0

        async def count(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            nonlocal echoed
            async for chunk in chunks:
                echoed += len(chunk)
                yield chunk
            response.add_trailers({"X-Echoed-Bytes": str(echoed)})

        await pipeline(request, count, response)
    else:
        response.write_head(404, {"Content-Type": "text/plain"})
        response.end("There is / and there is POST /echo.\n")


def say(text: str) -> None:
    """Tell a step."""
    print(text, flush=True)


async def fetch_page(base: str) -> None:
    """GET the hello page and show what came."""
    response = await http.get(base + "/")
    text = await response.text()
    say(f"   {response.status_code} {response.status_message}, {len(text)} characters")
    say(f"   headers: {response.headers}")


async def stream_echo(base: str) -> None:
    """POST 4 MiB to the echo and read the answer while still sending."""
    request = http.request(base + "/echo", method="POST")

    async def send() -> None:
        for _ in range(PIECES):
            request.write(PIECE)
            await request.drain()
        request.end()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        response = await request
        say(f"   {response.status_code}: the answer begins while the request is sent")
        received = 0
        async for chunk in response:
            received += len(chunk)
    say(f"   {received // 1024} KiB came back, never more than a few held in memory")
    say(f"   trailers: {response.trailers}")


async def demo() -> None:
    """Start the server, use it, stop it."""
    say(f"headrace on Python {python_version()}\n")
    say("1. start a server on a free port")
    async with http.create_server(answer).listen(0, "127.0.0.1") as server:
        base = f"http://127.0.0.1:{server.address().port}"
        say(f"   listening on {base}")
        say("2. GET / with our own client")
        await fetch_page(base)
        say("3. POST 4 MiB to /echo, chunked, and read the answer meanwhile")
        await stream_echo(base)
        say("4. close the server")
    say("done: no connection, task or socket is left")


async def serve(port: int) -> None:
    """Keep the server up until Ctrl-C."""
    async with http.create_server(answer).listen(port, "127.0.0.1") as server:
        base = f"http://127.0.0.1:{server.address().port}"
        say(f"listening on {base}, stop with Ctrl-C; try:")
        say(f"  curl -i {base}/")
        say(f"  curl -i -T README.md -X POST {base}/echo")
        await anyio.sleep_forever()


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--serve", action="store_true", help="stay up until Ctrl-C")
    parser.add_argument("--port", type=int, default=8080, help="port of --serve")
    parser.add_argument("--backend", default="asyncio", choices=["asyncio", "trio"])
    arguments = parser.parse_args()
    try:
        if arguments.serve:
            anyio.run(serve, arguments.port, backend=arguments.backend)
        else:
            anyio.run(demo, backend=arguments.backend)
    except KeyboardInterrupt:
        say("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())

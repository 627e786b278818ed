"""The routes of the comparison on aiohttp."""

import asyncio
import json
import logging
import signal

from aiohttp import web

CHUNK = b"x" * 65536


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello World\n")


async def answer_json(request: web.Request) -> web.Response:
    body = json.dumps({"message": "hello", "headers": len(request.headers)})
    headers = {
        "Cache-Control": "no-store",
        "X-Request-Id": request.headers.get("x-request-id", ""),
        "Vary": "Accept",
    }
    return web.Response(text=body, content_type="application/json", headers=headers)


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def chunked(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(8):
        await response.write(b"a chunk of text\n")
    await response.write_eof()
    return response


async def upload(request: web.Request) -> web.Response:
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
    return web.Response(text=str(size))


async def download(request: web.Request) -> web.StreamResponse:
    left = int(request.match_info["mib"]) * 16
    response = web.StreamResponse(headers={"Content-Length": str(left * len(CHUNK))})
    await response.prepare(request)
    for _ in range(left):
        await response.write(CHUNK)
    await response.write_eof()
    return response


async def main() -> None:
    app = web.Application(client_max_size=1 << 40)
    app.router.add_get("/", hello)
    app.router.add_get("/json", answer_json)
    app.router.add_post("/echo", echo)
    app.router.add_get("/chunked", chunked)
    app.router.add_post("/upload", upload)
    app.router.add_get("/download/{mib}", download)
    # Idle connections are kept as long as by the others.
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=65)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


if __name__ == "__main__":
    # Clients that go away in the middle of a download are part of a benchmark.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    asyncio.run(main())

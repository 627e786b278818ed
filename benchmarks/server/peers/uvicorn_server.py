"""The routes of the comparison on uvicorn: ``asyncio|uvloop [CERT KEY]``."""

import asyncio
import json
import sys
from typing import Any

import uvicorn

CHUNK = b"x" * 65536


async def body_of(receive: Any) -> bytes:
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def size_of(receive: Any) -> int:
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    return size


async def start(send: Any, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def finish(send: Any, body: bytes, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def reply(send: Any, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await start(send, [*headers, length])
    await finish(send, body)


async def app(scope: Any, receive: Any, send: Any) -> None:
    path = scope["path"]
    if path == "/":
        await reply(send, b"Hello World\n", (b"content-type", b"text/plain"))
    elif path == "/json":
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = json.dumps({"message": "hello", "headers": len(headers)}).encode()
        await reply(
            send,
            body,
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
            (b"x-request-id", headers.get("x-request-id", "").encode()),
            (b"vary", b"Accept"),
        )
    elif path == "/echo":
        await reply(send, await body_of(receive))
    elif path == "/chunked":
        await start(send, [])
        for _ in range(8):
            await finish(send, b"a chunk of text\n", more=True)
        await finish(send, b"")
    elif path == "/upload":
        await reply(send, str(await size_of(receive)).encode())
    else:
        left = int(path.rpartition("/")[2]) * 16
        await start(send, [(b"content-length", str(left * len(CHUNK)).encode())])
        for _ in range(left):
            await finish(send, CHUNK, more=True)
        await finish(send, b"")


class Announcing(uvicorn.Server):
    """A server that prints its port."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)


if __name__ == "__main__":
    cert, key, *_ = [*sys.argv[2:], None, None]
    config = uvicorn.Config(
        app,
        port=0,
        loop=sys.argv[1],
        http="httptools",
        log_level="error",
        access_log=False,
        lifespan="off",
        ssl_certfile=cert,
        ssl_keyfile=key,
        timeout_keep_alive=65,  # as long as the others keep idle connections
    )
    asyncio.run(Announcing(config).serve()) if sys.argv[1] == "asyncio" else Announcing(
        config
    ).run()

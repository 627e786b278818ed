"""Send bytes through a Transform, with more of them than any buffer takes."""

from typing import Any

import anyio

from headrace.streams import Readable, Transform, Writable, pipeline

CHUNKS = [b"headrace " * 4096] * 32


async def main() -> None:
    arrived = bytearray()

    def shout(chunk: bytes, encoding: str, callback: Any) -> None:
        callback(None, chunk.upper())

    def keep(chunk: bytes, encoding: str, callback: Any) -> None:
        arrived.extend(chunk)
        callback()

    await pipeline(
        Readable.from_(CHUNKS), Transform(transform=shout), Writable(write=keep)
    )
    assert arrived == b"".join(CHUNKS).upper()
    print(f"sent {len(arrived)} bytes through a Transform")


anyio.run(main)

"""Emit events to listeners, and wait for one."""

import asyncio

from headrace.events import EventEmitter, once


async def main() -> None:
    emitter = EventEmitter()
    heard: list[str] = []
    emitter.on("word", heard.append)
    emitter.once("word", heard.append)
    assert emitter.emit("word", "first")
    assert emitter.emit("word", "second")
    assert heard == ["first", "first", "second"]

    asyncio.get_running_loop().call_soon(emitter.emit, "done", 1, 2)
    assert await once(emitter, "done") == (1, 2)
    print(f"emitted {len(heard)} words and awaited an event")


asyncio.run(main())

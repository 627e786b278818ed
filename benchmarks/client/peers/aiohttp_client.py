"""aiohttp's client."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from commands import PIECE, Command, obey


async def small(command: Command, session: aiohttp.ClientSession) -> None:
    async def one_after_the_other(count: int) -> None:
        for _ in range(count):
            async with session.get(command.url) as response:
                await response.read()

    async with asyncio.TaskGroup() as group:
        for _ in range(command.concurrency):
            group.create_task(
                one_after_the_other(command.amount // command.concurrency)
            )


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count // len(PIECE)):
        yield PIECE


async def run(command: Command) -> None:
    connector = aiohttp.TCPConnector(force_close=command.case == "connect", limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        if command.case == "down":
            async with session.get(command.url) as response:
                async for _ in response.content.iter_any():
                    pass
        elif command.case == "up":
            headers = {"Content-Length": str(command.amount)}
            async with session.post(
                command.url, data=pieces(command.amount), headers=headers
            ) as response:
                await response.read()
        else:
            await small(command, session)


def main() -> None:
    with asyncio.Runner() as runner:
        obey(lambda command: runner.run(run(command)))


if __name__ == "__main__":
    main()

"""httpx2's asynchronous client."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
from commands import PIECE, Command, obey


async def small(command: Command, client: httpx2.AsyncClient) -> None:
    async def one_after_the_other(count: int) -> None:
        for _ in range(count):
            await client.get(command.url)

    async with asyncio.TaskGroup() as group:
        for _ in range(command.concurrency):
            group.create_task(
                one_after_the_other(command.amount // command.concurrency)
            )


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count // len(PIECE)):
        yield PIECE


async def run(command: Command) -> None:
    headers = {"Connection": "close"} if command.case == "connect" else {}
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx2.AsyncClient(limits=limits, headers=headers) as client:
        if command.case == "down":
            async with client.stream("GET", command.url) as response:
                async for _ in response.aiter_bytes():
                    pass
        elif command.case == "up":
            await client.post(
                command.url,
                content=pieces(command.amount),
                headers={"Content-Length": str(command.amount)},
            )
        else:
            await small(command, client)


def main() -> None:
    with asyncio.Runner() as runner:
        obey(lambda command: runner.run(run(command)))


if __name__ == "__main__":
    main()

"""Our client: ``await`` or ``listen`` as the first argument, the loop as the second."""

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from commands import PIECE, Command, obey

from headrace import http

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STYLE, LOOP = sys.argv[1:3]


def agent_for(command: Command) -> http.Agent:
    return http.Agent(keep_alive=command.case != "connect", timeout=5.0)


async def awaited(command: Command, agent: http.Agent) -> None:
    async def one_after_the_other(count: int) -> None:
        for _ in range(count):
            response = await http.get(command.url, agent=agent)
            await response.body()

    async with asyncio.TaskGroup() as group:
        for _ in range(command.concurrency):
            group.create_task(
                one_after_the_other(command.amount // command.concurrency)
            )


async def listened(command: Command, agent: http.Agent) -> None:
    done = asyncio.get_running_loop().create_future()
    left = command.amount

    def start() -> None:
        http.get(command.url, respond, agent=agent)

    def respond(response: http.IncomingMessage) -> None:
        response.on("data", ignore)
        response.on("end", end)

    def ignore(chunk: Any) -> None:
        pass

    def end() -> None:
        nonlocal left
        left -= 1
        if left >= command.concurrency:
            start()
        elif left == 0:
            done.set_result(None)

    for _ in range(command.concurrency):
        start()
    await done


async def download(command: Command, agent: http.Agent) -> None:
    response = await http.get(command.url, agent=agent)
    if STYLE == "listen":
        done = asyncio.get_running_loop().create_future()
        response.on("data", lambda chunk: None)
        response.on("end", lambda: done.set_result(None))
        await done
    else:
        async for _ in response:
            pass


async def upload(command: Command, agent: http.Agent) -> None:
    async with http.request(
        command.url,
        agent=agent,
        method="POST",
        headers={"Content-Length": command.amount},
    ) as request:
        for _ in range(command.amount // len(PIECE)):
            request.write(PIECE)
            await request.drain()
        response = await request.end()
        await response.body()


async def run(command: Command) -> None:
    small = awaited if STYLE == "await" else listened
    work: dict[str, Callable[[Command, http.Agent], Awaitable[None]]]
    work = {"hello": small, "connect": small, "down": download, "up": upload}
    async with agent_for(command) as agent:
        await work[command.case](command, agent)


def main() -> None:
    if LOOP == "uvloop":
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    else:
        runner = asyncio.Runner()
    with runner:
        obey(lambda command: runner.run(run(command)))


if __name__ == "__main__":
    main()

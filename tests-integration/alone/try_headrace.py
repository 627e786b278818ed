"""Ask an own server on uvloop, with llhttp: what ``headrace[fast]`` brings."""

import asyncio
from importlib.metadata import version

import uvloop

from headrace import http, https, net
from headrace.http_parser import RequestParser


def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    response.end(request.url)


async def main() -> str:
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
    server = http.create_server(answer, engine="llhttp")
    async with server.listen(0, "127.0.0.1"):
        address = server.address()
        assert isinstance(address, net.Address)
        response = await http.get(f"http://127.0.0.1:{address.port}/fast")
        return await response.text()


assert issubclass(https.Agent, http.Agent)
RequestParser(engine="llhttp")
said = http.run(main, backend_options={"use_uvloop": True})
assert said == "/fast", said
print(
    f"answered {said!r} on uvloop {version('uvloop')}, httptools {version('httptools')}"
)

"""Ask two questions of a line-wise echo server, the second over the pooled socket."""

import anyio

from headrace import net
from headrace.agent import Agent, PooledRequest


class Question(PooledRequest):
    """One line out, one line back: a protocol that has nothing to do with HTTP."""

    socket: net.Socket

    def __init__(self, agent: Agent, line: bytes) -> None:
        self.answer = b""
        self.done = anyio.Event()
        self._agent = agent
        self._line = line

    def on_socket(self, socket: net.Socket) -> None:
        self.socket = socket
        socket.on("data", self._read)
        socket.write(self._line)

    def on_error(self, error: Exception) -> None:
        raise error

    def _read(self, chunk: bytes) -> None:
        self.answer += chunk
        if self.answer.endswith(b"\n"):
            self.socket.off("data", self._read)
            self._agent.release(self.socket, self)
            self.done.set()


async def ask(agent: Agent, port: int, line: bytes) -> net.Socket:
    question = Question(agent, line)
    agent.add_request(question, {"host": "127.0.0.1", "port": port})
    await question.done.wait()
    assert question.answer == line
    return question.socket


async def main() -> None:
    server = net.create_server(lambda socket: socket.pipe(socket))
    async with server.listen(0, "127.0.0.1"):
        address = server.address()
        assert isinstance(address, net.Address)
        agent = Agent(keep_alive=True)
        first = await ask(agent, address.port, b"first\n")
        second = await ask(agent, address.port, b"second\n")
        assert second is first
        agent.destroy()


net.run(main)
print("asked twice over one socket")

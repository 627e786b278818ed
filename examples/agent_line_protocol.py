"""A pool for a line protocol of our own: no HTTP is needed for it."""

from headrace import net
from headrace.agent import Agent, PooledRequest
from headrace.events.loop import Waiter

agent = Agent(keep_alive=True, max_sockets=2, host="127.0.0.1")


class Question(PooledRequest):
    def __init__(self, text: str, port: int) -> None:
        self.text, self.data, self.answer = text, b"", Waiter[str]()
        agent.add_request(self, {"port": port})

    def on_socket(self, socket: net.Socket) -> None:
        self.socket = socket.on("data", self.take).on("error", self.on_error)
        socket.write(f"{self.text}\n")

    def take(self, data: bytes) -> None:
        self.data += data
        if self.data.endswith(b"\n"):
            self.socket.off("data", self.take).off("error", self.on_error)
            agent.release(self.socket, self)
            self.answer.set(self.data.decode().strip())

    def on_error(self, error: Exception) -> None:
        self.answer.fail(error)


async def main() -> None:
    server = net.create_server(lambda socket: socket.pipe(socket))  # it echoes
    async with server.listen(0, "127.0.0.1"), agent:
        port = server.address().port
        for question in [Question(text, port) for text in ("one", "two", "three")]:
            print(await question.answer.wait(), f"reused={question.reused_socket}")


if __name__ == "__main__":
    net.run(main)

"""urllib3: one request after the other, for it has no loop."""

from collections.abc import Iterator

import urllib3
from commands import PIECE, Command, obey


class Body:
    """A file of so many bytes."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        piece: bytes = PIECE[: min(self.left, len(PIECE))]
        self.left -= len(piece)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read():
            yield piece


def run(command: Command) -> None:
    headers = {"Connection": "close"} if command.case == "connect" else {}
    with urllib3.PoolManager(headers=headers) as pool:
        if command.case == "down":
            response = pool.request("GET", command.url, preload_content=False)
            for _ in response.stream(65536):
                pass
        elif command.case == "up":
            pool.request(
                "POST",
                command.url,
                body=Body(command.amount),
                headers={"Content-Length": str(command.amount)},
            )
        else:
            for _ in range(command.amount):
                pool.request("GET", command.url)


if __name__ == "__main__":
    obey(run)

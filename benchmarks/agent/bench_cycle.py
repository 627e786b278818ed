"""What one exchange costs the pool: CPU microseconds from `add_request` to `release`.

One free socket is handed out and given back, without any bytes. The second number is
what the same cycle does on the socket and the loop alone: asking the system for input,
`ref` and `unref`, one tick.

Usage: bench_cycle.py [cycles]
"""

import select
import sys
from collections.abc import Callable
from time import process_time

from headrace import net
from headrace.agent import Agent, FrozenOptions, PooledRequest
from headrace.events.loop import current

ROUNDS = 9


class Request(PooledRequest):
    """Keeps its socket."""

    consumes = keeps_watch = True

    def on_socket(self, socket: net.Socket) -> None:
        self.socket = socket

    def on_error(self, error: Exception) -> None:
        raise error


def best(work: Callable[[], object], cycles: int) -> float:
    """Return the microseconds of one call in the fastest round."""
    times = []
    for _ in range(ROUNDS):
        began = process_time()
        for _ in range(cycles):
            work()
        times.append(process_time() - began)
    return min(times) / cycles * 1e6


async def main(cycles: int) -> None:
    server = net.create_server(lambda socket: socket.resume())
    agent = Agent(keep_alive=True)
    loop = current()
    async with server.listen(0, "127.0.0.1"), agent:
        address = server.address()
        assert isinstance(address, net.Address)
        options = FrozenOptions({"host": "127.0.0.1", "port": address.port})
        async with agent.lease(options) as socket:
            pass
        await loop.checkpoint()  # out of the drain that has woken this task
        poll = select.poll()
        poll.register(socket._handle or 0, select.POLLIN)

        def cycle() -> None:
            request = Request()
            agent.add_request(request, options)
            loop.drain()
            agent.release(request.socket, request)

        def socket_alone() -> None:
            loop.next_tick(Request)
            loop.drain()
            poll.poll(0)
            socket.set_keep_alive(True, 1.0).unref().ref()

        whole = best(cycle, cycles)
        alone = best(socket_alone, cycles)
    print(f"pool cycle {whole:.2f} us, of it socket and loop {alone:.2f} us")


if __name__ == "__main__":
    net.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)

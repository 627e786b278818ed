"""Ask an own server, and read its answer."""

from headrace import http, net


def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    response.end(f"{request.method} {request.url}")


async def main() -> str:
    async with http.create_server(answer).listen(0, "127.0.0.1") as server:
        address = server.address()
        assert isinstance(address, net.Address)
        response = await http.get(f"http://127.0.0.1:{address.port}/hello")
        assert response.status_code == 200
        return await response.text()


said = http.run(main)
assert said == "GET /hello", said
print(f"answered {said!r}")

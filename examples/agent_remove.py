"""Three requests: a pooled one, one taken out of the pool, one without (H-169)."""

from collections.abc import Callable

from headrace import http, net


def main() -> None:
    """Show which requests share a socket."""
    server = http.create_server(lambda req, res: res.end(req.headers["connection"]))
    agent = http.Agent(keep_alive=True)

    def show(
        label: str, then: Callable[[], object]
    ) -> Callable[[http.IncomingMessage], None]:
        def on_response(response: http.IncomingMessage) -> None:
            response.set_encoding("utf-8")
            response.on("data", lambda text: print(label, response.status_code, text))
            response.on("end", then)

        return on_response

    def third() -> None:
        options = {
            "hostname": "127.0.0.1",
            "port": server.address().port,
            "path": "/",
            "agent": False,
        }
        http.get(options, show("own agent:", server.close))

    def second() -> None:
        name = agent.get_name({"host": "127.0.0.1", "port": server.address().port})
        url = f"http://127.0.0.1:{server.address().port}/b"
        request = http.get(url, show("removed:", third), agent=agent)

        def on_socket(socket: net.Socket) -> None:
            print("in agent:", socket in agent.sockets.get(name, []))
            socket.emit("agent_remove")
            print("in agent:", socket in agent.sockets.get(name, []))

        request.on("socket", on_socket)

    def first() -> None:
        url = f"http://127.0.0.1:{server.address().port}/index.html"
        request = http.get(url, show("Got response:", second))
        request.on("error", lambda error: print("Got error:", error))

    server.listen(0, "127.0.0.1", first)


if __name__ == "__main__":
    net.run(main)

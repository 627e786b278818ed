"""Leave HTTP for another protocol on the same connection (H-168)."""

from headrace import http, net


def main() -> None:
    """Upgrade a connection and have it echo."""

    def ordinary(req: http.IncomingMessage, res: http.ServerResponse) -> None:
        res.write_head(200, {"Content-Type": "text/plain"})
        res.end("okay")

    server = http.create_server(ordinary)

    def on_upgrade(req: http.IncomingMessage, socket: net.Socket, head: bytes) -> None:
        socket.write(
            "HTTP/1.1 101 Web Socket Protocol Handshake\r\n"
            "Upgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n"
        )
        socket.pipe(socket)  # echo

    server.on("upgrade", on_upgrade)

    def start_client() -> None:
        request = http.request(
            port=server.address().port,
            hostname="127.0.0.1",
            headers={"Connection": "Upgrade", "Upgrade": "websocket"},
        )
        request.end()

        def upgraded(
            response: http.IncomingMessage, socket: net.Socket, upgrade_head: bytes
        ) -> None:
            print("got upgraded!", response.status_code)
            socket.write(b"ping")

            def echoed(chunk: bytes) -> None:
                print("echo:", chunk.decode())
                socket.end()
                server.close()

            socket.on("data", echoed)

        request.on("upgrade", upgraded)

    server.listen(0, "127.0.0.1", start_client)


if __name__ == "__main__":
    net.run(main)

"""A tunnelling proxy: CONNECT on the server and on the client (H-167)."""

from urllib.parse import urlsplit

from headrace import http, net


def main() -> None:
    """Run an origin and a proxy, and fetch from the one through the other."""
    origin = http.create_server(lambda req, res: res.end("from the origin"))

    def proxy_request(req: http.IncomingMessage, res: http.ServerResponse) -> None:
        res.write_head(200, {"Content-Type": "text/plain"})
        res.end("okay")

    proxy = http.create_server(proxy_request)

    def on_connect(
        req: http.IncomingMessage, client_socket: net.Socket, head: bytes
    ) -> None:
        target = urlsplit(f"http://{req.url}")

        def connected() -> None:
            client_socket.write(
                b"HTTP/1.1 200 Connection Established\r\nProxy-agent: headrace\r\n\r\n"
            )
            server_socket.write(head)
            server_socket.pipe(client_socket)
            client_socket.pipe(server_socket)

        server_socket = net.connect(target.port or 80, target.hostname, connected)

    proxy.on("connect", on_connect)

    def start_client() -> None:
        authority = f"127.0.0.1:{origin.address().port}"
        request = http.request(
            {
                "port": proxy.address().port,
                "hostname": "127.0.0.1",
                "method": "CONNECT",
                "path": authority,
            }
        )
        request.end()

        def tunnelled(
            response: http.IncomingMessage, socket: net.Socket, head: bytes
        ) -> None:
            print("got connected!", response.status_code)
            socket.write(
                f"GET / HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
            )
            received = bytearray()
            socket.on("data", received.extend)

            def finished() -> None:
                first = received.split(b"\r\n")[0].decode()
                print(first, received.endswith(b"from the origin"))
                proxy.close()
                origin.close()

            socket.on("end", finished)

        request.on("connect", tunnelled)

    origin.listen(0, "127.0.0.1", lambda: proxy.listen(0, "127.0.0.1", start_client))


if __name__ == "__main__":
    net.run(main)

"""A hello page; stop it with Ctrl-C."""

from headrace import http


def main() -> None:
    """Serve on port 8080."""

    def hello(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        response.write_head(200, {"Content-Type": "text/plain"})
        response.end("Hello World\n")

    server = http.create_server(hello)
    server.listen(8080, "127.0.0.1", lambda: print("http://127.0.0.1:8080/"))


if __name__ == "__main__":
    http.run(main)

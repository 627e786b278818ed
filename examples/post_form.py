"""POST a form and read the answer: the callback style, end to end (H-166)."""

from urllib.parse import parse_qs, urlencode

from headrace import http, net


def main() -> None:
    """Serve one form and send it."""

    def on_request(
        request: http.IncomingMessage, response: http.ServerResponse
    ) -> None:
        body = bytearray()
        request.on("data", body.extend)

        def done() -> None:
            fields = parse_qs(body.decode())
            response.write_head(200, {"Content-Type": "text/plain"})
            response.end(f"{request.method} {request.url} {fields['msg'][0]}")
            server.close()

        request.on("end", done)

    server = http.create_server(on_request)

    def send() -> None:
        post_data = urlencode({"msg": "Hello World!"}).encode()
        options = {
            "hostname": "127.0.0.1",
            "port": server.address().port,
            "path": "/upload",
            "method": "POST",
            "headers": {
                "Content-Type": "application/x-www-form-urlencoded",
                "Content-Length": len(post_data),
            },
        }

        def on_response(response: http.IncomingMessage) -> None:
            print("STATUS:", response.status_code)
            print("TYPE:", response.headers["content-type"])
            response.set_encoding("utf-8")
            response.on("data", lambda chunk: print("BODY:", chunk))
            response.on("end", lambda: print("No more data in response."))

        request = http.request(options, on_response)
        request.on("error", lambda error: print("problem with request:", error))
        request.write(post_data)
        request.end()

    server.listen(0, "127.0.0.1", send)


if __name__ == "__main__":
    net.run(main)

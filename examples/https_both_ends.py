"""HTTPS with certificates on both ends; trustme plays the authority."""

import trustme

from headrace import http, https, net

AUTHORITY = trustme.CA()


def certificate(name: str) -> dict[str, bytes]:
    """Have a certificate made; in real life these are files."""
    made = AUTHORITY.issue_cert(name)
    chain = b"".join(pem.bytes() for pem in made.cert_chain_pems)
    return {"cert": chain, "key": made.private_key_pem.bytes()}


def greet(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    socket = request.socket
    assert isinstance(socket, net.TLSSocket)
    who = (socket.get_peer_certificate() or {}).get("subjectaltname", "a stranger")
    response.end(f"hello {who} on {socket.servername}")


async def main() -> None:
    """Ask with a certificate, without one, and by a wrong name."""
    ca = AUTHORITY.cert_pem.bytes()
    asking = {"ca": ca, "request_cert": True, "reject_unauthorized": False}
    server = https.create_server({**certificate("localhost"), **asking}, greet)
    async with server.listen(0, "127.0.0.1"), https.Agent(ca=ca, family=4) as agent:
        url = f"https://localhost:{server.address().port}/"
        for mine in (certificate("me.example"), {}):
            print(await (await https.get(url, {**mine, "agent": agent})).text())
        try:
            await https.get(url, agent=agent, server_hostname="other.example")
        except net.TLSError as error:
            print(error.code)


if __name__ == "__main__":
    http.run(main)

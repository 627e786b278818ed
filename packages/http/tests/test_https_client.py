"""The client over TLS: who is trusted, what is shared, what is resumed."""

import socket as system
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from headrace import http, https, net
from headrace.events import once
from headrace.events.loop import checkpoint, current
from headrace.http.testing import (
    HostileServer,
    Peer,
    Script,
    close_before_answer,
    endless_head,
    garbage,
    half_head,
    ok,
    silence,
    stays,
)

AUTHORITY = trustme.CA()
OTHER = trustme.CA()


def pem(*blobs: trustme.Blob) -> bytes:
    return b"".join(blob.bytes() for blob in blobs)


CA = pem(AUTHORITY.cert_pem)
SERVER = AUTHORITY.issue_cert("127.0.0.1", "localhost", "server.test")
CLIENT = AUTHORITY.issue_cert("client.test")
SERVER_OPTIONS = {
    "cert": pem(*SERVER.cert_chain_pems),
    "key": pem(SERVER.private_key_pem),
}


def describe(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    """Answer with what the server knows of the connection."""
    socket: Any = request.socket
    response.end(f"{socket.servername} {bool(socket.authorized)}")


@asynccontextmanager
async def serving(
    listener: Any = describe, **options: Any
) -> AsyncIterator[tuple[str, net.TLSServer]]:
    """Run a server with TLS; give its URL and itself."""
    plain = http.create_server(listener)
    secure = net.create_tls_server({**SERVER_OPTIONS, **options})
    secure.on("secure_connection", lambda socket: plain.emit("connection", socket))
    secure.on("tls_client_error", lambda error, socket: None)
    secure.listen(0, "127.0.0.1")
    async with secure:
        address: Any = secure.address()
        yield f"https://127.0.0.1:{address.port}/", secure


async def text(url: str, **options: Any) -> str:
    response = await https.get(url, **options)
    return await response.text()


async def test_a_trusted_server() -> None:
    """ca of the request or of the agent: the answer comes (X-071, N-172)."""
    async with serving() as (url, _):
        async with https.Agent(ca=CA) as agent:
            assert await text(url, agent=agent) == "None False"
        async with https.Agent() as agent:
            assert await text(url, agent=agent, ca=CA) == "None False"


async def test_an_unknown_server_is_refused() -> None:
    """Verification is on by default, with the system's authorities (X-071)."""
    async with serving() as (url, _), https.Agent() as agent:
        with pytest.raises(net.TLSError, match="does not hold"):
            await https.get(url, agent=agent)
        assert agent.total_socket_count == 0


@pytest.mark.parametrize(
    "options",
    [
        {"ca": pem(OTHER.cert_pem)},
        {"ca": CA, "server_hostname": "wrong.test"},
    ],
)
async def test_a_wrong_certificate_is_refused(options: dict[str, Any]) -> None:
    """Another authority, another name: the request fails (X-071)."""
    async with serving() as (url, _), https.Agent(**options) as agent:
        with pytest.raises(net.TLSError, match="does not hold"):
            await https.get(url, agent=agent)


async def test_not_verifying_is_a_choice() -> None:
    """reject_unauthorized=False takes any server (X-071)."""
    async with (
        serving() as (url, _),
        https.Agent(reject_unauthorized=False) as agent,
    ):
        assert await text(url, agent=agent) == "None False"


async def test_the_server_learns_the_name() -> None:
    """SNI is the host, or server_hostname (X-071)."""
    async with serving() as (url, _), https.Agent(ca=CA) as agent:
        by_host = url.replace("127.0.0.1", "localhost")
        assert await text(by_host, agent=agent, family=4) == "localhost False"
        named = await text(url, agent=agent, server_hostname="server.test")
        assert named == "server.test False"


async def test_no_name_is_asked_for() -> None:
    """An empty server_hostname sends none; who verifies needs one (X-071)."""
    async with serving() as (url, _), https.Agent(keep_alive=True) as agent:
        url = url.replace("127.0.0.1", "localhost")
        for name, found in (("", "None"), (None, "localhost")):
            answer = await text(
                url, agent=agent, server_hostname=name, reject_unauthorized=False
            )
            assert answer == f"{found} False"
        with pytest.raises(ValueError, match="server_hostname"):
            await text(url, agent=agent, server_hostname="", ca=CA)


async def test_a_client_certificate() -> None:
    """cert and key are presented to a server that asks (X-071)."""
    mine: dict[str, Any] = {
        "cert": pem(*CLIENT.cert_chain_pems),
        "key": pem(CLIENT.private_key_pem),
    }
    async with (
        serving(ca=CA, request_cert=True) as (url, _),
        https.Agent(ca=CA, **mine) as agent,
    ):
        assert await text(url, agent=agent) == "None True"


async def test_requests_share_a_connection_if_all_of_tls_is_equal() -> None:
    """The name covers each option, and no secret is in it (H-096, pitfall 20)."""
    key = pem(CLIENT.private_key_pem).decode()
    async with serving() as (url, _), https.Agent(keep_alive=True, ca=CA) as agent:
        port = url.split(":")[2].strip("/")
        for options in (
            {},
            {"server_hostname": "localhost"},
            {"reject_unauthorized": False},
            {"cert": pem(*CLIENT.cert_chain_pems), "key": key},
            {},
        ):
            await text(url, agent=agent, **options)
            await checkpoint()
        names = list(agent.free_sockets)
        assert len(names) == 4
        assert all(name.startswith(f"127.0.0.1:{port}:") for name in names)
        assert not any(key[40:60] in name for name in names)


@pytest.mark.parametrize("ca", [{CA}, iter([CA]), bytearray(CA)])
async def test_options_that_could_be_taken_for_others(ca: Any) -> None:
    """What is only known by its identity names no connection (H-096)."""
    async with https.Agent() as agent:
        with pytest.raises(TypeError, match="ca must be"):
            await https.get("https://h.invalid/", agent=agent, ca=ca)
        assert agent.total_socket_count == 0


async def test_a_session_is_of_one_context() -> None:
    """It is not tried with another one, which `ssl` would refuse (X-071)."""
    async with serving() as (url, _), https.Agent() as agent:
        for _ in range(2):
            context = net.create_secure_context(ca=CA)
            for _ in range(2):
                answer = await text(url, agent=agent, ssl_context=context)
                assert answer == "None False"
            agent._contexts.clear()  # as if a hundred others had come
            assert await text(url, agent=agent, ca=CA) == "None False"


async def test_a_session_is_resumed() -> None:
    """The next connection to the same server need not begin anew (X-071)."""

    def resumed(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        socket: Any = request.socket
        response.end(str(socket.is_session_reused()))

    async with serving(resumed) as (url, _):
        async with https.Agent(ca=CA) as agent:
            answers = [await text(url, agent=agent) for _ in range(5)]
        # A ticket may come behind the answer: then a later connection has it.
        assert answers[0] == "False"
        assert "True" in answers
        async with https.Agent(ca=CA, max_cached_sessions=0) as agent:
            assert [await text(url, agent=agent) for _ in range(2)] == ["False"] * 2


async def test_the_default_agent() -> None:
    """https.global_agent: keeps sockets, port 443, speaks https: only (X-070)."""
    agent = https.global_agent
    assert (agent.protocol, agent.default_port) == ("https:", 443)
    assert (agent.keep_alive, agent.timeout) == (True, 5.0)
    request = https.request("https://h.invalid/").on("error", lambda error: None)
    assert request.agent is agent
    assert request.get_header("host") == "h.invalid"
    request.destroy()
    for url, get in (("http://h/", https.get), ("https://h/", http.get)):
        with pytest.raises(TypeError) as caught:
            get(url)
        assert getattr(caught.value, "code", None) == "ERR_INVALID_PROTOCOL"


async def test_an_agent_of_its_own() -> None:
    """agent=False verifies as well (H-067)."""
    async with serving() as (url, _):
        with pytest.raises(net.TLSError, match="does not hold"):
            await https.get(url, agent=False)
        assert await text(url, agent=False, ca=CA) == "None False"


async def plain_text(peer: Peer) -> None:
    await peer.send(ok())
    await peer.read_all()


async def test_a_connection_without_tls_is_an_error() -> None:
    """A server that does not speak TLS: an error on the request (N-152)."""
    async with HostileServer(plain_text) as server, https.Agent(ca=CA) as agent:
        with pytest.raises(net.TLSError):
            await https.get(f"https://127.0.0.1:{server.port}/", agent=agent)
        assert agent.total_socket_count == 0


HALF = b"HTTP/1.1 200 OK\r\n\r\nhalf"


@pytest.mark.parametrize("clean", [True, False])
async def test_a_body_cut_on_the_way_is_not_complete(clean: bool) -> None:
    """Without TLS's own end anybody may have ended it (RFC 9112 section 9.8)."""

    def answer(socket: Any) -> None:
        def sent(error: object) -> None:
            if clean:
                socket.end()
            else:
                socket._handle.shutdown(system.SHUT_RDWR)

        socket.once("data", lambda chunk: socket.write(HALF, None, sent))

    server = net.create_tls_server(SERVER_OPTIONS, answer).listen(0, "127.0.0.1")
    async with server, https.Agent(ca=CA) as agent:
        address: Any = server.address()
        response = await https.get(f"https://127.0.0.1:{address.port}/", agent=agent)
        if clean:
            assert await response.body() == b"half"
        else:
            with pytest.raises(ConnectionResetError, match="aborted"):
                await response.body()


# Through a proxy


async def tunnel(peer: Peer) -> None:
    """Do what a proxy does for CONNECT."""
    head = await peer.read_head()
    host, _, port = head.split(b" ")[1].decode().rpartition(":")
    await peer.send(b"HTTP/1.1 200 Established\r\n\r\n")
    await peer.forward_to(host.strip("[]"), int(port))


async def test_a_tunnel_through_a_proxy() -> None:
    """CONNECT with credentials; TLS is with the origin (X-064)."""
    async with serving() as (url, _), HostileServer(tunnel) as proxy:
        environment = {"https_proxy": f"http://me:secret@127.0.0.1:{proxy.port}"}
        async with https.Agent(ca=CA, keep_alive=True, proxy_env=environment) as agent:
            assert await text(url, agent=agent) == "None False"
            assert await text(url, agent=agent) == "None False"
        authority = url.removeprefix("https://").strip("/")
        assert proxy.connections == 1
        (head,) = (head.decode() for head in proxy.heads)
    assert head.startswith(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n")
    assert "\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n" in head
    assert "Connection" not in head  # a proxy may take "close" for the tunnel's end


async def test_a_proxy_that_refuses() -> None:
    """Its status is in the error (X-064)."""
    refusal = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"
    async with HostileServer(stays(refusal)) as proxy:
        environment = {"https_proxy": f"http://127.0.0.1:{proxy.port}"}
        async with https.Agent(proxy_env=environment) as agent:
            with pytest.raises(ConnectionError, match="407") as caught:
                await https.get("https://h.invalid/", agent=agent)
            assert agent.total_socket_count == 0
    assert vars(caught.value)["status_code"] == 407


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (close_before_answer, "ECONNRESET"),
        (half_head, "ECONNRESET"),
        (garbage, "HPE_INVALID_CONSTANT"),
        (endless_head, "HPE_HEADER_OVERFLOW"),
    ],
)
async def test_a_proxy_that_does_not_answer(script: Script, cause: str) -> None:
    """It is told from an origin that does not; what happened is the cause (X-064)."""
    async with HostileServer(script) as proxy:
        environment = {"https_proxy": f"http://127.0.0.1:{proxy.port}"}
        async with https.Agent(proxy_env=environment) as agent:
            with pytest.raises(http.ProxyError, match=r"h\.invalid:443") as caught:
                await https.get("https://h.invalid/", agent=agent)
            assert agent.total_socket_count == 0
    assert (caught.value.code, caught.value.status_code) == ("ERR_PROXY_TUNNEL", None)
    assert getattr(caught.value.__cause__, "code", None) == cause


@pytest.mark.parametrize("whose", ["request", "agent"])
async def test_idle_time_while_the_tunnel_is_asked_for(whose: str) -> None:
    """The `timeout` event comes before there is a socket, too (H-069, X-059)."""
    timeout: Any = {"timeout": 0.01}
    mine, agents = (timeout, {}) if whose == "request" else ({}, timeout)
    async with HostileServer(silence) as proxy:
        environment = {"https_proxy": f"http://127.0.0.1:{proxy.port}"}
        async with https.Agent(proxy_env=environment, **agents) as agent:
            async with https.get("https://h.invalid/", agent=agent, **mine) as request:
                await once(request, "timeout")
                assert request.socket is None
                assert not request.destroyed  # it ends nothing by itself
            assert request.destroyed
            assert agent.total_socket_count == 0


async def test_giving_up_while_the_tunnel_is_asked_for() -> None:
    """The connection to the proxy is closed, and no task is left (X-064, X-051)."""
    closed = anyio.Event()

    async def says_nothing(peer: Peer) -> None:
        await peer.read_head()
        request.destroy()
        assert await peer.read_all() == b""
        closed.set()

    async with HostileServer(says_nothing) as proxy:
        environment = {"https_proxy": f"http://127.0.0.1:{proxy.port}"}
        async with https.Agent(proxy_env=environment, keep_alive=True) as agent:
            request = https.get("https://h.invalid/", agent=agent)
            with pytest.raises(ConnectionResetError):
                await request
            await closed.wait()
            assert agent.total_socket_count == 0
            await checkpoint()
            assert "tasks=0" in str(current())


async def test_a_proxy_that_is_spoken_to_by_tls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """https://proxy: the request to it is encrypted, too (X-064)."""
    targets: list[str] = []

    def forward(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        targets.append(request.url)
        response.end("forwarded")

    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with (
        serving(forward) as (url, _),
        http.Agent(proxy_env={"http_proxy": url}) as agent,
    ):
        response = await http.get("http://origin.invalid/x", agent=agent)
        assert await response.text() == "forwarded"
    assert targets == ["http://origin.invalid/x"]


@pytest.mark.parametrize("url", ["http://:80/", "https://:443/", "https:///x"])
async def test_a_url_without_a_host_is_none(url: str) -> None:
    """ERR_INVALID_URL, whichever of the two schemes it has (H-058)."""
    with pytest.raises(TypeError) as caught:
        https.request(url)
    assert getattr(caught.value, "code", None) == "ERR_INVALID_URL"


async def test_set_timeout_covers_the_handshake() -> None:
    """It counts from the connect on, not from the end of the handshake (H-084)."""
    async with HostileServer(silence) as server, https.Agent() as agent:
        request = https.get(f"https://127.0.0.1:{server.port}/", agent=agent)
        request.on("error", lambda error: None)
        request.set_timeout(0.02)
        await once(request, "timeout")
        socket: Any = request.socket
        assert socket.secure_connecting
        request.destroy()

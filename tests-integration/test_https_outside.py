"""TLS with others: Node's https on either side, curl, Python's own ssl (X-071)."""

import datetime
import json
import shutil
import socket
import ssl
from collections.abc import Iterator
from typing import Any, NamedTuple

import anyio
import pytest
import trustme
from peers import Program, needs_node, node_command, running

from headrace import http, https, net
from headrace.net.testing import port_of
from headrace.streams import pipeline

needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed"
)


class Files(NamedTuple):
    """PEM files of one run."""

    ca: str
    cert: str
    key: str
    client_cert: str
    client_key: str


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who has signed all certificates that are good."""
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Its certificate, one for a server and one for a client, as files."""
    folder = tmp_path_factory.mktemp("tls")
    paths = Files(*(str(folder / f"{name}.pem") for name in Files._fields))
    server = authority.issue_cert("localhost", "127.0.0.1")
    client = authority.issue_cert("client.test")
    authority.cert_pem.write_to_path(paths.ca)
    server.private_key_pem.write_to_path(paths.key)
    server.cert_chain_pems[0].write_to_path(paths.cert)
    client.private_key_pem.write_to_path(paths.client_key)
    client.cert_chain_pems[0].write_to_path(paths.client_cert)
    return paths


@pytest.fixture(params=["llhttp", "h11"])
def engine(request: pytest.FixtureRequest) -> str:
    """The engine of our parser."""
    return str(request.param)


async def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    sock = request.socket
    assert isinstance(sock, net.TLSSocket)
    if request.url == "/echo":
        await pipeline(request, response)
    else:
        shown = sock.get_peer_certificate() or {}
        name = shown.get("subjectaltname")
        response.end(f"{sock.is_session_reused()} {name}")


def our_server(files: Files, engine: Any, **options: Any) -> https.Server:
    given = {"cert": files.cert, "key": files.key, "engine": engine, **options}
    return https.create_server(given, answer).listen(0, "127.0.0.1")


# Node's client, our server


async def ask_node(scenario: str, server: net.Server, *paths: str) -> Any:
    command = node_command("https_client.js", scenario, str(port_of(server)), *paths)
    done = await anyio.run_process(command, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return json.loads(done.stdout)


@needs_node
async def test_node_keeps_a_connection_and_resumes(files: Files, engine: str) -> None:
    """Two requests on one connection, the next resumes its session (N-172)."""
    async with our_server(files, engine) as server:
        found = await ask_node("sequence", server, files.ca)
    assert found["reused"] == [False, True, False]
    assert found["seen"] == ["False None", "False None", "True None"]


@needs_node
async def test_node_sends_a_large_body(files: Files, engine: str) -> None:
    """Two MiB come back as they were (N-172)."""
    async with our_server(files, engine) as server:
        found = await ask_node("echo", server, files.ca)
    assert found == {"code": None, "same": True}


@needs_node
async def test_node_shows_a_certificate(files: Files) -> None:
    """request_cert: we know the client (H-148)."""
    async with our_server(files, "auto", request_cert=True, ca=files.ca) as server:
        found = await ask_node(
            "get", server, files.ca, files.client_cert, files.client_key
        )
    assert found["text"] == "False DNS:client.test"


# Our client, Node's server


@pytest.fixture(scope="module")
def node(files: Files) -> Iterator[Program]:
    """One server for the tests of our client."""
    command = node_command("https_server.js", files.cert, files.key, files.ca)
    with running(command) as program:
        yield program
        assert program.errors() == ""


async def facts(node: Program, **options: Any) -> Any:
    url = f"https://localhost:{node.port}/facts"
    return await (await https.get(url, family=4, **options)).json()


@needs_node
async def test_facts_of_node(node: Program, files: Files) -> None:
    """Name, protocol, certificate as Node sees them; a session resumed (X-071)."""
    options: dict[str, Any] = {
        "ca": files.ca,
        "cert": files.client_cert,
        "key": files.client_key,
    }
    async with https.Agent(**options) as agent:
        first = await facts(node, agent=agent)
        second = await facts(node, agent=agent)
    number = first.pop("number")
    assert first == {
        "alpn": "http/1.1",
        "authorized": True,
        "client": "DNS:client.test",
        "reused": False,
        "servername": "localhost",
    }
    assert (second["reused"], second["number"]) == (True, number + 1)
    async with https.Agent(ca=files.ca, keep_alive=True) as agent:
        third = await facts(node, agent=agent)
        fourth = await facts(node, agent=agent)
    assert (third["authorized"], third["client"]) == (False, None)
    assert third["number"] == fourth["number"]


@needs_node
async def test_bodies_that_end_with_the_connection(node: Program, files: Files) -> None:
    """Whole with TLS's own end, aborted without (RFC 9112 section 9.8)."""
    async with https.Agent(ca=files.ca) as agent:
        url = f"https://127.0.0.1:{node.port}/until"
        assert await (await https.get(url, agent=agent)).text() == "until the end"
        cut = f"https://127.0.0.1:{node.port}/cut"
        with pytest.raises(ConnectionResetError, match="aborted"):
            await (await https.get(cut, agent=agent)).text()


@needs_node
async def test_a_large_body_to_node_and_back(node: Program, files: Files) -> None:
    """Two MiB come back as they were (N-172)."""
    data = bytes(range(256)) * 8192
    async with https.Agent(ca=files.ca) as agent:
        url = f"https://127.0.0.1:{node.port}/echo"
        request = https.request(url, agent=agent, method="POST")
        request.end(data)
        assert await (await request).body() == data


# What both clients say of a bad certificate


def expired(authority: trustme.CA) -> trustme.LeafCert:
    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    return authority.issue_cert("localhost", not_after=past)


BAD = {
    "expired": "CERT_HAS_EXPIRED",
    "other name": "ERR_TLS_CERT_ALTNAME_INVALID",
    "root in chain": "SELF_SIGNED_CERT_IN_CHAIN",
    "self-signed": "DEPTH_ZERO_SELF_SIGNED_CERT",
    "of a middleman": "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
}


def bad_certificate(kind: str, authority: trustme.CA) -> tuple[bytes, bytes]:
    """Return a chain and its key."""
    other = trustme.CA()
    if kind == "expired":
        leaf, more = expired(authority), b""
    elif kind == "other name":
        leaf, more = authority.issue_cert("other.test"), b""
    elif kind == "root in chain":
        leaf, more = other.issue_cert("localhost"), other.cert_pem.bytes()
    elif kind == "of a middleman":
        middle = other.create_child_ca()
        leaf = middle.issue_cert("localhost")
        return b"".join(p.bytes() for p in leaf.cert_chain_pems), key_of(leaf)
    else:
        # An authority's own certificate in the place of a server's.
        return other.cert_pem.bytes(), other.private_key_pem.bytes()
    return leaf.cert_chain_pems[0].bytes() + more, key_of(leaf)


def key_of(leaf: trustme.LeafCert) -> bytes:
    return leaf.private_key_pem.bytes()


@needs_node
@pytest.mark.parametrize("kind", BAD)
async def test_bad_certificates_have_the_codes_of_node(
    kind: str, authority: trustme.CA, files: Files
) -> None:
    """The same code from Node's client and from ours (X-071)."""
    cert, key = bad_certificate(kind, authority)
    async with our_server(files, "auto", cert=cert, key=key) as server:
        found = await ask_node("get", server, files.ca)
        with pytest.raises(net.TLSError) as caught:
            await https.get(
                f"https://127.0.0.1:{port_of(server)}/",
                ca=files.ca,
                server_hostname="localhost",
                agent=False,
            )
    assert (found["code"], caught.value.code) == (BAD[kind], BAD[kind])


# curl


async def curl(
    files: Files, server: net.Server, *options: str, path: str = "/"
) -> tuple[int, str]:
    command = ["curl", "-sS", "--max-time", "50", "--cacert", files.ca, *options]
    url = f"https://127.0.0.1:{port_of(server)}{path}"
    done = await anyio.run_process([*command, url], check=False)
    return done.returncode, done.stdout.decode()


@needs_curl
async def test_curl_gets_answers(files: Files, engine: str) -> None:
    """HTTP/1.1 and 1.0, with and without a certificate of its own (X-071)."""
    mine = ["--cert", files.client_cert, "--key", files.client_key]
    asking: dict[str, Any] = {
        "request_cert": True,
        "ca": files.ca,
        "reject_unauthorized": False,
    }
    async with our_server(files, engine, **asking) as server:
        assert await curl(files, server) == (0, "False None")
        assert await curl(files, server, "--http1.0") == (0, "False None")
        assert await curl(files, server, *mine) == (0, "False DNS:client.test")
        assert await curl(files, server, "-d", "a body", path="/echo") == (0, "a body")
        assert await curl(files, server, "--http1.0", "-d", "a body", path="/echo") == (
            0,
            "a body",
        )


@needs_curl
async def test_curl_is_refused(files: Files) -> None:
    """Without the certificate that is demanded; by plain HTTP (X-071)."""
    async with our_server(files, "auto", request_cert=True, ca=files.ca) as server:
        code, _ = await curl(files, server)
        assert code in (35, 55, 56)
        plain = ["curl", "-sS", f"http://127.0.0.1:{port_of(server)}/"]
        done = await anyio.run_process(plain, check=False)
        assert done.returncode in (52, 56)
        mine = ["--cert", files.client_cert, "--key", files.client_key]
        assert await curl(files, server, *mine) == (0, "False DNS:client.test")


# Python's own ssl


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_versions_of_tls(
    files: Files, version: ssl.TLSVersion, engine: str
) -> None:
    """TLS 1.2 and 1.3, from a blocking client in a thread (X-071)."""
    context = ssl.create_default_context(cafile=files.ca)
    context.minimum_version = context.maximum_version = version

    def ask(port: int) -> tuple[str | None, bytes]:
        with (
            socket.create_connection(("127.0.0.1", port)) as below,
            context.wrap_socket(
                below, server_hostname="localhost", suppress_ragged_eofs=False
            ) as sock,
        ):
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            received = b""
            while chunk := sock.recv(65536):
                received += chunk
            return sock.version(), received

    async with our_server(files, engine) as server:
        spoken, received = await anyio.to_thread.run_sync(ask, port_of(server))
    assert spoken == version.name.replace("v1_", "v1.")
    assert received.endswith(b"\r\n\r\nFalse None")

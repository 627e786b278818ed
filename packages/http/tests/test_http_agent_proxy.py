"""Which requests go through a proxy, and what they say to it (X-064)."""

from typing import Any

import pytest

from headrace import http
from headrace.http._proxy import Proxies
from headrace.http.testing import HostileServer, ok, stays


def proxied(no_proxy: str, host: str, port: int = 80) -> bool:
    proxies = Proxies({"http_proxy": "http://proxy:3128", "no_proxy": no_proxy})
    return proxies.find("http:", host, port) is not None


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("", "example.com", False),
        ("*", "example.com", True),
        ("example.com", "example.com", True),
        ("example.com", "EXAMPLE.com.", True),
        ("Example.COM", "example.com", True),
        ("example.com", "www.example.com", False),
        ("example.com", "notexample.com", False),
        (".example.com", "www.example.com", True),
        (".example.com", "example.com", False),
        (".example.com", "badexample.com", False),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.0.0.0/8", "10.20.30.40", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.1-10.0.0.9", "10.0.0.5", True),
        ("10.0.0.1-10.0.0.9", "10.0.0.10", False),
        ("10.0.0.1-10.0.0.9", "host", False),
        ("::1", "::1", True),
        ("[::1]", "::1", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("a, b  c", "b", True),
        ("a, b  c", "d", False),
        ("my-host", "my-host", True),
    ],
)
def test_no_proxy(no_proxy: str, host: str, direct: bool) -> None:
    """`*`, hosts, suffixes, addresses, networks and ranges (X-064)."""
    assert proxied(no_proxy, host) is not direct


@pytest.mark.parametrize(
    ("no_proxy", "port", "direct"),
    [
        ("h:81", 81, True),
        ("h:81", 80, False),
        (".suffix:81", 81, False),
        ("[::1]:81", 81, False),
    ],
)
def test_no_proxy_with_a_port(no_proxy: str, port: int, direct: bool) -> None:
    """`host:port` counts for that port only (X-064)."""
    assert proxied(no_proxy, "h", port) is not direct
    assert proxied("[::1]:81", "::1", port) is (port != 81)


def test_lower_case_names_win() -> None:
    """http_proxy before HTTP_PROXY; an empty one is none (X-064)."""
    both = {"http_proxy": "http://low:1", "HTTP_PROXY": "http://UP:2"}
    found = Proxies(both).find("http:", "h", 80)
    assert found is not None
    assert (found.host, found.port) == ("low", 1)
    assert Proxies({"HTTP_PROXY": ""}).find("http:", "h", 80) is None
    assert Proxies({"HTTPS_PROXY": "http://p"}).find("http:", "h", 80) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://p", ("p", 80, False, None)),
        ("p:3128", ("p", 3128, False, None)),
        ("https://p", ("p", 443, True, None)),
        ("http://us%40er:pass@p:1", ("p", 1, False, "Basic dXNAZXI6cGFzcw==")),
    ],
)
def test_the_url_of_a_proxy(url: str, expected: tuple[Any, ...]) -> None:
    """Credentials are decoded, a scheme may be absent (X-064)."""
    assert tuple(Proxies({"http_proxy": url}).find("http:", "h", 80) or ()) == expected


@pytest.mark.parametrize("url", ["socks5://p:1", "http://", "http://p:x", "a b"])
def test_a_bad_proxy_raises_when_the_agent_is_made(url: str) -> None:
    """ERR_PROXY_INVALID_CONFIG, before any request (X-064)."""
    with pytest.raises(TypeError) as caught:
        http.Agent(proxy_env={"HTTP_PROXY": url})
    assert getattr(caught.value, "code", None) == "ERR_PROXY_INVALID_CONFIG"
    wrong: Any = 5
    with pytest.raises(TypeError):
        http.Agent(proxy_env=wrong)


@pytest.mark.parametrize("before", ["http://", ""])
@pytest.mark.parametrize("user", ["me:secret", "me:sec\r\nret", "me:sec/ret", "a@:ret"])
def test_a_bad_proxy_is_told_without_its_password(before: str, user: str) -> None:
    """What goes to a log has no credentials in it (X-064)."""
    with pytest.raises(http.InvalidProxyError) as caught:
        http.Agent(proxy_env={"HTTP_PROXY": f"{before}{user}@proxy.test:port"})
    assert "ret" not in str(caught.value)
    assert f"{before}proxy.test:port" in str(caught.value)


async def test_an_absolute_target_goes_to_the_proxy() -> None:
    """Absolute-form, credentials, one connection for all origins (X-064)."""
    async with HostileServer(stays(ok(b"1"), ok(b"2"))) as proxy:
        environment = {"http_proxy": f"http://me:secret@127.0.0.1:{proxy.port}"}
        async with http.Agent(keep_alive=True, proxy_env=environment) as agent:
            first = await http.get("http://one.invalid/a?b", agent=agent)
            assert await first.body() == b"1"
            second = await http.get("http://two.invalid:81/", agent=agent)
            assert await second.body() == b"2"
        assert proxy.connections == 1
    heads = [head.decode() for head in proxy.heads]
    assert heads[0].startswith("GET http://one.invalid/a?b HTTP/1.1\r\n")
    assert "\r\nHost: one.invalid\r\n" in heads[0]
    assert "\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n" in heads[0]
    assert heads[1].startswith("GET http://two.invalid:81/ HTTP/1.1\r\n")


async def test_no_proxy_goes_directly() -> None:
    """The exempt host sees an ordinary request, without credentials (X-064)."""
    async with HostileServer(stays(ok(b"direct"))) as server:
        environment = {
            "HTTP_PROXY": "http://me:secret@127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
        }
        async with http.Agent(proxy_env=environment) as agent:
            response = await http.get(server.url("/x"), agent=agent)
            assert await response.body() == b"direct"
    assert server.heads[0].startswith(b"GET /x HTTP/1.1\r\n")
    assert b"Proxy-Authorization" not in server.heads[0]


async def test_a_head_given_as_a_list_gets_the_credentials() -> None:
    """Else the proxy could not be used with one (X-064, H-065)."""
    async with HostileServer(stays(ok())) as proxy:
        environment = {"http_proxy": f"http://a:b@127.0.0.1:{proxy.port}"}
        async with http.Agent(proxy_env=environment) as agent:
            await http.get("http://h.invalid/", agent=agent, headers=["Host", "h"])
    assert b"\r\nHost: h\r\nProxy-Authorization: Basic YTpi\r\n" in proxy.heads[0]


async def test_the_asterisk_form_names_the_origin() -> None:
    """OPTIONS * becomes the origin without a path (RFC 9112 section 3.2.4)."""
    async with HostileServer(stays(ok())) as proxy:
        environment = {"http_proxy": f"127.0.0.1:{proxy.port}"}
        async with http.Agent(proxy_env=environment) as agent:
            request = http.request(
                host="h.invalid", method="OPTIONS", path="*", agent=agent
            )
            await request.end()
    assert proxy.heads[0].startswith(b"OPTIONS http://h.invalid HTTP/1.1\r\n")


def test_no_proxy_by_default() -> None:
    """The environment is not looked at unless it is given (X-064)."""
    assert http.Agent().proxies is None
    assert http.global_agent.proxies is None

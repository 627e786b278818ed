"""A request whose pooled socket turned out closed wants a new one (X-056)."""

from typing import Any

from headrace.agent._pool import Do, Limits, Pool


def pool(**limits: float) -> Pool[str, str]:
    settings = Limits()
    settings.keep_alive = True
    for name, value in limits.items():
        setattr(settings, name, value)
    return Pool(settings)


def rest(books: Pool[str, str], *sockets: str) -> None:
    """Have these sockets rest under the name ``n``."""
    connections = []
    for socket in sockets:
        ((_, connection),) = books.add(f"request {socket}", "n", {})
        books.connected(connection, socket)
        assert connection.claim is not None
        assert books.deliver(connection, connection.claim)
        connections.append(connection)
    for connection in connections:
        books.release(connection, reusable=True)


def done(steps: Any) -> list[tuple[Do, str | None]]:
    return [(do, connection.socket) for do, connection in steps]


def test_it_gets_no_resting_socket() -> None:
    """Below the limit a new connection is made beside the resting ones."""
    books = pool()
    rest(books, "old")
    assert done(books.add("again", "n", {}, fresh=True)) == [(Do.CONNECT, None)]
    assert books.free_sockets() == {"n": ["old"]}
    assert done(books.add("other", "n", {})) == [(Do.HAND_OVER, "old")]


def test_a_resting_socket_makes_way() -> None:
    """At the limit of the name the one that has rested longest is closed."""
    books = pool(max_sockets=2)
    rest(books, "first", "second")
    assert done(books.add("again", "n", {}, fresh=True)) == [
        (Do.CLOSE, "first"),
        (Do.CONNECT, None),
    ]
    assert books.size == 2


def test_a_resting_socket_makes_way_at_the_limit_of_all() -> None:
    """So it is at the limit of all names together."""
    books = pool(max_total_sockets=1)
    rest(books, "only")
    assert done(books.add("again", "n", {}, fresh=True)) == [
        (Do.CLOSE, "only"),
        (Do.CONNECT, None),
    ]


def test_it_waits_for_a_working_one_like_any_other() -> None:
    """What works this instant is not closed: it may serve this request next."""
    books = pool(max_sockets=1)
    ((_, connection),) = books.add("busy", "n", {})
    books.connected(connection, "socket")
    assert connection.claim is not None
    assert books.deliver(connection, connection.claim)
    assert done(books.add("again", "n", {}, fresh=True)) == []
    assert done(books.release(connection, reusable=True)) == [(Do.HAND_OVER, "socket")]

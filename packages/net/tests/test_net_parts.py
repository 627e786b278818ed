"""The parts without I/O: addresses, errors, the table, the send queue, options."""

import errno
import pickle
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import net
from headrace.net._address import from_sockaddr
from headrace.net._lookup import Candidate, interleave, literal
from headrace.net._send_queue import SendQueue
from headrace.net._state import (
    LINK,
    LISTENING,
    SECURING,
    SENDING,
    Link,
    LinkMove,
    Sending,
    advance,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("127.0.0.1", 4),
        ("255.255.255.255", 4),
        ("::1", 6),
        ("::ffff:1.2.3.4", 6),
        ("fe80::1%eth0", 6),
        ("2001:db8::", 6),
        ("", 0),
        ("1.2.3", 0),
        ("1.2.3.4.5", 0),
        ("01.2.3.4", 0),
        ("256.1.1.1", 0),
        ("1.2.3.4 ", 0),
        ("1.2.3.4\0", 0),
        (":::1", 0),
        ("::1%", 0),
        ("[::1]", 0),
        ("localhost", 0),
        ("\N{FULLWIDTH DIGIT ONE}.2.3.4", 0),
        (None, 0),
        (127, 0),
        (b"127.0.0.1", 0),
    ],
)
def test_net_is_ip(text: Any, version: int) -> None:
    """`is_ip` gives 4, 6 or 0; the others say which (X-085)."""
    assert net.is_ip(text) == version
    assert net.is_ipv4(text) is (version == 4)
    assert net.is_ipv6(text) is (version == 6)


def test_net_address_of_other_families_is_none() -> None:
    """Unix sockets have no IP address."""
    assert from_sockaddr(socket.AF_UNIX, "/s") is None
    assert from_sockaddr(socket.AF_INET6, ("::1", 5, 0, 0)) == net.Address(
        "::1", "IPv6", 5
    )


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ECONNRESET, ConnectionResetError),
        (errno.ECONNREFUSED, ConnectionRefusedError),
        (errno.ECONNABORTED, ConnectionAbortedError),
        (errno.EPIPE, BrokenPipeError),
        (errno.ETIMEDOUT, TimeoutError),
        (errno.ENOENT, FileNotFoundError),
        (errno.EACCES, PermissionError),
        (errno.EADDRINUSE, OSError),
        (errno.EMFILE, OSError),
    ],
)
def test_net_socket_error_is_the_fitting_builtin(
    number: int, kind: type[OSError]
) -> None:
    """An error of the class Python uses, with Node's facts (H-011)."""
    error = net.SocketError.of(number, "connect", address="::1", port=5)
    assert isinstance(error, kind)
    assert isinstance(error, net.SocketError)
    assert isinstance(error, net.NetError)
    assert (error.code, error.errno) == (errno.errorcode[number], number)
    assert str(error) == f"connect {errno.errorcode[number]} ::1:5"
    if kind is not OSError:
        assert type(error).__name__ == kind.__name__


def test_net_socket_error_can_be_pickled_and_wrapped() -> None:
    """All facts survive; a SocketError is not wrapped again."""
    error = net.SocketError.of(errno.ENOENT, "connect", path=b"/tmp/s")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (copy.code, copy.path, str(copy)) == (error.code, error.path, str(error))
    assert net.SocketError.from_exception(error, "read") is error
    wrapped = net.SocketError.from_exception(OSError("too long"), "bind")
    assert (wrapped.code, str(wrapped)) == ("EINVAL", "bind EINVAL")
    assert wrapped.__cause__ is not None


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (socket.EAI_NONAME, "ENOTFOUND"),
        (socket.EAI_AGAIN, "EAI_AGAIN"),
        (socket.EAI_MEMORY, "EAI_MEMORY"),
        (12345, "EAI_FAIL"),
    ],
)
def test_net_lookup_error_codes(number: int, code: str) -> None:
    """What the resolver says, in Node's words (H-011)."""
    cause = socket.gaierror(number, "text")
    error = net.LookupFailedError.from_exception("some.name", cause)
    assert (error.code, error.hostname) == (code, "some.name")
    assert str(error) == f"getaddrinfo {code} some.name"
    assert error.__cause__ is cause


def test_net_link_table_says_who_may_connect() -> None:
    """Only a new and a closed socket connect; only an alive one is destroyed."""
    connects = {state for state, move in LINK if move is LinkMove.CONNECT}
    assert connects == {Link.NEW, Link.CLOSED}


@pytest.mark.parametrize(
    "table", [LINK, LISTENING, SECURING, SENDING], ids=["link", "list", "tls", "send"]
)
def test_net_tables_allow_nothing_else(table: Any) -> None:
    """What is not in a table raises, with state and move (house style 7)."""
    states = {state for state, _ in table} | set(table.values())
    moves = {move for _, move in table}
    for state in states:
        for move in moves:
            if (state, move) not in table:
                with pytest.raises(net.IllegalMoveError, match=move.name) as caught:
                    advance(table, state, move)
                assert (caught.value.state, caught.value.move) == (state, move)


def test_net_closed_transports_stay_closed() -> None:
    """No move leads out of CLOSED."""
    assert not [state for state, _ in SENDING if state is Sending.CLOSED]


def test_net_families_take_turns() -> None:
    """Happy eyeballs alternates, beginning with the resolver's first (RFC 8305, 4)."""
    four = [Candidate(socket.AF_INET, (f"10.0.0.{n}", 1)) for n in range(3)]
    six = [Candidate(socket.AF_INET6, (f"fd00::{n}", 1, 0, 0)) for n in range(1)]
    assert interleave([*six, *four]) == [six[0], *four]
    assert interleave([*four, *six]) == [four[0], six[0], four[1], four[2]]
    assert interleave([]) == []


def test_net_literal_addresses() -> None:
    """An IP address is its own candidate, a name is none."""
    assert literal("127.0.0.1", 5) == Candidate(socket.AF_INET, ("127.0.0.1", 5))
    assert literal("::1", 5) == Candidate(socket.AF_INET6, ("::1", 5, 0, 0))
    assert literal("localhost", 5) is None
    with pytest.raises(OSError, match=r"."):
        literal("fe80::1%no-such-zone", 5)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.integers(0, 30),
            st.tuples(st.just("take"), st.integers(1, 30)),
        )
    )
)
def test_net_send_queue_equals_a_bytearray(steps: list[Any]) -> None:
    """Whatever is put in, sent and taken: the same bytes wait, in order."""
    queue, model = SendQueue(), bytearray()
    for step in steps:
        if isinstance(step, bytes):
            queue.extend([step])
            model += step
        elif isinstance(step, int):
            size = min(step, len(model))
            queue.consume(size)
            del model[:size]
        else:
            assert queue.take(step[1]) == model[: step[1]]
            del model[: step[1]]
        assert queue.size == len(model)
        assert model.startswith(b"".join(queue.pieces()))

"""From options to a connected socket: look-up, then happy eyeballs (RFC 8305).

    start --path or IP--> dialling --one answers--> connected
    start --name--> looking up --> dialling --all refuse--> failed

Everything is called back through `Loop.deliver`, one of `_dial_connected` and
`_dial_failed` exactly once and neither after `abort`.

A connection to this machine, and on a busy loop one to the next, is made by the time
the loop comes round. So an attempt looks again a turn later, with one system call, and
only then has the loop watch the socket, which takes three and a lot of bookkeeping.
"""

import errno
import socket
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from anyio.abc import ByteStream

from headrace.events.loop import Loop, Owner
from headrace.net import _lookup
from headrace.net._address import AF_UNIX, HAS_UNIX, error_facts, family_name, is_ip
from headrace.net._errors import LookupFailedError, SocketError
from headrace.net._lookup import Candidate
from headrace.net._unwatched import StreamAttempt, can_watch, discard

if TYPE_CHECKING:
    from headrace.events.loop import Task, Timer

#: RFC 8305 calls it Connection Attempt Delay and recommends 250 ms; Node's default too.
ATTEMPT_DELAY: Final = 0.25
#: A Unix socket whose backlog is full says "again" and cannot be waited for.
_UNIX_RETRY_DELAY: Final = 0.02
_UNDER_WAY: Final = frozenset(
    {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR, errno.EALREADY}
)
_MADE: Final = (0, errno.EISCONN)
#: Linux tells by a second `connect` how the first one went. Others may begin anew.
_CAN_LOOK_AGAIN: Final = sys.platform == "linux"
#: A socket that is born nonblocking is spared a system call.
_NONBLOCKING: Final[int] = getattr(socket, "SOCK_NONBLOCK", 0)
_KIND: Final = socket.SOCK_STREAM | _NONBLOCKING


AnyAttempt: TypeAlias = "Attempt | StreamAttempt"


class Dialler(Protocol):
    """Who wants a connection."""

    _owner: Owner | None

    def _dial_lookup(
        self,
        error: Exception | None,
        address: str | None,
        family: int | None,
        host: str,
    ) -> None: ...
    def _dial_connected(self, sock: Any, remote: Any) -> None: ...
    def _dial_failed(self, error: Exception) -> None: ...


class Dial:
    """One try at making a connection.

    Args:
        loop: The running loop.
        dialler: Who is called back.
        options: Checked options of `connect`.
        candidate: The one address to try, if it is known already.
    """

    __slots__ = (
        "_attempts",
        "_candidate",
        "_dialler",
        "_done",
        "_errors",
        "_lookup",
        "_options",
        "_timer",
        "_waiting",
        "loop",
    )

    def __init__(
        self,
        loop: Loop,
        dialler: Dialler,
        options: Mapping[str, Any],
        candidate: Candidate | None = None,
    ) -> None:
        self.loop = loop
        self._dialler = dialler
        self._options = options
        self._candidate = candidate
        self._waiting: list[Candidate] = []
        self._attempts: list[AnyAttempt] = []
        self._errors: list[Exception] = []
        self._lookup: Task | None = None
        self._timer: Timer | None = None
        self._done = False
        loop.attach(self)

    def start(self) -> None:
        """Begin; must be called from a tick, because a path may fail at once."""
        if self._done:
            return
        if self._candidate is not None:
            self._try(self._candidate)
        elif "path" in self._options:
            self._start_path(self._options["path"])
        else:
            self._start_host(self._options.get("host") or "localhost")

    def _start_host(self, host: str) -> None:
        try:
            candidate = _lookup.literal(host, self._options["port"])
        except OSError as error:  # a zone that does not exist
            self._fail(LookupFailedError.from_exception(host, error))
            return
        if candidate is not None:
            self._try(candidate)
        else:
            owner = self._dialler._owner
            self._lookup = self.loop.spawn(self._resolve(host), owner=owner)

    def _start_path(self, path: str | bytes) -> None:
        if HAS_UNIX:
            self._try(Candidate(AF_UNIX, path))
        else:
            self._fail(SocketError.of(errno.EAFNOSUPPORT, "connect", path=path))

    # Look-up

    async def _resolve(self, host: str) -> None:
        options = self._options
        try:
            found = await _lookup.resolve(
                host, options["port"], options.get("family", 0), options.get("lookup")
            )
        except Exception as error:
            self._lookup = None
            self._tell(error, None, None, host)
            self._fail(error)
        else:
            self._lookup = None
            self._resolved(host, found)

    def _resolved(self, host: str, found: list[Candidate]) -> None:
        if not self._options.get("auto_select_family", True):
            found = found[:1]
        for family, sockaddr in found:
            self._tell(None, sockaddr[0], 6 if family == socket.AF_INET6 else 4, host)
        self._dial(self._reachable(_lookup.interleave(found)))

    def _tell(
        self,
        error: Exception | None,
        address: str | None,
        family: int | None,
        host: str,
    ) -> None:
        dialler = self._dialler
        lookup = dialler._dial_lookup
        self.loop.deliver(dialler._owner, lookup, error, address, family, host)

    def _reachable(self, candidates: list[Candidate]) -> list[Candidate]:
        """Leave out the family that the local address does not have."""
        version = is_ip(self._options.get("local_address"))
        wanted = {4: "IPv4", 6: "IPv6"}.get(version)
        kept = [row for row in candidates if family_name(row.family) == wanted]
        return kept if wanted and kept else candidates

    # Dialling

    def _dial(self, candidates: list[Candidate]) -> None:
        if not self._done:
            self._waiting = candidates
            self._next()

    def _next(self) -> None:
        """Try the next address, and the one after it if this takes long."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        candidate = self._waiting.pop(0)
        if self._waiting:
            delay = self._options.get("auto_select_family_attempt_timeout")
            self._timer = self.loop.call_later(
                ATTEMPT_DELAY if delay is None else delay, self._next
            ).unref()
        self._try(candidate)

    def _try(self, candidate: Candidate) -> None:
        kind = Attempt if can_watch(self.loop) else StreamAttempt
        attempt = kind(self, candidate, self._options)
        self._attempts.append(attempt)
        attempt.start()

    def connected(self, attempt: AnyAttempt, sock: socket.socket | ByteStream) -> None:
        """Take the first connection that was made; the other attempts are given up."""
        self._forget(attempt)
        loop, dialler = self.loop, self._dialler
        loop.drain()  # here and not in `deliver`: a tick may give the dial up
        if self._done:
            discard(loop, sock)
            return
        self._stop()
        remote = attempt.candidate.sockaddr
        try:
            loop.deliver(dialler._owner, dialler._dial_connected, sock, remote)
        finally:
            loop.detach(self)  # now: something was open all the time

    def refused(self, attempt: AnyAttempt, error: Exception) -> None:
        """Go on with the next address; with none left, fail."""
        self._forget(attempt)
        self._errors.append(error)
        if self._waiting:
            self._next()
        elif not self._attempts:
            self._fail(_combine(self._errors))

    def _fail(self, error: Exception) -> None:
        self.loop.drain()
        if not self._done:
            self.abort()
            self.loop.deliver(self._dialler._owner, self._dialler._dial_failed, error)

    def _forget(self, attempt: AnyAttempt) -> None:
        if attempt in self._attempts:
            self._attempts.remove(attempt)

    def abort(self) -> None:
        """Give up; nothing is called back any more."""
        if not self._done:
            self._stop()
            self.loop.detach(self)

    def _stop(self) -> None:
        self._done = True
        if self._timer is not None:
            self._timer.cancel()
        if self._lookup is not None:
            self._lookup.cancel()
        if self._waiting:
            self._waiting = []
        if self._attempts:
            attempts, self._attempts = self._attempts, []
            for attempt in attempts:
                attempt.close()


class Attempt:
    """Connecting one socket to one address."""

    __slots__ = ("_dial", "_options", "_socket", "_timer", "candidate")

    def __init__(
        self, dial: Dial, candidate: Candidate, options: Mapping[str, Any]
    ) -> None:
        self._dial = dial
        self._options = options
        self._socket: socket.socket | None = None
        self._timer: Timer | None = None
        self.candidate = candidate

    def start(self) -> None:
        """Make the socket and begin to connect."""
        try:
            sock = socket.socket(self.candidate.family, _KIND)
        except OSError as error:
            self._refuse(error)
            return
        self._socket = sock
        if not _NONBLOCKING:
            sock.setblocking(False)
        if self._bind(sock):
            self._connect()

    def _bind(self, sock: socket.socket) -> bool:
        options = self._options
        if "local_address" not in options and "local_port" not in options:
            return True
        if self.candidate.family == AF_UNIX:
            return True
        default = "::" if self.candidate.family == socket.AF_INET6 else "0.0.0.0"
        local = (options.get("local_address", default), options.get("local_port", 0))
        try:
            sock.bind(local)
        except OSError as error:
            if isinstance(error, socket.gaierror):  # no address of this family
                error = OSError(errno.EADDRNOTAVAIL, str(error))
            self._refuse_as(
                SocketError.from_exception(
                    error, "bind", address=local[0], port=local[1] or None
                )
            )
            return False
        return True

    def _connect(self) -> None:
        self._timer = None
        sock = self._socket
        if sock is None:
            return
        try:
            number = sock.connect_ex(self.candidate.sockaddr)
        except OSError as error:  # the path is too long
            self._refuse(error)
            return
        if not number:
            self._connected()
        elif self.candidate.family == AF_UNIX and number == errno.EAGAIN:
            self._timer = self._dial.loop.call_later(_UNIX_RETRY_DELAY, self._connect)
            self._timer.unref()
        elif number not in _UNDER_WAY:
            self._refuse(OSError(number, ""))
        elif _CAN_LOOK_AGAIN:
            round_of(self._dial.loop).add(self)
        else:
            self._dial.loop.watch_writable(sock, self._answered)

    def look_again(self) -> None:
        """See whether the connection is made by now; else have it watched."""
        sock = self._socket
        if sock is None:
            return
        number = sock.connect_ex(self.candidate.sockaddr)
        if number in _MADE:
            self._connected()
        elif number in _UNDER_WAY:
            self._dial.loop.watch_writable(sock, self._answered)
        else:
            self._refuse(OSError(number, ""))

    def _answered(self) -> None:
        sock = self._socket
        if sock is None:
            return
        self._dial.loop.unwatch_writable(sock)
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._refuse(OSError(number, ""))
        else:
            self._connected()

    def _connected(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            self._dial.connected(self, sock)

    def _refuse(self, error: OSError) -> None:
        facts = error_facts(*self.candidate)
        self._refuse_as(SocketError.from_exception(error, "connect", **facts))

    def _refuse_as(self, error: SocketError) -> None:
        self.close()
        self._dial.refused(self, error)

    def close(self) -> None:
        """Give up."""
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._dial.loop.unwatch_writable(self._socket)
            self._socket.close()
            self._socket = None


class Round:
    """The attempts of one loop that look again when the present turn is over."""

    __slots__ = ("_attempts", "_loop")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._attempts: list[Attempt] = []

    def add(self, attempt: Attempt) -> None:
        """Let an attempt look again."""
        if not self._attempts:
            self._loop.after_turn(self._look)
        self._attempts.append(attempt)

    def _look(self) -> None:
        attempts, self._attempts = self._attempts, []
        attempts.reverse()
        try:
            while attempts:
                attempts.pop().look_again()
        finally:
            for attempt in attempts:  # a KeyboardInterrupt is on its way out
                self.add(attempt)


_ROUND: Final = "headrace.net attempts to look at again"


def round_of(loop: Loop) -> Round:
    """Return the round of a loop."""
    known: Round | None = loop.locals.get(_ROUND)
    if known is None:
        known = loop.locals[_ROUND] = Round(loop)
    return known


def _combine(errors: list[Exception]) -> Exception:
    """Return the only error, or one like the first whose cause is the group of all.

    Source: spec X-063.
    """
    first = errors[0]
    if len(errors) == 1 or not isinstance(first, SocketError):
        return first
    several = ", ".join(str(error) for error in errors)
    result = SocketError.of(
        first.errno or errno.ECONNREFUSED,
        first.syscall,
        address=first.address,
        port=first.port,
        message=f"no address could be connected to: {several}",
    )
    result.__cause__ = ExceptionGroup("attempts to connect", errors)
    return result

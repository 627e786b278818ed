"""The pool under any order of events, checked against a model of its own.

The machine is the caller that `_pool.py` describes: it does what the steps say, and
between them connections succeed, fail, close, are taken out or refused, requests are
cancelled, limits change. The model counts by what it was told to do, not by looking
into the pool.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from headrace.agent._pool import Claim, Connection, Do, Limits, Pool
from headrace.agent._state import State

NAMES = ("a", "b", "c")
LIMITS = st.sampled_from([1, 2, 3, math.inf])
PICK = st.integers(0, 1 << 16)


@dataclass
class Request:
    """A request, and how often which end came. Not hashable, on purpose."""

    name: str
    served: int = 0
    failed: int = 0
    cancelled: bool = False

    @property
    def is_settled(self) -> bool:
        return bool(self.served or self.failed or self.cancelled)


@dataclass(eq=False)
class Socket:
    """A socket, and who has it."""

    name: str
    owner: Request | None = None
    open: bool = True


Place = Connection[Socket, Request]
Ticket = Claim[Socket, Request]


@dataclass
class Model:
    """What must be true, counted from the steps."""

    live: list[Place] = field(default_factory=list)  # count against the limits
    connecting: list[Place] = field(default_factory=list)  # a socket is being made
    resting: list[Place] = field(default_factory=list)  # the longest first
    working: list[Place] = field(default_factory=list)
    outside: list[Socket] = field(default_factory=list)  # taken out, still in use
    ticks: list[tuple[Place, Ticket]] = field(default_factory=list)
    waiting: dict[str, list[Request]] = field(
        default_factory=lambda: {name: [] for name in NAMES}
    )
    requests: list[Request] = field(default_factory=list)

    def count(self, name: str) -> int:
        return sum(place.group.name == name for place in self.live)

    def forget(self, place: Place) -> None:
        for places in (self.live, self.resting, self.working):
            if place in places:
                places.remove(place)


class PoolMachine(RuleBasedStateMachine):
    """Drives one pool."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits()
        self.pool: Pool[Socket, Request] = Pool(self.limits)
        self.model = Model()
        self.now = 0.0
        self.refuse = False
        self.lifetime = math.inf
        self.reaction = ""
        self.todo: deque[tuple[Do, Place]] = deque()
        self.performing = False

    # The caller; a step that was overtaken by a reaction to an earlier one is skipped

    def perform(self, steps: Sequence[tuple[Do, Place]]) -> None:
        self.todo.extend(steps)
        if self.performing:
            return
        self.performing = True
        while self.todo:
            do, place = self.todo.popleft()
            getattr(self, f"do_{do.name.lower()}")(place)
        self.performing = False

    def do_connect(self, place: Place) -> None:
        model, name = self.model, place.group.name
        if place.state is State.GONE:
            return
        model.live.append(place)
        if place.claim is None:  # cancelled before anything was done for it
            model.forget(place)
            self.perform(self.pool.lost(place))
            return
        self.leave_queue(place.claim.request)
        model.connecting.append(place)
        assert model.count(name) <= self.limits.max_sockets
        assert len(model.live) <= self.limits.max_total_sockets
        self.react()

    def react(self) -> None:
        """Run what a hook of the user does: anything, in the middle of the steps."""
        reaction, self.reaction = self.reaction, ""
        if reaction == "clear":
            self.clear()
        elif reaction == "deliver":
            while self.model.ticks:
                self.deliver(0)
        elif reaction == "cancel":
            for request in self.model.requests[-3:]:
                self.give_up(request)
        elif reaction:
            self.add(reaction)

    def do_hand_over(self, place: Place) -> None:
        claim, socket = place.claim, place.socket
        if claim is None:
            return
        assert socket is not None
        assert socket.open
        assert socket.owner is None
        assert claim.request.name == socket.name == place.group.name
        if place in self.model.resting:
            self.check_choice(place)
            self.model.resting.remove(place)
        self.leave_queue(claim.request)
        self.model.ticks.append((place, claim))

    def check_choice(self, place: Place) -> None:
        """The newest that has not rested too long, or with fifo the oldest."""
        assert place.deadline > self.now
        mates = [p for p in self.model.resting if p.group is place.group]
        assert place is mates[0 if self.limits.scheduling == "fifo" else -1]

    def leave_queue(self, request: Request) -> None:
        queue = self.model.waiting[request.name]
        if any(each is request for each in queue):  # equal ones are other requests
            assert queue[0] is request, "first in, first out"
            queue.pop(0)

    def do_rest(self, place: Place) -> None:
        if place.state is not State.RESTING:
            return
        assert self.limits.keep_alive
        mates = [p for p in self.model.resting if p.group is place.group]
        assert len(mates) < self.limits.max_free_sockets
        self.model.resting.append(place)
        place.deadline = self.now + self.lifetime
        self.react()
        if self.refuse and place in self.model.live:
            self.do_close(place)
            self.perform(self.pool.lost(place))

    def do_close(self, place: Place) -> None:
        assert place.socket is not None
        assert place.socket.owner is None
        place.socket.open = False
        self.model.forget(place)
        self.react()

    def do_fail(self, place: Place) -> None:
        claim, place.claim = place.claim, None
        assert claim is not None
        self.leave_queue(claim.request)
        claim.request.failed += 1
        self.model.forget(place)

    # Requests

    @rule(name=st.sampled_from(NAMES))
    def add(self, name: str) -> None:
        request = Request(name)
        self.model.requests.append(request)
        self.model.waiting[name].append(request)
        self.perform(self.pool.add(request, name, {}, None, self.now))

    @precondition(lambda self: self.model.requests)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        self.give_up(self.model.requests[pick % len(self.model.requests)])

    def give_up(self, request: Request) -> None:
        if not request.is_settled:
            request.cancelled = True
            queue = self.model.waiting[request.name]
            self.model.waiting[request.name] = [r for r in queue if r is not request]
        self.perform(self.pool.cancel(request))

    @precondition(lambda self: any(not r.is_settled for r in self.model.requests))
    @rule(pick=PICK)
    def add_twice(self, pick: int) -> None:
        unsettled = [r for r in self.model.requests if not r.is_settled]
        request = unsettled[pick % len(unsettled)]
        with pytest.raises(RuntimeError):
            self.pool.add(request, request.name, {})

    # Connections

    @precondition(lambda self: self.model.connecting)
    @rule(pick=PICK, works=st.booleans())
    def finish_connecting(self, pick: int, works: bool) -> None:
        place = self.model.connecting.pop(pick % len(self.model.connecting))
        if works:
            self.perform(self.pool.connected(place, Socket(place.group.name)))
        else:
            self.model.forget(place)
            self.perform(self.pool.lost(place))

    @precondition(lambda self: self.model.ticks)
    @rule(pick=PICK)
    def deliver(self, pick: int) -> None:
        place, claim = self.model.ticks.pop(pick % len(self.model.ticks))
        if self.pool.deliver(place, claim):
            assert place.socket is not None
            assert not claim.request.is_settled
            claim.request.served += 1
            place.socket.owner = claim.request
            if place in self.model.live:
                self.model.working.append(place)

    @precondition(lambda self: self.model.working)
    @rule(pick=PICK, reusable=st.booleans())
    def release(self, pick: int, reusable: bool) -> None:
        place = self.model.working.pop(pick % len(self.model.working))
        assert place.socket is not None
        place.socket.owner = None
        self.perform(self.pool.release(place, reusable=reusable))

    def with_socket(self) -> list[Place]:
        return [place for place in self.model.live if place.socket is not None]

    @precondition(lambda self: self.with_socket())
    @rule(pick=PICK)
    def lose(self, pick: int) -> None:
        place = self.with_socket()[pick % len(self.with_socket())]
        assert place.socket is not None
        place.socket.open = False
        claim, was = place.claim, place.state
        self.model.forget(place)
        if claim and was is State.PROMISED:  # served anew, before all that wait
            self.model.waiting[claim.request.name].insert(0, claim.request)
        self.perform(self.pool.lost(place))
        assert self.pool.lost(place) == ()

    @precondition(lambda self: self.with_socket())
    @rule(pick=PICK)
    def take_out(self, pick: int) -> None:
        place = self.with_socket()[pick % len(self.with_socket())]
        self.model.forget(place)
        self.perform(self.pool.remove(place))
        assert self.pool.remove(place) == ()

    @rule()
    def clear(self) -> None:
        steps, claims = self.pool.clear()
        model = self.model
        for place in model.working:
            assert place.socket is not None
            place.socket.owner = None
        for places in (model.live, model.resting, model.working):
            places.clear()
        for claim in claims:
            claim.request.failed += 1
            assert claim.connection is None or claim.connection.claim is None
        model.waiting = {name: [] for name in NAMES}
        self.perform(steps)

    # Surroundings

    @rule(seconds=st.sampled_from([1.0, 5.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def expire(self) -> None:
        steps, earliest = self.pool.expire(self.now)
        self.perform(steps)
        deadlines = [place.deadline for place in self.model.resting]
        assert earliest == min(deadlines, default=math.inf) > self.now

    @rule(
        refuse=st.booleans(),
        lifetime=st.sampled_from([3.0, math.inf]),
        reaction=st.sampled_from(["", "clear", "cancel", "deliver", *NAMES]),
    )
    def change_hook(self, refuse: bool, lifetime: float, reaction: str) -> None:
        self.refuse, self.lifetime, self.reaction = refuse, lifetime, reaction

    @rule(
        keep_alive=st.booleans(),
        fifo=st.booleans(),
        each=LIMITS,
        free=LIMITS,
        total=LIMITS,
    )
    def change_limits(
        self, keep_alive: bool, fifo: bool, each: float, free: float, total: float
    ) -> None:
        limits = self.limits
        raised = total > limits.max_total_sockets or each > limits.max_sockets
        limits.keep_alive = keep_alive
        limits.scheduling = "fifo" if fifo else "lifo"
        limits.max_sockets, limits.max_free_sockets = each, free
        limits.max_total_sockets = total
        if raised:  # shows in later decisions: let there be one for each name
            for name in NAMES:
                self.add(name)

    # What always holds

    @invariant()
    def books_agree(self) -> None:
        model, pool = self.model, self.pool
        assert pool.size == len(model.live)
        free = [place.socket for place in model.resting]
        assert sorted(map(id, free)) == ids(pool.free_sockets())
        busy = [p.socket for p in self.with_socket() if p not in model.resting]
        assert sorted(map(id, busy)) == ids(pool.sockets())
        waiting = [id(each) for queue in model.waiting.values() for each in queue]
        assert sorted(waiting) == ids(pool.requests())
        owing = any(not request.is_settled for request in model.requests)
        assert pool.is_empty == (not model.live and not owing)

    @invariant()
    def nobody_waits_without_a_reason(self) -> None:
        model, limits = self.model, self.limits
        for name, queue in model.waiting.items():
            if queue:
                full = model.count(name) >= limits.max_sockets
                all_full = len(model.live) >= limits.max_total_sockets
                assert full or (all_full and not model.resting)
                assert name not in self.pool.free_sockets()

    @invariant()
    def every_request_has_one_end_at_most(self) -> None:
        for request in self.model.requests:
            assert request.served + request.failed + request.cancelled <= 1

    def teardown(self) -> None:
        """No request was lost and no place leaked: all comes to an end by itself."""
        model = self.model
        self.refuse, self.reaction = False, ""
        while model.connecting or model.ticks or model.working:
            if model.connecting:
                self.finish_connecting(0, True)
            elif model.ticks:
                self.deliver(0)
            else:
                self.release(0, True)
        assert [request for request in model.requests if not request.is_settled] == []
        assert len(model.live) == len(model.resting)
        for place in list(model.resting):
            model.forget(place)
            self.perform(self.pool.lost(place))
        assert self.pool.is_empty


def ids(view: dict[str, list[Any]]) -> list[int]:
    assert [] not in view.values()
    return sorted(id(each) for each_list in view.values() for each in each_list)


def test_pool_holds_whatever_happens() -> None:
    """Limits hold, no request is lost or served twice, no place leaks (H-093…H-103)."""
    run_state_machine_as_test(
        PoolMachine, settings=settings(max_examples=150, stateful_step_count=60)
    )


@pytest.mark.soak
@pytest.mark.time_limit(600)
def test_pool_holds_whatever_happens_for_long() -> None:
    """The same with many more and longer runs."""
    run_state_machine_as_test(PoolMachine, settings=settings(stateful_step_count=120))

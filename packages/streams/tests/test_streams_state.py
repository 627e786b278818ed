"""The tables of moves: complete, closed, and obeyed."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import pytest

from headrace.streams._state import (
    FLOW,
    LIFE,
    READING,
    WRITING,
    Flow,
    FlowMove,
    IllegalMoveError,
    Life,
    LifeMove,
    Reading,
    ReadingMove,
    Writing,
    WritingMove,
    advance,
)

TABLES: list[Any] = [
    pytest.param(LIFE, Life, LifeMove, {Life.OPEN, Life.CONSTRUCTING}, id="life"),
    pytest.param(READING, Reading, ReadingMove, {Reading.OPEN}, id="reading"),
    pytest.param(WRITING, Writing, WritingMove, {Writing.OPEN}, id="writing"),
    pytest.param(FLOW, Flow, FlowMove, {Flow.UNDECIDED}, id="flow"),
]
ABSENT = {Reading.ABSENT, Writing.ABSENT}
Table = Mapping[tuple[Enum, Enum], Enum]


@pytest.mark.parametrize(("table", "states", "moves", "first"), TABLES)
def test_every_state_can_be_reached(
    table: Table, states: type[Enum], moves: type[Enum], first: set[Enum]
) -> None:
    """From the first states each other one is reached, but for absent sides."""
    reached = set(first)
    while (
        more := {to for (state, _), to in table.items() if state in reached} - reached
    ):
        reached |= more
    assert reached == set(states) - ABSENT


@pytest.mark.parametrize(("table", "states", "moves", "first"), TABLES)
def test_every_move_is_used(
    table: Table, states: type[Enum], moves: type[Enum], first: set[Enum]
) -> None:
    """No move exists without a state that takes it."""
    assert {move for _, move in table} == set(moves)


@pytest.mark.parametrize(("table", "states", "moves", "first"), TABLES)
def test_advance_follows_the_table(
    table: Table, states: type[Enum], moves: type[Enum], first: set[Enum]
) -> None:
    """Each legal move leads where the table says, each other one raises."""
    for state in states:
        for move in moves:
            if (state, move) in table:
                assert advance(table, state, move) is table[state, move]
                continue
            with pytest.raises(IllegalMoveError, match=move.name) as caught:
                advance(table, state, move)
            assert (caught.value.state, caught.value.move) == (state, move)


def test_a_consumer_may_do_anything_at_any_time() -> None:
    """Whatever the flow is, a user's call is legal (H-155, H-158)."""
    calls = {FlowMove.DATA_LISTENER, FlowMove.RESUME, FlowMove.PAUSE}
    assert {(state, move) for state in Flow for move in calls} <= FLOW.keys()


def test_nothing_leaves_the_end() -> None:
    """What has ended, finished or closed stays so, but for a socket that reopens."""
    ends: set[Enum] = {Reading.END_EMITTED, Writing.FINISHED, *ABSENT}
    leaving = {state for table in (READING, WRITING) for state, _ in table}
    assert not ends & leaving
    assert {move for state, move in LIFE if state is Life.CLOSED} == {LifeMove.REOPEN}


def test_destroying_is_a_one_way_street() -> None:
    """From `destroy()` on there is one way, and it leads to ``close`` (H-164)."""
    for state in (Life.DOOMED, Life.DESTROYING, Life.CLOSING):
        assert len([1 for start, _ in LIFE if start is state]) == 1


def test_states_are_quick_to_look_up() -> None:
    """Members hash by identity, and so can be keys of the tables."""
    members = [*Life, *Reading, *Writing, *Flow]
    assert all(hash(member) == object.__hash__(member) for member in members)
    assert len(set(members)) == len(members)

"""The table of a pooled connection's life."""

import pytest

from headrace.agent._errors import IllegalMoveError
from headrace.agent._state import MOVES, Move, State, advance


def test_nothing_leaves_gone() -> None:
    """A connection that left the pool never comes back (H-101)."""
    assert [move for state, move in MOVES if state is State.GONE] == []


def test_every_live_state_can_leave() -> None:
    """Whatever a connection is doing, it may close (H-101)."""
    live = set(State) - {State.GONE}
    assert {state for state, move in MOVES if move is Move.LEAVE} == live


def test_only_a_delivery_leads_to_work() -> None:
    """A socket reaches a request by way of a tick, never synchronously (H-097)."""
    before = {move for (_, move), target in MOVES.items() if target is State.WORKING}
    assert before == {Move.DELIVER}


def test_every_state_can_be_reached() -> None:
    """All states follow from CONNECTING, with which every connection begins."""
    reached = {State.CONNECTING}
    for _ in State:
        reached |= {to for (state, _), to in MOVES.items() if state in reached}
    assert reached == set(State)


def test_illegal_move_names_both() -> None:
    """A move that the table does not have raises, with state and move (style 7)."""
    with pytest.raises(IllegalMoveError) as caught:
        advance(State.RESTING, Move.DELIVER)
    assert (caught.value.state, caught.value.move) == ("RESTING", "DELIVER")
    assert caught.value.code == "ERR_INVALID_STATE"

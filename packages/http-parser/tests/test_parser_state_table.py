"""The life of a parser: the table says it all, and nothing leaves it."""

import itertools

import pytest

from headrace.http_parser import IllegalMoveError
from headrace.http_parser._state import (
    MOVES,
    STEPS,
    Move,
    Part,
    State,
    Step,
    advance,
    moves_from,
)


def test_every_legal_move() -> None:
    """`advance` does what the table says."""
    for (state, move), target in MOVES.items():
        assert advance(state, move) is target


def test_every_other_move_is_illegal() -> None:
    """What the table does not have raises, and names both."""
    illegal = set(itertools.product(State, Move)) - set(MOVES)
    for state, move in illegal:
        with pytest.raises(IllegalMoveError, match=f"{move.name} .* {state.name}"):
            advance(state, move)


def test_every_state_can_be_reached() -> None:
    """From the first state of a request parser or of a response parser."""
    reached = {State.HEAD, State.IDLE}
    for _ in State:
        reached |= {target for (state, _), target in MOVES.items() if state in reached}
    assert reached == set(State)


def test_nothing_leaves_failed_closed_or_switched() -> None:
    """A fault, a last message and another protocol are final."""
    assert moves_from(State.FAILED) == {}
    assert moves_from(State.SWITCHED) == {}
    assert moves_from(State.CLOSED) == {Move.FAIL: State.FAILED}


def test_a_message_ends_before_the_next_begins() -> None:
    """Only from COMPLETE does a parser go on to another message."""
    begins = {(State.COMPLETE, Move.AGAIN), (State.IDLE, Move.EXPECT)}
    interim = {(State.HEAD, Move.INTERIM)}
    into_head = {key for key, target in MOVES.items() if target is State.HEAD}
    assert into_head == begins | interim


def test_moves_from_is_a_part_of_the_table() -> None:
    """The parts are made from the table and have nothing else."""
    parts = {
        (state, move): target
        for state in State
        for move, target in moves_from(state).items()
    }
    assert parts == MOVES


def test_a_chunked_body_has_one_way() -> None:
    """Size, content and line end go round until a size of zero, which ends it."""
    part = Part.SIZE
    for step in (Step.SIZE, Step.CONTENT, Step.LINE_END):
        part = STEPS[part, step]
    assert part is Part.SIZE
    for step in (Step.LAST_SIZE, Step.TRAILERS):
        part = STEPS[part, step]
    assert part is Part.DONE
    assert len(STEPS) == len(Step)
    assert not any(start is Part.DONE for start, _ in STEPS)

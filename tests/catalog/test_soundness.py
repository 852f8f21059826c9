"""Circles and dead ends among dependencies, against a search that tries everything."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from runbooks.catalog.soundness import loops, unreachable

Graph = dict[str, tuple[str, ...]]
NAMES = "abcde"


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    return {name: tuple(draw(st.sets(st.sampled_from(names), max_size=3))) for name in names}


def every_loop(graph: Graph) -> list[tuple[str, ...]]:
    """Each way around, found by trying every order of every choice of steps."""
    return [
        way
        for length in range(1, len(graph) + 1)
        for way in permutations(graph, length)
        if all(after in graph[before] for before, after in zip(way, (*way[1:], way[0]), strict=True))
    ]


def can_start(graph: Graph, step: str, waiting: tuple[str, ...] = ()) -> bool:
    """Whether there is an order in which the step's turn comes."""
    return step not in waiting and all(can_start(graph, need, (*waiting, step)) for need in graph[step])


@given(graphs())
def test_every_step_on_a_loop_is_named_in_a_real_one(graph: Graph) -> None:
    real, found = every_loop(graph), loops(graph)
    assert all(loop in real for loop in found)
    assert {step for loop in found for step in loop} == {step for loop in real for step in loop}


@given(graphs())
def test_a_step_that_can_never_start_is_on_a_loop_or_reported(graph: Graph) -> None:
    on_loop = {step for loop in every_loop(graph) for step in loop}
    dead = unreachable(graph)
    assert set(dead) == {step for step in graph if not can_start(graph, step)} - on_loop
    assert all(not can_start(graph, need) and need in graph[step] for step, need in dead.items())


def test_the_shortest_way_around_is_the_one_named() -> None:
    assert loops({"a": ("b",), "b": ("c", "a"), "c": ("a",)}) == [("a", "b"), ("c", "a", "b")]


def test_two_circles_apart_are_both_named() -> None:
    assert loops({"a": ("b", "c"), "b": ("a",), "c": ("c",)}) == [("a", "b"), ("c",)]


def test_a_need_that_does_not_exist_makes_no_dead_end_of_its_own() -> None:
    assert unreachable({"a": ("gone",), "b": ("a",)}) == {}


def test_a_long_chain_is_no_trouble() -> None:
    chain = {str(n): (str(n - 1),) if n else () for n in range(3000)}
    assert (loops(dict(list(chain.items())[:300])), unreachable(chain)) == ([], {})

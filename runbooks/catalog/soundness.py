"""What must hold between the steps of a runbook: every name leads somewhere, and every step can be reached."""

from collections import deque
from collections.abc import Collection, Mapping

from runbooks.catalog.definition import Runbook
from runbooks.catalog.faults import FaultList
from runbooks.catalog.table import unknown

Dependencies = Mapping[str, Collection[str]]


def check_soundness(runbook: Runbook, faults: FaultList) -> None:
    """Report everything that is wrong between the steps. The steps are in the order of the file."""
    _check_ids(runbook, faults)
    _check_references(runbook, faults)
    _check_phases(runbook, faults)
    _check_order(runbook, faults)


def loops(dependencies: Dependencies) -> list[tuple[str, ...]]:
    """Steps that wait for one another, each loop once and in the order of waiting.

    Every step that stands on any loop is in at least one of those returned.
    """
    found: list[tuple[str, ...]] = []
    named: set[str] = set()
    for step in dependencies:
        if step not in named and (loop := _shortest_loop(dependencies, step)):
            found.append(loop)
            named.update(loop)
    return found


def unreachable(dependencies: Dependencies) -> dict[str, str]:
    """Steps that can never start though they stand on no loop, each with the step it waits for in vain."""
    startable: set[str] = set()
    waiting = dict(dependencies)
    while ready := [
        step for step, needs in waiting.items() if all(n in startable or n not in dependencies for n in needs)
    ]:
        startable.update(ready)
        for step in ready:
            del waiting[step]
    on_loop = {step for loop in loops(dependencies) for step in loop}
    return {
        step: next(need for need in needs if need in waiting) for step, needs in waiting.items() if step not in on_loop
    }


def _shortest_loop(dependencies: Dependencies, start: str) -> tuple[str, ...]:
    """The steps from `start` along what each waits for and back to it; empty when there is no way back."""
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        step = queue.popleft()
        for need in dependencies[step]:
            if need == start:
                return _way(came_from, start, step)
            if need in dependencies and need not in came_from:
                came_from[need] = step
                queue.append(need)
    return ()


def _way(came_from: dict[str, str], start: str, end: str) -> tuple[str, ...]:
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return tuple(reversed(way))


def _check_ids(runbook: Runbook, faults: FaultList) -> None:
    first: dict[str, int] = {}
    for index, step in enumerate(runbook.steps):
        if step.id in first:
            line = faults.line(("steps", first[step.id], "id"))
            faults.add(
                ("steps", index, "id"), f'Step "{step.id}" is there already, on line {line}. Give this one another id.'
            )
        elif step.id:
            first[step.id] = index


def _check_references(runbook: Runbook, faults: FaultList) -> None:
    ids = [step.id for step in runbook.steps if step.id]
    for index, step in enumerate(runbook.steps):
        for position, need in enumerate(step.depends_on):
            if need not in ids:
                faults.add(("steps", index, "depends_on", position), unknown("step", need, ids))
        if step.reversible_by and step.reversible_by not in ids:
            faults.add(("steps", index, "reversible_by"), unknown("step", step.reversible_by, ids))
        if step.reversible_by and step.reversible_by == step.id:
            faults.add(("steps", index, "reversible_by"), "A step cannot undo itself. Name another.")


def _check_phases(runbook: Runbook, faults: FaultList) -> None:
    used = {step.phase for step in runbook.steps}
    for index, phase in enumerate(runbook.phases):
        if phase.key and phase.key not in used:
            faults.add(("phases", index, "key"), f'Phase "{phase.key}" has no step. Add one or remove the phase.')


def _check_order(runbook: Runbook, faults: FaultList) -> None:
    places: dict[str, int] = {}
    dependencies: dict[str, tuple[str, ...]] = {}
    for index, step in enumerate(runbook.steps):
        if step.id and step.id not in places:
            places[step.id], dependencies[step.id] = index, step.depends_on
    for loop in loops(dependencies):
        way = " waits for ".join(f'"{step_id}"' for step_id in (*loop, loop[0]))
        faults.add(
            ("steps", places[loop[0]], "depends_on"), f"The steps wait for one another: {way}. Break the circle."
        )
    for step_id, need in unreachable(dependencies).items():
        reason = f'Step "{step_id}" can never start: it waits for "{need}", which cannot be completed.'
        faults.add(("steps", places[step_id], "depends_on"), reason)

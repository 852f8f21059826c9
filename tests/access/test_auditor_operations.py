"""Every operation that somebody calls for, called for an auditor: refused, or nothing is written."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest
from django.utils import timezone

import runbooks
from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import RestorationStage
from runbooks.actions.operations.planning import default_plan, write_plan
from runbooks.errors import NotAllowedError
from runbooks.exports.operations.requesting import Wish
from tests.access.rooms import Room, make_room
from tests.access.writes import writes, written

pytestmark = pytest.mark.django_db
Operation = Callable[..., Any]
# What auditors may: none of it writes. The export itself is taken down by a worker, who calls the last one of these.
READING = {"ask_export", "ask_verification", "preview_disclosure"}
BY_A_WORKER = {"request_export"}


def operations() -> Iterator[tuple[str, Operation]]:
    """(name, function) of what takes an actor, and all else by name as well: that is how an operation looks here."""
    for module in pkgutil.walk_packages(runbooks.__path__, "runbooks."):
        if ".operations" in module.name:
            for name, one in vars(importlib.import_module(module.name)).items():
                if inspect.isfunction(one) and one.__module__ == module.name and not name.startswith("_"):
                    taken = inspect.signature(one).parameters.values()
                    if "actor" in {given.name for given in taken} and all(
                        given.kind == given.KEYWORD_ONLY for given in taken
                    ):
                        yield f"{module.name.removeprefix('runbooks.')}.{name}", one


def arguments(room: Room, operation: Operation, auditor: User) -> dict[str, Any]:
    """What the room has of that name, else something that is nothing: who may not is refused before it is looked at."""
    known = {
        "incident_id": room.incident.pk,
        "action_id": room.action.pk,
        "stage_id": RestorationStage.objects.filter(lock_down=room.action)[0].pk,
        "call_id": room.call.pk,
        "witness_id": room.witness.pk,
        "subscription_id": room.delivery.subscription_id,
        "delivery_id": room.delivery.pk,
        "notification_id": room.notice.pk,
        "wish": Wish("csv"),
        "query": "",
        "actor": actor_for(auditor),
        "at": timezone.now(),
    }
    needed = [name for name, one in inspect.signature(operation).parameters.items() if one.default is one.empty]
    return {name: known.get(name, MagicMock()) for name in needed}


def test_every_operation_refuses_an_auditor_or_writes_nothing(auditor: User) -> None:
    room = make_room(auditor)
    write_plan(room.action, default_plan())
    refused, done = set(), set()
    for name, operation in operations():
        before = writes()
        try:
            operation(**arguments(room, operation, auditor))
        except NotAllowedError:
            refused.add(name)
        else:
            done.add(name.rpartition(".")[2])
        is_written = bool(written(before))
        assert is_written == (name.rpartition(".")[2] in BY_A_WORKER), name
    assert done == READING | BY_A_WORKER
    assert len(refused) > 60

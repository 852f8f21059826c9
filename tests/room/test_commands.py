"""`manage.py declare` and `manage.py list_incidents`."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from runbooks.access.models import User
from runbooks.incidents.models import Incident

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def declare(*more: str) -> str:
    return run("declare", "--runbook", "compromised-accounts", "--title", "Spray", "--severity", "2", *more)


def test_declare_prints_the_reference_as_json() -> None:
    assert json.loads(declare("--json")) == {"reference": Incident.objects.get().reference}


def test_declare_names_the_lead(coordinator: User) -> None:
    declare("--lead", coordinator.username)
    assert Incident.objects.get().lead == coordinator


def test_what_cannot_be_declared_is_an_error_with_its_reason() -> None:
    with pytest.raises(CommandError, match="no portal user nobody"):
        declare("--lead", "nobody")
    with pytest.raises(CommandError, match="no runbook"):
        run("declare", "--runbook", "none", "--title", "x", "--severity", "1")


def test_the_list_is_newest_first() -> None:
    first, second = declare().strip(), declare().strip()
    assert [row["reference"] for row in json.loads(run("list_incidents", "--json"))] == [second, first]
    assert run("list_incidents").splitlines()[0].startswith(second)


def test_an_empty_list_says_how_to_begin() -> None:
    assert "No incidents" in run("list_incidents")
    assert json.loads(run("list_incidents", "--json")) == []

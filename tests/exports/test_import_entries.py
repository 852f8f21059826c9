"""Entries of other tools: what each line becomes, what is there already, and that nothing is lost or doubled."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.utils import timezone

from runbooks.access.models import Membership, User
from runbooks.access.permissions import Actor, actor_for
from runbooks.attachments.models import Attachment
from runbooks.directory.formats import BrokenFileError
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.exports.importing import lines as reading
from runbooks.exports.importing.columns import tool_of
from runbooks.exports.importing.lines import Choices
from runbooks.exports.importing.moments import Clockwork
from runbooks.exports.importing.opening import open_entries
from runbooks.exports.operations import importing
from runbooks.exports.operations.importing import (
    CannotImportError,
    Imported,
    import_entries,
    kept_file,
    lines_of,
    preview,
    stage_entries,
    suggested,
)
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineBin, TimelineEvent
from runbooks.timeline.operations import now
from runbooks.timeline.verify import verify_chain
from tests.exports.exporting import HOSTILE, hostile, peopled, redact, redacted_entry, written
from tests.factories import make_user

pytestmark = pytest.mark.django_db
SKETCH = (
    "message,datetime,timestamp_desc,host\n"
    "Logon failed,2017-06-23T08:00:00+00:00,Event Logged,mail1\n"
    "Logon failed,2017-06-23T08:00:00+00:00,Event Logged,mail1\n"
    "Logon succeeded,2017-06-23T08:01:00+00:00,Event Logged,mail1\n"
)


@pytest.fixture
def actor(responder: User) -> Actor:
    return actor_for(responder)


def kept(incident: Incident, content: str | bytes, actor: Actor, name: str = "events.csv") -> Attachment:
    raw = content.encode() if isinstance(content, str) else content
    return stage_entries(incident_id=incident.pk, upload=ContentFile(raw, name=name), actor=actor, at=timezone.now())


def brought(incident: Incident, content: str | bytes, actor: Actor, name: str = "events.csv", **how: Any) -> Imported:
    file = kept(incident, content, actor, name)
    source, at_most = how.pop("source", ""), how.pop("at_most", None)
    return import_entries(
        incident_id=incident.pk, file_number=file.number, choices=chosen(incident, file, **how), source=source,
        actor=actor, clock=now, at_most=at_most,
    )  # fmt: skip


def chosen(incident: Incident, file: Attachment, *, clockwork: Clockwork | None = None, **changes: str) -> Choices:
    with kept_file(incident.pk, file.number) as (opened, _):
        by_itself = suggested(opened)
    tool = TOOL_ORDER.get(by_itself.tool, "")
    return Choices(
        by_itself.tool,
        {**by_itself.columns, **changes.pop("columns", {})},  # type: ignore[arg-type]
        clockwork or Clockwork(day_order=tool),
        **changes,
    )


TOOL_ORDER = {"plaso": "mdy"}


def reasons(incident: Incident, content: str | bytes, actor: Actor, **how: Any) -> dict[int, str]:
    file = kept(incident, content, actor)
    choices = chosen(incident, file, **how)
    with kept_file(incident.pk, file.number) as (opened, attachment):
        found = preview(lines_of(incident.pk, opened, attachment, choices, "", now()), verdict="wrong")
    return {line.number: line.reason for line in found.shown}


def imported(incident: Incident) -> list[TimelineEvent]:
    return list(TimelineEvent.objects.filter(incident=incident, kind="entry.imported").order_by("sequence"))


def test_a_line_becomes_an_entry_that_says_where_it_comes_from(incident: Incident, actor: Actor) -> None:
    done = brought(incident, SKETCH, actor, source="Sketch 12")
    assert done == Imported(added=3, already=0, wrong=0, left=0)
    first, _, last = imported(incident)
    assert (first.summary, first.lane, first.actor) == ("Logon failed", "note", actor.name)
    assert first.occurred_at == datetime(2017, 6, 23, 8, tzinfo=UTC)
    assert first.recorded_at > first.occurred_at
    origin = first.details["import"]
    file = Attachment.objects.get(incident=incident)
    assert (origin["file"], origin["name"], origin["line"]) == (file.number, "events.csv", 2)
    assert (origin["sha256"], origin["tool"], origin["source"]) == (file.stored.sha256, "Timesketch", "Sketch 12")
    assert last.details["fields"] == {
        "message": "Logon succeeded", "datetime": "2017-06-23T08:01:00+00:00", "timestamp_desc": "Event Logged",
        "host": "mail1",
    }  # fmt: skip
    run = TimelineEvent.objects.get(incident=incident, kind="entries.imported")
    assert (run.details["lines"], run.details["entries"]) == ([[2, 4]], [first.sequence, last.sequence])
    assert verify_chain(incident.pk).broken_at is None


def test_entries_that_came_in_together_are_lines_of_their_own(incident: Incident, actor: Actor) -> None:
    brought(incident, SKETCH, actor)
    assert {event.burst for event in imported(incident)} == {None}
    quarter = TimelineBin.objects.get(incident=incident, starts_at=datetime(2017, 6, 23, 8, tzinfo=UTC))
    assert quarter.entries == 3


def test_the_same_file_again_adds_nothing_under_any_name_or_source(incident: Incident, actor: Actor) -> None:
    brought(incident, SKETCH, actor)
    assert brought(incident, SKETCH, actor, name="other.csv", source="Elsewhere") == Imported(0, 3, 0, 0)
    assert Attachment.objects.filter(incident=incident).count() == 1
    assert len(imported(incident)) == 3


def test_a_longer_file_of_the_same_source_adds_what_is_new(incident: Incident, actor: Actor) -> None:
    brought(incident, SKETCH, actor, source="Sketch 12")
    more = SKETCH + "Logon failed,2017-06-23T08:00:00+00:00,Event Logged,mail1\n"
    assert brought(incident, more, actor, source="Sketch 12").added == 1
    assert brought(incident, more + "\n\n", actor, source="Another host").added == 4


def test_a_line_of_which_the_content_was_taken_out_does_not_come_back_with_its_file(
    incident: Incident, actor: Actor
) -> None:
    brought(incident, SKETCH, actor)
    redact(incident, imported(incident)[1], make_user(), make_user())
    file = kept(incident, SKETCH, actor)
    assert brought(incident, SKETCH, actor).added == 0
    with kept_file(incident.pk, file.number) as (opened, attachment):
        found = preview(lines_of(incident.pk, opened, attachment, suggested(opened), "", now()))
    assert (found.already, found.taken_out) == (3, 1)


def test_a_run_that_is_cut_off_goes_on_where_it_stopped(
    incident: Incident, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "message,datetime,timestamp_desc\n" + "".join(
        f"Event {n},2017-06-23T08:00:{n:02}Z,x\n" for n in range(10)
    )
    monkeypatch.setattr(importing, "CHUNK", 4)
    add, runs = importing._add, iter(range(9))

    def dies(**given: Any) -> int:
        if next(runs) == 1:
            raise RuntimeError("the worker died")
        return add(**given)

    monkeypatch.setattr(importing, "_add", dies)
    with pytest.raises(RuntimeError):
        brought(incident, content, actor)
    assert len(imported(incident)) == 4
    assert brought(incident, content, actor, at_most=3) == Imported(added=3, already=4, wrong=0, left=3)
    assert brought(incident, content, actor).added == 3
    assert [event.summary for event in imported(incident)] == [f"Event {n}" for n in range(10)]


@pytest.mark.django_db(transaction=True)
def test_two_who_import_the_same_file_at_once_add_it_once(incident: Incident, actor: Actor) -> None:
    file = kept(incident, SKETCH, actor)
    choices = chosen(incident, file)
    done: list[Imported] = []

    def one() -> None:
        try:
            done.append(
                import_entries(
                    incident_id=incident.pk, file_number=file.number, choices=choices, actor=actor, clock=now
                )
            )
        finally:
            connection.close()

    threads = [Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each.added for each in done) == 3
    assert len(imported(incident)) == 3


def test_wrong_lines_are_named_and_the_others_are_added(incident: Incident, actor: Actor) -> None:
    content = (
        "message,datetime,timestamp_desc\n"
        "Good,2017-06-23T08:00:00Z,x\n"
        "No zone,2017-06-23T08:00:00,x\n"
        ",2017-06-23T08:00:00Z,x\n"
        "Too few\n"
        "Tomorrow,2999-01-01T00:00:00Z,x\n"
        "Ahead,2098-01-01T00:00:00Z,x\n"
        "A \x00 NUL,2017-06-23T08:00:00Z,x\n"
    )
    found = reasons(incident, content, actor)
    assert found.keys() == {3, 4, 5, 6, 7, 8}
    assert "without a zone" in found[3]
    assert found[4] == "says nothing of what happened"
    assert found[5] == "has 1 values where the header has 3"
    assert "outside" in found[6]
    assert "future" in found[7]
    assert "NUL" in found[8]
    assert brought(incident, content, actor) == Imported(added=1, already=0, wrong=6, left=0)


def test_json_lines_keep_every_number_as_it_was_written(incident: Incident, actor: Actor) -> None:
    line = (
        '{"message":"Seen","timestamp":1498233900250001,"timestamp_desc":"x","datetime":"2017-06-23T16:05:00.250001Z",'
    )
    line += '"huge":12345678901234567890123,"part":0.1,"odd":NaN,"nested":{"a":[1,1.5]},"yes":true,"none":null}'
    bad = ['{"message":"a","message":"b"}', "[1]", '{"message":', '{"a":' * 5000, '{"message":"\\ud800"}']
    content = "\n".join([line, *bad])
    found = reasons(incident, content, actor)
    assert found.keys() == {2, 3, 4, 5, 6}
    assert "twice" in found[2]
    assert brought(incident, content, actor).added == 1
    fields = imported(incident)[0].details["fields"]
    assert fields["huge"] == "12345678901234567890123"
    assert (fields["part"], fields["odd"], fields["yes"]) == ("0.1", "NaN", "true")
    assert json.loads(fields["nested"]) == {"a": ["1", "1.5"]}
    assert "none" not in fields
    assert verify_chain(incident.pk).broken_at is None


def test_plaso_and_iris_are_known_by_their_columns(incident: Incident, actor: Actor) -> None:
    header = (
        "date,time,timezone,MACB,source,sourcetype,type,user,host,short,desc,version,filename,inode,notes,format,extra"
    )
    plaso = f'{header}\n04/03/2017,08:00:00,Europe/London,M...,LOG,syslog,x,ana,mail1,s,A "quote,2,f,1,-,syslog,e\n'
    plaso += "00/00/0000,--:--:--,UTC,M...,LOG,syslog,x,ana,mail1,s,Not set,2,f,1,-,syslog,e\n"
    assert brought(incident, plaso, actor) == Imported(added=1, already=0, wrong=1, left=0)
    event = imported(incident)[0]
    assert (event.summary, event.occurred_at) == ('A "quote', datetime(2017, 4, 3, 7, tzinfo=UTC))
    iris = "event_date,event_tz,event_title,event_category,event_content,event_raw\n"
    iris += "2017-06-23T09:00:00.000,+01:00,Mail rule made,Persistence,By the attacker,raw\n"
    iris += "2017-06-23T09:00:00.000,+01:00,Rule removed,decision,,\n"
    brought(incident, iris, actor)
    made, removed = imported(incident)[1:]
    assert (made.summary, made.lane) == ("Mail rule made: By the attacker", "note")
    assert made.occurred_at == datetime(2017, 6, 23, 8, tzinfo=UTC)
    assert removed.lane == "decision"


def test_a_spreadsheet_is_guessed_from_its_names() -> None:
    opened = open_entries(io.BytesIO("Date;Time;Who;What happened\n23/06/2017;08:00;Ana;Seen\n".encode("utf-16")))
    assert tool_of(opened.columns) == "spreadsheet"
    assert suggested(opened).columns == {
        "Date": "occurred_at", "Time": "time", "Who": "said_by", "What happened": "summary",
    }  # fmt: skip


@pytest.mark.parametrize("format", ["csv", "jsonl", "timesketch-csv", "timesketch-jsonl"])
def test_our_own_exports_come_back_as_they_were_without_the_apostrophes(
    format: str, incident: Incident, actor: Actor
) -> None:
    hostile(incident)
    peopled(incident)
    redacted_entry(incident)
    raw = written(incident, format)
    before = list(
        TimelineEvent.objects.filter(incident=incident, salt__isnull=False).order_by("sequence").values_list(
            "summary", "occurred_at", "lane"
        )
    )  # fmt: skip
    done = brought(incident, raw, actor, name=f"timeline.{format.rpartition('-')[2]}")
    back = [(event.summary, event.occurred_at, event.lane) for event in imported(incident)]
    if format.startswith("timesketch"):
        # There the taken out one is a sentence.
        back = [one for one in back if not one[0].startswith("Taken out by")]
        assert (len(back), done.wrong) == (len(before), 0)
    else:
        assert (done.added, done.wrong) == (len(before), 1)
    assert back == before
    assert {text.strip() for text in HOSTILE} <= {summary for summary, *_ in back}


def test_a_long_text_is_cut_in_the_entry_and_whole_beside_it(incident: Incident, actor: Actor) -> None:
    long = "word " * 2000
    brought(incident, f'message,datetime,timestamp_desc\n"{long}",2017-06-23T08:00:00Z,x\n', actor)
    event = imported(incident)[0]
    assert len(event.summary) <= 4000
    assert event.details["fields"]["message"] == long


def test_what_was_stated_is_kept_with_the_entry(incident: Incident, actor: Actor) -> None:
    content = "when,what,lane\n2017-10-29 01:30,Seen,detection\n2017-10-30,Heard,x\n"
    assert "came twice" in reasons(incident, content, actor, clockwork=Clockwork("Europe/London"))[2]
    brought(incident, content, actor, clockwork=Clockwork("Europe/London", "second"), lane="detection")
    seen, heard = imported(incident)
    assert (seen.details["zone_stated"], seen.details["of_the_two"]) == ("Europe/London", "second")
    assert seen.occurred_at == datetime(2017, 10, 29, 1, 30, tzinfo=UTC)
    assert (heard.occurred_precision, heard.lane) == ("day", "detection")


@pytest.mark.parametrize(
    "content",
    ["", "\n\n", "a,b\n1,2\n3", '["x"]\n', "{\n", "a,b\n\"x,y\n", b"\xff\xfe\x00"],
    ids=["nothing", "blank", "cut off", "list", "half", "open quote", "no text"],
)  # fmt: skip
def test_what_is_no_such_file_is_refused_and_not_kept(content: str | bytes, incident: Incident, actor: Actor) -> None:
    with pytest.raises((BrokenFileError, CannotImportError)):
        brought(incident, content, actor)
    assert not imported(incident)


def test_limits_are_said(incident: Incident, actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LINES_AT_MOST", 2)
    with pytest.raises(CannotImportError, match="more than 2 lines"):
        brought(incident, SKETCH, actor)
    monkeypatch.setattr(importing, "BYTES_AT_MOST", 20)
    with pytest.raises(CannotImportError, match="over"):
        kept(incident, SKETCH, actor)


def test_who_may_import_and_whoever_is_shut_out_meanwhile_may_not(
    incident: Incident, actor: Actor, responder: User, desk: User, outsider: User
) -> None:
    file = kept(incident, SKETCH, actor)
    choices = chosen(incident, file)
    for person, refusal in ((desk, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            kept(incident, SKETCH, actor_for(person))
        with pytest.raises(refusal):
            import_entries(
                incident_id=incident.pk, file_number=file.number, choices=choices, actor=actor_for(person), clock=now
            )

    def shut_out() -> Iterator[datetime]:
        yield now()
        Membership.objects.filter(user=responder).update(ended_at=now())
        yield now()

    moments = shut_out()
    with pytest.raises(NotFoundError):
        import_entries(
            incident_id=incident.pk, file_number=file.number, choices=choices, actor=actor, clock=lambda: next(moments)
        )
    assert not imported(incident)


def test_a_kept_file_that_was_changed_is_not_read(incident: Incident, actor: Actor) -> None:
    file = kept(incident, SKETCH, actor)
    file.stored.sha256 = "0" * 64
    file.stored.save()
    with pytest.raises(CannotImportError, match="not the one"), kept_file(incident.pk, file.number):
        pass

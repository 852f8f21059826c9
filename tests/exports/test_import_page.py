"""The pages that import entries, and the command."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from runbooks.access.models import User
from runbooks.attachments.models import Attachment, CustodyEvent
from runbooks.exports.views import importing
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
SHEET = "When,What happened,Host <b>\n2017-06-23 08:00,Logon failed <script>,mail1\n2017-06-23 08:01,Logon,mail1\n"


def sent(incident: Incident, client: Client, content: str = SHEET) -> str:
    upload = SimpleUploadedFile("sheet.csv", content.encode())
    response = client.post(reverse("entries_import", args=[incident.reference]), {"file": upload})
    return str(response["Location"])


def imported(incident: Incident) -> int:
    return TimelineEvent.objects.filter(incident=incident, kind="entry.imported").count()


def test_the_whole_way_on_the_pages(incident: Incident, responder: User, client_of: ClientOf) -> None:
    client = client_of(responder)
    assert (
        reverse("entries_import", args=[incident.reference])
        in client.get(reverse("timeline", args=[incident.reference])).text
    )
    address = sent(incident, client)
    page = client.get(address).text
    assert "Line 2 has a time without a zone" in page
    assert "No line can be added" in page
    assert "Host &lt;b&gt;" in page
    page = client.get(f"{address}?zone=Europe/London").text
    assert "Add 2 entries" in page
    assert "Fri 23 Jun 2017 08:00 BST" in page
    assert "Logon failed &lt;script&gt;" in page
    done = client.post(address, {"zone": "Europe/London", "tool": "spreadsheet", "mapped": "spreadsheet"})
    assert done["Location"] == reverse("timeline", args=[incident.reference])
    assert imported(incident) == 2
    page = client.get(f"{address}?zone=Europe/London").text
    assert "Everything in this file is in the timeline already" in page
    assert "Add 2" not in page
    event = TimelineEvent.objects.filter(incident=incident, kind="entry.imported").first()
    assert event is not None
    page = client.get(reverse("timeline_entry", args=[incident.reference, event.sequence])).text
    file = reverse("attachment", args=[incident.reference, 1])
    assert f'<a href="{file}">sheet.csv</a>, line {event.details["import"]["line"]}, ' in page
    assert "Source: sheet.csv" in page


def test_what_somebody_chose_is_used_and_sent_on(incident: Incident, responder: User, client_of: ClientOf) -> None:
    client = client_of(responder)
    address = sent(incident, client)
    chosen = {"tool": "spreadsheet", "mapped": "spreadsheet", "zone": "UTC", "column-1": "", "column-2": "summary"}
    page = client.get(address, chosen).text
    assert 'name="column-2" value="summary"' in page
    client.post(address, {**chosen, "column-0": "occurred_at", "lane": "detection", "source": "Mail log"})
    event = TimelineEvent.objects.filter(incident=incident, kind="entry.imported").first()
    assert event is not None
    assert (event.summary, event.lane, event.details["import"]["source"]) == ("mail1", "detection", "Mail log")


def test_columns_that_say_too_little_are_asked_for(incident: Incident, responder: User, client_of: ClientOf) -> None:
    client = client_of(responder)
    address = sent(incident, client, "a,b\n1,2\n")
    assert "No column says the time it happened" in client.get(address).text
    assert "No column says" in client.post(address, {}, follow=True).text
    assert imported(incident) == 0


def test_many_lines_are_paged_and_added_in_several_goes(
    incident: Incident, responder: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "AT_ONCE", 50)
    client = client_of(responder)
    content = "message,datetime,timestamp_desc\n" + "".join(
        f"Event {n:03},2017-06-23T08:{n % 60:02}:00Z,x\n" for n in range(120)
    )
    address = sent(incident, client, content)
    page = client.get(address).text
    assert "Add 50 entries" in page
    assert "Event 049" in page
    assert "Event 050" not in page
    assert "show=new&amp;after=51" in page or "after=51" in page
    assert "Event 050" in client.get(f"{address}?after=51").text
    for count in (50, 100, 120):
        client.post(address, {})
        assert imported(incident) == count


@pytest.mark.parametrize(
    "given",
    [
        {"after": "9" * 40}, {"after": "-1"}, {"after": "²"}, {"show": "x"}, {"tool": "x"}, {"zone": "../x"},
        {"column-0": "x", "mapped": "spreadsheet"}, {"lane": "decision"}, {"twice": "third"}, {"source": "x" * 500},
        {"column-0": "summary", "column-1": "summary", "mapped": "spreadsheet"}, {"day_order": "ymd"},
    ],
)  # fmt: skip
def test_odd_addresses_and_answers_break_nothing(
    given: dict[str, Any], incident: Incident, responder: User, client_of: ClientOf
) -> None:
    client = client_of(responder)
    address = sent(incident, client)
    assert client.get(address, given).status_code == 200
    assert client.post(address, given, follow=True).status_code == 200
    assert not TimelineEvent.objects.filter(incident=incident, kind="entry.imported", lane="decision").exists()


def test_whoever_looks_into_somebody_elses_file_has_read_it(
    incident: Incident, responder: User, coordinator: User, client_of: ClientOf
) -> None:
    address = sent(incident, client_of(responder))
    client_of(responder).get(address)
    assert not CustodyEvent.objects.filter(kind="read").exists()
    client_of(coordinator).get(address)
    assert CustodyEvent.objects.get(kind="read").user == coordinator


def test_who_does_not_work_on_the_incident_imports_nothing(
    incident: Incident, responder: User, desk: User, auditor: User, outsider: User, client_of: ClientOf
) -> None:
    address = sent(incident, client_of(responder))
    for person, status in ((desk, 403), (auditor, 403), (outsider, 404)):
        client = client_of(person)
        upload = SimpleUploadedFile("sheet.csv", SHEET.encode())
        assert client.get(address).status_code == status
        assert client.post(address, {"zone": "UTC"}).status_code == status
        assert client.post(reverse("entries_import", args=[incident.reference]), {"file": upload}).status_code == status
    assert imported(incident) == 0
    page = client_of(desk).get(reverse("timeline", args=[incident.reference])).text
    assert reverse("entries_import", args=[incident.reference]) not in page


def test_a_file_that_is_none_is_refused_on_the_form(incident: Incident, responder: User, client_of: ClientOf) -> None:
    client = client_of(responder)
    for content in (b"", b"a,b\n1", b"\x00\x01\x02"):
        upload = SimpleUploadedFile("x.csv", content)
        response = client.post(reverse("entries_import", args=[incident.reference]), {"file": upload})
        if response.status_code == 302:
            # Its header can be read: the page says what breaks.
            assert "breaks at line" in client.get(response["Location"] + "?column-0=occurred_at&column-1=summary"
                                                  "&mapped=spreadsheet").text  # fmt: skip
        else:
            assert response.status_code == 400


def test_the_command_previews_then_adds(incident: Incident, tmp_path: Path) -> None:
    file = tmp_path / "sheet.csv"
    file.write_text(SHEET)

    def said(*more: str) -> str:
        out = StringIO()
        call_command("import_timeline", incident.reference, str(file), *more, stdout=out)
        return out.getvalue()

    assert "Line 2 has a time without a zone" in said()
    assert "With --apply" in said("--zone", "Europe/London")
    assert not Attachment.objects.filter(incident=incident).exists()
    assert "2 entries added from file 1" in said("--zone", "Europe/London", "--apply")
    assert "0 entries added" in said("--zone", "Europe/London", "--apply", "--source", "Another")
    assert imported(incident) == 2
    with pytest.raises(CommandError, match="no such time zone"):
        said("--zone", "Mars")
    with pytest.raises(CommandError, match="No column says what happened"):
        said("--mapping", "What happened=more")
    with pytest.raises(CommandError, match=r"there is no such column\. Columns: .*What happened"):
        said("--mapping", "Nothing=more")
    with pytest.raises(CommandError, match="write COLUMN=FIELD"):
        said("--mapping", "What happened")
    with pytest.raises(CommandError, match="Cannot read"):
        call_command("import_timeline", incident.reference, str(tmp_path / "absent.csv"))

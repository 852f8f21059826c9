"""Teams, Mattermost and ntfy: what is posted to their addresses means no more than its letters."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_django import Settings

from runbooks.notifications.channels import ntfy
from runbooks.notifications.channels.base import BadAddressError, ChannelError, Reason
from tests.connectors.served import Said
from tests.notifications.channels.peers import MESSAGE, PEERS, TOKEN, Place, standing

Stand = Callable[[str], Place]


@pytest.fixture
def stand(settings: Settings) -> Iterator[Stand]:
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(standing(next(peer for peer in PEERS if peer.name == name), settings))


# Teams


def test_a_card_holds_runs_of_text_which_know_no_markdown(stand: Stand) -> None:
    teams = stand("teams")
    teams.send(body="One **bold** [link](https://evil.example)\n\n<at>Everybody</at> @channel\n")
    (attachment,) = teams.asked[0].content["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    blocks = attachment["content"]["body"]
    assert {block["type"] for block in blocks} == {"RichTextBlock"}
    assert {run["type"] for block in blocks for run in block["inlines"]} == {"TextRun"}
    assert [block["inlines"][0]["text"].replace("\u2060", "") for block in blocks] == [
        MESSAGE.subject,
        "One **bold** [link](https://evil.example)",
        "<at>Everybody</at> @channel",
    ]
    assert "msteams" not in attachment["content"], "which is where mentions would be"


def test_a_text_that_says_no_more_than_its_subject_is_said_once(stand: Stand) -> None:
    teams = stand("teams")
    teams.send(body=MESSAGE.subject + "\n")
    assert len(teams.asked[0].content["attachments"][0]["content"]["body"]) == 1


@pytest.mark.parametrize(("code", "reason"), [(b"429", Reason.BUSY), (b"413", Reason.FAULT)])
def test_an_older_connector_that_says_200_and_failed_is_not_believed(stand: Stand, code: bytes, reason: Reason) -> None:
    teams = stand("teams")
    teams.answer = lambda _: Said(
        200, b"Webhook message delivery failed with error: endpoint returned HTTP error " + code
    )
    with pytest.raises(ChannelError) as caught:
        teams.send()
    assert (caught.value.permanent, caught.value.reason, caught.value.may_have_arrived) == (False, reason, True)


# Mattermost


def test_mattermost_gets_text_in_which_nothing_is_markdown_or_a_name(stand: Stand) -> None:
    mattermost = stand("mattermost")
    mattermost.send(body="@here **b** [x](https://evil.example) `c` # h\n- item\n1. one\n~channel")
    text = mattermost.asked[0].content["text"]
    assert set(mattermost.asked[0].content) == {"text"}
    for raw in ("@here", "**", "[x]", "`c`", " # ", "\n- ", "\n1. ", "\n~"):
        assert raw not in text.replace("\\*", "").replace("\\[x\\]", "").replace("\\`c\\`", "").replace(
            "\\~", ""
        ).replace("\\# h", "").replace("\\- ", "")


@pytest.mark.parametrize("answer", [b"", b"OK then", b"<html>ok</html>"])
def test_anything_but_ok_is_not_mattermost(stand: Stand, answer: bytes) -> None:
    mattermost = stand("mattermost")
    mattermost.answer = lambda _: Said(200, answer)
    with pytest.raises(ChannelError) as caught:
        mattermost.send()
    assert (caught.value.reason, caught.value.may_have_arrived) == (Reason.FAULT, True)


# ntfy


def test_ntfy_gets_topic_title_and_urgency(stand: Stand) -> None:
    place = stand("ntfy")
    place.send(is_important=True, subject="Title\nPriority: 1", body="Ŵ 🎉")
    place.send()
    urgent, usual = (asked.content for asked in place.asked)
    assert place.asked[0].path == "/"
    assert (urgent["topic"], urgent["message"], urgent["priority"]) == ("a-path-nobody-may-see", "Ŵ 🎉", 5)
    assert usual["priority"] == 3
    assert "Title" not in str(place.asked[0].headers)


def test_the_token_goes_to_the_sites_own_server_alone(stand: Stand, settings: Settings) -> None:
    place = stand("ntfy")
    settings.NTFY_URL, settings.NTFY_TOKEN = "https://ntfy.example", TOKEN
    place.send()
    settings.NTFY_URL = place.url
    place.send()
    assert [asked.headers["Authorization"] for asked in place.asked] == [None, f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    "written",
    ["https://ntfy.sh", "https://ntfy.sh/", "https://ntfy.sh/a?up=1", "https://ntfy.sh/a%2Fb", "https://ntfy.sh/a,b"],
)
def test_what_names_no_one_topic_is_refused(written: str) -> None:
    with pytest.raises(BadAddressError):
        ntfy.clean(written)


def test_a_topic_below_a_path_is_one_too() -> None:
    assert ntfy.clean(" https://Example.org/ntfy/Duty_1/ ") == "https://example.org/ntfy/Duty_1"

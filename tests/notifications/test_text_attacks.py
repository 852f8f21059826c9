"""Whoever may edit a text writes words, and nothing that runs, reads, leads elsewhere, hides or breaks."""

from typing import Any

import pytest

from runbooks.notifications.events import events
from runbooks.notifications.shipped_texts import FOLDERS, Wording, shipped
from runbooks.notifications.text_preview import check_text, preview
from runbooks.notifications.text_rules import BadTextError
from runbooks.notifications.text_versions import words_of

EVENT = "role.given"
TAGS = [
    '{% include "account/login.html" %}',
    '{% extends "base.html" %}',
    "{% load static %}",
    "{% load runbooks %}",
    "{% debug %}",
    "{% csrf_token %}",
    "{% for one in who %}{{ one }}{% endfor %}",
    "{% with a=who %}{{ a }}{% endwith %}",
    "{% autoescape on %}x{% endautoescape %}",
    "{% verbatim %}{{ who }}{% endverbatim %}",
    "{% verbatim x %}{% endverbatim x %}",
    "{% comment %}x{% endcomment %}",
    "{% block body %}x{% endblock %}",
    "{% lorem 100000 w %}",
    '{% now "Y" %}',
    "{% filter upper %}x{% endfilter %}",
    "{% regroup who by x as y %}",
    '{% url "incident_list" %}',
    "{% templatetag openvariable %}",
    "{% widthratio 1 2 3 %}",
    "{% ifchanged %}x{% endifchanged %}",
    '{% cycle "a" "b" %}',
    "{% partialdef x %}x{% endpartialdef %}",
    "{% %}",
    "{%%}",
    "{# said to nobody #}",
]
NAMES = [
    "{{ settings }}",
    "{{ settings.SECRET_KEY }}",
    "{{ request.user }}",
    "{{ who.__class__ }}",
    "{{ who.upper }}",
    "{{ who.0 }}",
    "{{ _who }}",
    "{{ self }}",
    "{{ block.super }}",
    "{{ forloop }}",
    "{{ shipped }}",
    "{{ edited_body }}",
    "{{ portal }}",
    "{{ True }}",
    "{{ who|default:settings }}",
    "{{ who|default:who.__class__.__mro__ }}",
    "{{ who|default:note.upper }}",
    "{% if settings.DEBUG %}x{% endif %}",
    "{% if who == who.__doc__ %}x{% endif %}",
    "{% if not who and request %}x{% endif %}",
    "{% if who|default:settings.DEBUG %}x{% endif %}",
    "{% if who %}a{% elif secret %}b{% endif %}",
    "{% if who %}{% if note %}{{ secret }}{% endif %}{% endif %}",
    "{% if who %}a{% else %}{{ secret }}{% endif %}",
]
FILTERS = [
    "{{ who|safe }}",
    "{{ who|pprint }}",
    "{{ who|center:1000000 }}",
    "{{ who|add:who }}",
    "{{ who|join:who }}",
    "{{ who|dictsort:0 }}",
    '{{ who|stringformat:"1000000s" }}',
    "{{ who|lower|urlize }}",
    "{{ who|default:note|linebreaks }}",
    '{% if who|add:"x" %}x{% endif %}',
]
UNBALANCED = [
    "{% if who %}x",
    "x{% endif %}",
    "{% else %}",
    "{% elif who %}x",
    "{% if who %}x{% endif %}{% endif %}",
    "{% if %}x{% endif %}",
    "{% if who note %}x{% endif %}",
    "{% if who == %}x{% endif %}",
    "{% if ( who %}x{% endif %}",
    "{% if who %}a{% else %}b{% else %}c{% endif %}",
    "{{ who",
    "who }}",
    "{{ who }",
    "{% if who",
    "{{\nwho }}",
    "{{ }}",
    "{{ who who }}",
    "{{ who| }}",
    "{{ who|lower:note }}",
    "{{{ who }}}",
    "{{ 'x }}",
]
LINKS = [
    "Look at https://evil.example/sign-in now",
    "www.evil.example",
    "evil.example/path",
    "Sign in at evil.example.",
    "javascript://x",
    "{{ who }}.example",
    "{{ who }}.{{ role }}",
    'See {{ who|default:"evil.example" }}',
    "{{ 'https://evil.example' }}",
    "{% if not who %}https://evil.example{% endif %}",
    "evil{% if who %}.example{% endif %}",
    "h{% if who %}ttps:/{% endif %}/evil",
]
UNSEEN = [
    "\u202eevil",
    "a\u200bb",
    "a\u2066b\u2069",
    "a\u200eb",
    "a\ufeffb",
    "soft\u00adhyphen",
    "a\x00b",
    "a\x1b[31mb",
    "a\x07b",
    "a\x85b",
    "a\u2028b",
    "a\u2029b",
    "a\x0bb",
    "a\x0cb",
    "\ue000",
    "\U000e0041",
    "\U0010ffff",
    "a\u200db",
]
HEADERS = ["One\nBcc: all@evil.example", "One\r\nBcc: x@evil.example", "One\rTwo", "One\x0bTwo", "One\u2028Two"]
HEAVY = [
    "{% if who %}" * 5 + "x" + "{% endif %}" * 5,
    "{% if who %}" * 180 + "x" + "{% endif %}" * 180,
    "{% if " + "not " * 900 + "who %}x{% endif %}",
    "{% if " + "(" * 100 + "who" + ")" * 100 + " %}x{% endif %}",
    "{{ who" + "|lower" * 60 + " }}",
    "{{ " + "x" * 3000 + " }}",
    "{{ incident_title }}" * 190 + "{{ incident_title }}" * 20,
    "x" * 4001,
]
GOOD = [
    "{{ who }} is now {{ role|lower }}.",
    "{% if note %}{{ note }}{% else %}Nothing was handed over.{% endif %} Ask {{ who }}.",
    "{% if role == 'Deputy lead' and not is_exercise %}Deputy{% elif note %}Other{% endif %} of {{ reference }}",
    "{{ note|default:'none' }}\n\nÔl-nodyn: “dim” – £5, 10:30, e.g. so. Etc.",
    "{{who}}, at {{ happened_at }}, {{ incident_title }} {{ entry }} {{ tlp }}",
    "Half {% if note %}a sentence.{% endif %} Done (see 3.1).",
]


def refused(text: str, field: str = "body", event: str = EVENT) -> str:
    wording = {"subject": "A subject", "body": "A body"} | {field: text}
    with pytest.raises(BadTextError) as caught:
        check_text(event, "en-gb", Wording(**wording))
    assert caught.value.field == field
    return str(caught.value)


@pytest.mark.parametrize("field", ["subject", "body"])
@pytest.mark.parametrize("text", [*TAGS, *NAMES, *FILTERS])
def test_nothing_runs_or_reads_beyond_what_the_event_says(text: str, field: str) -> None:
    message = refused(text, field)
    assert len(message) < 400
    assert message.endswith(".")


@pytest.mark.parametrize("text", UNBALANCED)
def test_what_is_not_closed_is_said_with_its_mend(text: str) -> None:
    assert refused(text).endswith(".")


@pytest.mark.parametrize("field", ["subject", "body"])
@pytest.mark.parametrize("text", LINKS)
def test_no_link_is_pressed_wherever_conditions_lead(text: str, field: str) -> None:
    refused(text, field)


@pytest.mark.parametrize("text", UNSEEN)
def test_no_character_that_nobody_sees(text: str) -> None:
    assert "nobody sees" in refused(text)
    refused(text, "subject")


@pytest.mark.parametrize("text", HEADERS)
def test_no_subject_goes_on_in_another_header(text: str) -> None:
    refused(text, "subject")


@pytest.mark.parametrize("text", HEAVY)
def test_nothing_deep_or_long_is_even_compiled(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("text", GOOD)
def test_what_people_write_is_taken(text: str) -> None:
    made = check_text(EVENT, "en-gb", Wording("{{ who }}", text))
    assert "{" not in made.subject + made.body


@pytest.mark.parametrize("language", FOLDERS)
@pytest.mark.parametrize("name", sorted(events()))
def test_every_shipped_text_keeps_the_rules_so_that_it_can_be_edited(name: str, language: str) -> None:
    """And in the frame of the edited ones it says word for word what is shipped."""
    made = preview(name, language, shipped(name, language))
    assert 1 <= len(made) <= 2
    assert made[0].short


def test_what_goes_beyond_the_room_names_no_title() -> None:
    assert "incident_title" not in words_of(events()["escalation.called"])
    assert "incident_title" in words_of(events()[EVENT])
    refused("{{ incident_title }}", event="escalation.called")


@pytest.mark.parametrize(
    "text",
    [
        "http:{{ note }}//evil",
        "http:{% if note %}x{% else %}//evil{% endif %}",
        "{{ who }}{% if role %}{{ '//' }}{% endif %}{{ role }}",
        "{{ role }}{% if note %} {% endif %}{{ '.example' }}",
    ],
)
def test_what_only_becomes_a_link_as_it_is_filled_is_taken_apart(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sample: dict[str, Any] = {"who": "https:", "role": "evil", "note": ""}
    monkeypatch.setattr("runbooks.notifications.text_preview.example_values", lambda event, tlp: _values(sample))
    made = check_text(EVENT, "en-gb", Wording("x", text))
    assert "evil" in made.body
    assert "://" not in made.body
    assert "evil.example" not in made.body


def _values(sample: dict[str, Any]) -> dict[str, Any]:
    frame = {"reference": "IR-1", "incident_title": "", "tlp": "TLP:GREEN", "is_exercise": False, "entry": 1}
    return {**sample, **frame, "happened_at": "now", "portal": "portal"}

"""docs/account-states.md says what the table says."""

from pathlib import Path
from xml.etree import ElementTree

from django.conf import settings
from django.core.management import call_command

from runbooks.affected_accounts.drawing import draw_page, draw_picture
from runbooks.affected_accounts.models import State
from runbooks.affected_accounts.transitions import GROUP_LABELS, TABLE

DOCS = Path(settings.BASE_DIR) / "docs"


def test_the_page_and_the_drawing_in_the_docs_are_what_the_table_generates(tmp_path: Path) -> None:
    call_command("draw_states", "--to", str(tmp_path))
    for name in ("account-states.md", "account-states.svg"):
        assert (DOCS / name).read_text() == (tmp_path / name).read_text(), "run manage.py draw_states"


def test_every_transition_is_a_row_of_the_page() -> None:
    page = draw_page()
    for step in TABLE:
        assert f"| {step.before.label} | {step.after.label} |" in page
    heads, marks = 2, len(GROUP_LABELS)
    assert page.count("\n| ") == len(TABLE) + heads + marks


def test_the_drawing_is_sound_and_names_every_state() -> None:
    picture = ElementTree.fromstring(draw_picture())
    words = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {state.label for state in State} <= words
    arrows = [path for path in picture.iter("{http://www.w3.org/2000/svg}path") if "marker-end" in path.attrib]
    assert len(arrows) == sum(not step.needs_reason for step in TABLE)

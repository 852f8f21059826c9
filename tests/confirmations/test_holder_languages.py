"""The staff pages in two languages, and that every other page stays as it is."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation
from django.utils.translation.template import templatize

import runbooks.confirmations
from ir_portal.catalogs import FOLDER, compiled, read_po
from runbooks.confirmations.models import Confirmation
from tests.confirmations.holding import make_coded

CATALOGUE = FOLDER / "cy" / "LC_MESSAGES" / "django.po"
TEMPLATES = Path(settings.BASE_DIR) / "templates" / "confirmations" / "holder"
SOURCE = Path(runbooks.confirmations.__file__).parent
CALL = re.compile(r"""\bgettext\((u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))\)""")
BLOCK = re.compile(r"""\b_\((u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))\)""")
SIGNS = re.compile(r"%\(\w+\)s|</?b[^>]*>")
PAGES = {
    "": "",
    "changed/": "newid/",
    "how/": "sut/",
    "about/": "cwestiynau/",
    "check/": "gwirio/",
    "done/": "derbynneb/",
    "call/": "galwad/",
}


def said() -> Iterator[str]:
    """Every message of the staff pages, from their templates and from Python."""
    for template in TEMPLATES.glob("*.html"):
        source = templatize(template.read_text(encoding="utf-8"))
        for found in (*CALL.finditer(source), *BLOCK.finditer(source)):
            yield ast.literal_eval(found.group(1))
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                assert isinstance(node.args[0], ast.Constant), path
                yield node.args[0].value


def test_everything_that_is_said_is_said_in_welsh_and_nothing_is_left_over() -> None:
    messages = read_po(CATALOGUE)
    header = messages.pop("")
    assert "charset=UTF-8" in header
    assert set(messages) == set(said())
    assert len(messages) > 90
    assert [source for source, target in messages.items() if not target or target == source] == []


def test_what_is_filled_in_is_filled_in_in_welsh_too() -> None:
    for source, target in read_po(CATALOGUE).items():
        assert sorted(SIGNS.findall(source)) == sorted(SIGNS.findall(target)), source
        assert "!" not in target
        assert "'" not in target, "a typographic apostrophe"


def test_the_compiled_catalogue_is_that_of_the_text() -> None:
    messages = read_po(CATALOGUE)
    assert CATALOGUE.with_suffix(".mo").read_bytes() == compiled(messages), "python -m ir_portal.catalogs"
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        read = gettext.GNUTranslations(file)
    assert all(read.gettext(source) == target for source, target in messages.items())


def test_a_catalogue_that_cannot_be_read_is_refused_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "one.po"
    path.write_text('msgid "a"\nmsgstr "b"\n\nmsgctxt "x"\n')
    with pytest.raises(ValueError, match="line 4: msgctxt is not known here"):
        read_po(path)
    path.write_text('msgid "a"\nmsgstr "b"\n\nmsgid "a"\nmsgstr "c"\n')
    with pytest.raises(ValueError, match="is there twice"):
        read_po(path)


@pytest.mark.django_db
def test_every_page_leads_to_itself_in_the_other_language(client: Client) -> None:
    row, code = make_coded()
    client.post("/confirm/", {"account": row.login, "code": code})
    client.post("/confirm/changed/", {"changed": "changed"})
    for english, welsh in PAGES.items():
        if english == "done/":
            client.post("/cadarnhau/gwirio/")
            assert Confirmation.objects.get().language == "cy"
        one, other = client.get(f"/confirm/{english}"), client.get(f"/cadarnhau/{welsh}")
        assert (one["Content-Language"], other["Content-Language"]) == ("en-gb", "cy")
        assert f'<a href="/cadarnhau/{welsh}" lang="cy" hreflang="cy">Cymraeg</a>' in one.text
        assert f'<a href="/confirm/{english}" lang="en-GB" hreflang="en-GB">English</a>' in other.text
        assert '<html lang="en-GB">' in one.text
        assert '<html lang="cy">' in other.text
        assert "/confirm/" not in other.text.replace(f'href="/confirm/{english}" lang', "")
        assert "/cadarnhau/" not in one.text.replace(f'href="/cadarnhau/{welsh}" lang', "")


@pytest.mark.django_db
def test_a_refusal_is_said_in_the_language_of_the_page(client: Client) -> None:
    text = client.post("/cadarnhau/", {"account": "x", "code": "7K2M9QTX"}).text
    assert "Ni weithiodd yr enw cyfrif a’r cod hynny" in text
    assert "<title>Gwall: " in text


@pytest.mark.django_db
def test_a_welsh_page_leaves_the_rest_of_the_portal_in_english(client: Client) -> None:
    client.get("/cadarnhau/")
    assert translation.get_language() == "en-gb"
    before = client.get("/account/sign-in/", headers={"Accept-Language": "cy"}).text
    assert '<html lang="en-GB">' in before
    refused = client.post("/account/sign-in/", {"login": "", "password": ""}, headers={"Accept-Language": "cy"})
    assert "This field is required." in refused.text


@pytest.mark.django_db
def test_no_middleware_or_header_chooses_a_language(client: Client) -> None:
    assert "django.middleware.locale.LocaleMiddleware" not in settings.MIDDLEWARE
    client.cookies["django_language"] = "cy"
    assert '<html lang="en-GB">' in client.get("/confirm/", headers={"Accept-Language": "cy"}).text

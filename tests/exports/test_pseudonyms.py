"""Where a text names somebody else: replaced where that is sure, said where it may be, never within another word."""

import pytest

from runbooks.exports.pseudonyms import Person, Pseudonyms, Said

DOMAIN = "parliament.example"
KEY = b"k" * 32


def person(given: str, family: str, *numbers: str, **more: object) -> Person:
    login = f"{given}.{family}@{DOMAIN}".lower().replace(" ", "")
    return Person(login, [login, *more.get("also", ())], [f"{family}, {given}"], given, family, numbers)  # type: ignore[misc]


ANA = person("Ana", "Héronová", "+44 7700 900123", also=("a.heron@home.example",))
JOHN = person("John", "Smith", "020 7219 3000")
JOHN_DOE = person("John", "Doe")
WILL = person("Will", "Page")
NEILL = person("Sinéad", "O'Neill-Łódź")
EVERYBODY = [ANA, JOHN, JOHN_DOE, WILL, NEILL]


def read(text: str, holder: Person | None = JOHN) -> tuple[str, Said]:
    said = Said()
    read = Pseudonyms(EVERYBODY, holder.login if holder else None, KEY).read(text, said)
    return str(read), said


def name_of(one: Person) -> str:
    return Pseudonyms(EVERYBODY, JOHN.login, KEY).name(one.login)


@pytest.mark.parametrize(
    "text",
    [
        "ana.héronová@parliament.example", "ANA.HERONOVA@PARLIAMENT.EXAMPLE", "a.heron@home.example", "Héronová, Ana",
        "Ana Héronová", "ana heronova", "ANA  HE\u0301RONOVA\u0301", "Heronova Ana", "07700 900 123",
        "+44 (0)7700-900123", "+447700900123", "Ana\nHéronová",
    ],
)  # fmt: skip
def test_what_names_an_account_is_replaced_however_it_is_written(text: str) -> None:
    told, said = read(f"Reached {text}, by telephone")
    assert told == f"Reached {name_of(ANA)}, by telephone"
    assert (said.replaced, said.doubtful) == (1, 0)


@pytest.mark.parametrize(
    "text", ["Banana split", "the anatomy", "Smithsonian", "heronovation", "Pageant", "2026-06-24 10:30:05"]
)
def test_a_name_within_another_word_is_none(text: str) -> None:
    assert read(text) == (text, Said())


@pytest.mark.parametrize(
    "text",
    [
        "Ana rang", "spoke to mrs heronova", "A. Heronova", "anaheronova", "heronova-ana", "Sinead's phone", "lodz",
        "ONEILL", "John said", "Doe", "somebody@elsewhere.example", "Will will",
    ],
)  # fmt: skip
def test_a_word_that_may_be_a_name_is_said(text: str) -> None:
    told, said = read(text)
    assert said.doubtful > 0 or said.replaced > 0
    assert said.doubtful > 0 or "heronova" not in told.lower()


def test_a_capital_within_a_sentence_is_what_names_are_written_with() -> None:
    assert read("It will be seen on that page")[1] == Said(doubtful=2)
    assert read("Told by Will on Tuesday")[1] == Said(doubtful=1, named=1)
    assert read("Will be seen. Page two")[1] == Said(doubtful=2)


def test_the_holders_own_stay_even_with_a_common_first_name() -> None:
    text = f"{JOHN.login}, Smith, John, John Smith and 020 7219 3000"
    assert read(text) == (text, Said())
    told, said = read("John Smith and John Doe")
    assert told == f"John Smith and {name_of(JOHN_DOE)}"
    assert said.replaced == 1


def test_without_a_holder_everybody_is_an_other() -> None:
    told, said = read("John Smith, 02072193000", None)
    assert "John" not in told
    assert "3000" not in told
    assert said.replaced == 2


def test_a_plus_address_and_an_address_nobody_has_are_not_left() -> None:
    told, said = read("ana.heronova+x@parliament.example")
    assert "heronova" not in told
    assert said.replaced == 1
    assert said.doubtful == 1


def test_names_and_values_of_json_are_read_alike() -> None:
    said = Said()
    told = Pseudonyms(EVERYBODY, JOHN.login, KEY).read({ANA.login: [{"of": "Ana Héronová"}, 7, None, True]}, said)
    name = name_of(ANA)
    assert told == {name: [{"of": name}, 7, None, True]}
    assert said.replaced == 2


def test_pseudonyms_are_of_one_key_and_nobody_shares_one() -> None:
    many = [person("Given", f"Family{n}") for n in range(3000)]
    one, other = (Pseudonyms(many, None, key) for key in (KEY, b"o" * 32))
    names = {one.name(each.login) for each in many}
    assert len(names) == 3000
    assert all(name.startswith("account-") for name in names)
    assert sum(one.name(each.login) == other.name(each.login) for each in many) < 30

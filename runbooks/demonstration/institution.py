"""A fictitious institution of two houses: its accounts as a directory would export them, the same for the same seed.

Names are put together from syllables, addresses end in .example, and telephone numbers come from the ranges that are
kept free for drama (07700 900000 to 900999, 020 7946 0000 to 0999), so nothing here can reach anybody.
"""

import csv
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from io import BytesIO, TextIOWrapper

from runbooks.directory.names import fold
from runbooks.errors import DomainError

DOMAIN = "parliament.example"
FULL_SIZE = 9000
# The exercise needs 143 people with accounts, and others who have nothing to do with it.
SMALLEST, LARGEST = 250, 200_000
TWINS = 4
# Of the people: the directory says that they read Welsh.
WELSH_SHARE = 0.03

GIVEN_STARTS = "Ad Bel Cae Dor Eli Fen Gwi Hal Ire Jor Kas Lin Mar Ner Oli Per Rho Sil Tam Ulo Vel Wil Ysa Zan"
GIVEN_ENDS = "abel adan andra ano arin edric elan elia ena eth ian iel ira isen ona orin oth una yn"
FAMILY_STARTS = (
    "Ald Bren Cav Dorr Elv Fosk Gren Harv Ingl Jess Kest Lund Morv Nest Orm Pell Quen Rusk Sarn Tolv Ulm Venn Wexl "
    "Yarr Zell"
)
FAMILY_ENDS = (
    "acre amber arth ebeck efold elow enby endale erick esby inder ingate isk ocken omere onby ostow unden urney yke"
)
ACCENTED = str.maketrans({"e": "é", "o": "ö", "a": "á", "u": "ü"})

# (department, title, share of the staff)
STAFF = (
    ("Members’ offices", "Parliamentary assistant", 46),
    ("Committees", "Committee clerk", 11),
    ("Library", "Researcher", 8),
    ("Digital service", "Engineer", 9),
    ("Estates", "Facilities officer", 12),
    ("Security", "Officer", 6),
    ("Journals", "Clerk", 4),
    ("Human resources", "Adviser", 4),
)
SHARED = ("enquiries", "bookings", "visits", "print-room", "duty-desk", "lost-property", "petitions", "archive")
SERVICES = ("scanner", "backup", "monitor", "payroll-link", "badge-reader", "catering-till")


class BadSizeError(DomainError):
    """The institution cannot be of this size."""

    status = 400


@dataclass(frozen=True, slots=True)
class Row:
    """One account, by the columns that the directory's import knows."""

    login: str
    display_name: str
    given_name: str = ""
    family_name: str = ""
    mail: str = ""
    alternate_mail: str = ""
    mobile: str = ""
    telephone: str = ""
    office: str = ""
    department: str = ""
    title: str = ""
    kind: str = "person"
    is_enabled: bool = True
    is_privileged: bool = False
    external_id: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Institution:
    """`twins` are pairs of people with the same display name: no list can mean one of them by it alone."""

    rows: tuple[Row, ...]
    twins: tuple[tuple[Row, Row], ...]
    break_glass: int

    def as_csv(self) -> BytesIO:
        """The directory's export: UTF-8 with a byte order mark, a header row, a row an account."""
        file = BytesIO()
        text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
        writer = csv.writer(text)
        names = [field.name for field in fields(Row)]
        writer.writerow(COLUMNS[name] for name in names)
        writer.writerows([getattr(row, name) for name in names] for row in self.rows)
        text.detach()
        file.seek(0)
        return file

    @property
    def kept(self) -> list[Row]:
        """Accounts that a lock-down leaves alone by rule: break-glass and service accounts."""
        return [row for row in self.rows if row.kind == "service"]

    @property
    def numbers(self) -> dict[str, str]:
        """How many accounts there are, how many of them a lock-down restricts and how many it leaves alone."""
        size, kept = len(self.rows), len(self.kept)
        return {"size": f"{size:,}", "restricted": f"{size - kept:,}", "kept": f"{kept:,}"}

    def is_alone(self) -> Callable[[Row], bool]:
        """Tells whether nobody else has the row's display name."""
        named = Counter(fold(row.display_name) for row in self.rows)
        return lambda row: named[fold(row.display_name)] == 1


COLUMNS = {
    "login": "userPrincipalName",
    "display_name": "displayName",
    "given_name": "givenName",
    "family_name": "surname",
    "mail": "mail",
    "alternate_mail": "alternateEmailAddress",
    "mobile": "mobilePhone",
    "telephone": "telephoneNumber",
    "office": "physicalDeliveryOfficeName",
    "department": "department",
    "title": "jobTitle",
    "kind": "userType",
    "is_enabled": "accountEnabled",
    "is_privileged": "isPrivileged",
    "external_id": "objectId",
    "language": "preferredLanguage",
}


def make_institution(*, seed: int, accounts: int = FULL_SIZE) -> Institution:
    """An institution of this many accounts. Raises BadSizeError."""
    if not SMALLEST <= accounts <= LARGEST:
        raise BadSizeError(f"An institution has {SMALLEST:,} to {LARGEST:,} accounts here, not {accounts:,}.")
    maker = _Maker(seed, accounts)
    rows = [*maker.things(), *maker.people()]
    twins = maker.twins([row for row in rows if row.department == "Members’ offices" and row.is_enabled])
    kept = rows[: accounts - len(twins)]
    return Institution((*kept, *(twin for _, twin in twins)), tuple(twins), maker.break_glass)


class _Maker:
    """Makes rows, one after the other, from one source of chance."""

    def __init__(self, seed: int, accounts: int) -> None:
        self._chance, self._languages = random.Random(f"institution {seed}"), random.Random(f"languages {seed}")
        self._given = GIVEN_STARTS.split(), GIVEN_ENDS.split()
        self._family = FAMILY_STARTS.split(), FAMILY_ENDS.split()
        self._accounts = accounts
        self._taken: set[str] = set()
        self.break_glass = max(2, self._share(5))

    def _share(self, of_full_size: int) -> int:
        return max(1, round(of_full_size * self._accounts / FULL_SIZE))

    def things(self) -> Iterator[Row]:
        """Accounts that are nobody's own: break-glass, service, shared mailboxes."""
        for number in range(1, self.break_glass + 1):
            yield self._thing(f"break-glass-{number}", f"Break-glass {number}", "service", is_privileged=True)
        for number in range(self._share(60)):
            name = SERVICES[number % len(SERVICES)]
            yield self._thing(f"svc-{name}-{number + 1:02d}", f"Service: {name} {number + 1}", "service")
        for number in range(self._share(300)):
            name = SHARED[number % len(SHARED)]
            yield self._thing(
                f"{name}-{number + 1:03d}", f"{name.replace('-', ' ').capitalize()} {number + 1}", "shared"
            )

    def people(self) -> Iterator[Row]:
        """Members, peers, guests; the rest are staff, of whom some run the systems."""
        left = self._accounts - self.break_glass - self._share(60) - self._share(300)
        for department, title, share in (("Members", "Member", 650), ("Peers", "Peer", 800)):
            for _ in range(self._share(share)):
                yield self._person(department, title)
                left -= 1
        for _ in range(self._share(270)):
            yield self._person("Press gallery", "Accredited journalist", kind="guest")
            left -= 1
        privileged = self._share(120) - self.break_glass
        for _ in range(privileged):
            yield replace(self._person("Digital service", "Systems engineer"), is_privileged=True, is_enabled=True)
        weights = [share for *_, share in STAFF]
        for department, title, _ in self._chance.choices(STAFF, weights, k=left - privileged):
            yield self._person(department, title)

    def twins(self, staff: list[Row]) -> list[tuple[Row, Row]]:
        """Second people with the names of some of the staff."""
        first = self._chance.sample(staff[: len(staff) // 2], TWINS)
        return [
            (
                row,
                replace(
                    self._person("Estates", "Facilities officer", (row.given_name, row.family_name)), is_enabled=True
                ),
            )
            for row in first
        ]

    def _thing(self, login: str, display_name: str, kind: str, *, is_privileged: bool = False) -> Row:
        return Row(
            login=f"{login}@{DOMAIN}",
            display_name=display_name,
            mail=f"{login}@{DOMAIN}" if kind == "shared" else "",
            department="Digital service",
            kind=kind,
            is_privileged=is_privileged,
            external_id=self._id(),
        )

    def _person(
        self, department: str, title: str, named: tuple[str, str] | None = None, *, kind: str = "person"
    ) -> Row:
        chance = self._chance
        given, family = named or self._name()
        stem = self._login(given, family)
        is_guest = kind == "guest"
        mail = f"{stem}@gallery.example" if is_guest else f"{stem}@{DOMAIN}"
        return Row(
            login=f"{stem}@{DOMAIN}",
            display_name=f"{family}, {given}",
            given_name=given,
            family_name=family,
            mail=mail,
            alternate_mail=f"{stem}@home.example" if chance.random() < 0.4 else "",
            mobile=f"07700 900{chance.randrange(1000):03d}" if chance.random() < 0.86 else "",
            telephone=f"020 7946 {chance.randrange(1000):04d}",
            office=f"{chance.choice('ABCDEF')}{chance.randrange(1, 5)}.{chance.randrange(1, 60):02d}",
            department=department,
            title=title,
            kind=kind,
            is_enabled=chance.random() >= 0.04,
            external_id=self._id(),
            language="cy" if self._languages.random() < WELSH_SHARE else "",
        )

    def _name(self) -> tuple[str, str]:
        chance = self._chance
        given, family, second = (self._joined(*parts) for parts in (self._given, self._family, self._family))
        shape = chance.random()
        if shape < 0.02:
            family = f"O’{family}"
        elif shape < 0.05:
            family = f"{family}-{second}"
        elif shape < 0.08:
            given = given[:-3] + given[-3:].translate(ACCENTED)
        return given, family

    def _joined(self, starts: list[str], ends: list[str]) -> str:
        return self._chance.choice(starts) + self._chance.choice(ends)

    def _login(self, given: str, family: str) -> str:
        folded = f"{given}.{family}".lower().translate(UNACCENTED)
        stem = "".join(sign for sign in folded if sign.isascii() and (sign.isalnum() or sign in ".-"))
        login, again = stem, 1
        while login in self._taken:
            again += 1
            login = f"{stem}{again}"
        self._taken.add(login)
        return login

    def _id(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))


UNACCENTED = str.maketrans("éöáü", "eoau")

"""What letters and text messages say, by language: texts/<language>.toml, and moments in its words."""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from runbooks.confirmations.letters.contents import Language

FOLDER: Final = Path(__file__).parent / "texts"


@cache
def texts(language: Language) -> Mapping[str, Any]:
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


def day(at: datetime, zone: ZoneInfo, language: Language) -> str:
    """23 June 2017"""
    return _said("day", at.astimezone(zone), texts(language)["time"])


def moment(at: datetime, zone: ZoneInfo, language: Language) -> str:
    """5:00pm on Friday 23 June 2017"""
    return _said("moment", at.astimezone(zone), texts(language)["time"])


def soon(at: datetime, zone: ZoneInfo, language: Language) -> str:
    """5:00pm on Friday 23 June"""
    return _said("soon", at.astimezone(zone), texts(language)["time"])


def _said(form: str, at: datetime, words: Mapping[str, Any]) -> str:
    said: str = words[form].format(
        hour=(at.hour - 1) % 12 + 1,
        minute=at.minute,
        half=words["halves"][at.hour // 12],
        weekday=words["weekdays"][at.weekday()],
        day=at.day,
        month=words["months"][at.month - 1],
        year=at.year,
    )
    return said

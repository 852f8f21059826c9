"""A small sound definition, and what reading it, changed in some way, comes to."""

from runbooks.catalog.loader import Reading, read_text

SOUND = '''\
slug = "drill"
title = "Drill"
version = "1.0"
summary = "A short one."

[[phases]]
key = "triage"
title = "Triage"

[[phases]]
key = "contain"
title = "Contain"

[roles]
lead = "Incident lead"
identity = "Identity operations"

[[steps]]
id = "disable"
phase = "contain"
title = "Disable sign-in"
role = "identity"
scope = "account"
depends_on = [
  "declare",
]
target = "0:15"
automation = "lock_account"
fact = "sign_in_disabled"
tiers = ["A", "B"]
evidence = [
  { key = "read-back", label = "Read-back" },
  { key = "receipt", label = "Receipt" },
]
instruction = """
Disable it.
Read it back.
"""

[[steps]]
id = "declare"
phase = "triage"
title = "Declare"
role = "lead"
scope = "incident"
target = "4h"
deadline = "Regulator"
two_person = true
instruction = "Declare it."
'''


def read(text: str) -> Reading:
    return read_text(text, file="drill.toml", name="drill")


def faults(text: str) -> list[str]:
    return [str(fault) for fault in read(text).faults]


def line_of(text: str, fragment: str) -> int:
    return text[: text.index(fragment)].count("\n") + 1

"""100,000 guesses at the codes of 90 holders from many networks: none opens, the alarm is raised, nobody is locked out.

Through the operation that the staff page calls, with a clock that runs a day while the guesses are made; a fifth of
them are at ten holders. At the end every holder's right code still opens, from a network of their own. The ratio is of
accepted guesses, which is to be 0; the wrong tries that were looked at are counted beside what the limits allow.
"""

import random
import sys
import time
from datetime import timedelta

from confirm_storm import prepare
from django.utils import timezone
from harness import Claim, conclude, is_quick, portal

from runbooks.access.models import Role
from runbooks.confirmations import throttle
from runbooks.confirmations.codes import ALPHABET, LENGTH
from runbooks.confirmations.models import Probe
from runbooks.confirmations.operations import CodeDidNotWorkError, open_code
from runbooks.confirmations.operations.probing import look
from runbooks.notifications.models import Notification
from tests.factories import add_member, make_user

HOLDERS, NETWORKS = 90, 2_000
DAY = 24 * 3600.0


def main() -> int:
    guesses = 10_000 if is_quick(__doc__) else 100_000
    chance = random.Random(4)
    with portal():
        incident, issued = prepare(HOLDERS)
        add_member(incident, make_user(Role.COORDINATOR))
        began, accepted, alarms = time.time(), 0, 0
        for number in range(guesses):
            now = began + DAY * number / guesses
            throttle.time.time = lambda now=now: now  # type: ignore[assignment]
            holder = chance.randrange(10) if chance.random() < 0.2 else chance.randrange(HOLDERS)
            address = f"198.{18 + chance.randrange(NETWORKS) % 2}.{chance.randrange(NETWORKS // 8)}.7"
            accepted += opens(f"holder{holder}", "".join(chance.choices(ALPHABET, k=LENGTH)), address)
            if number % (guesses // 100) == 0:
                alarms += look(at=timezone.now() + timedelta(seconds=now - began))
        left = throttle.client().hget("tries:all", "level")
        right = sum(opens(one.login, one.code, f"203.0.{one.affected_id % 250}.9") for one in issued)
        probes, notices = Probe.objects.count(), Notification.objects.filter(event="holder.probed").count()
    print(f"{guesses:,} guesses, {accepted} accepted; of the limit of all {float(left or 0):,.0f} tries are left")
    print(f"{alarms} alarms, {probes} rows, {notices} notices; {right} of {HOLDERS} right codes open afterwards")
    claims = [
        Claim("guesses that open", float(accepted), 0.0),
        Claim("alarms", float(min(alarms, probes, notices)), 1.0, at_least=True),
        Claim("right codes that open afterwards", right / HOLDERS, 1.0, at_least=True),
    ]
    return conclude("guesses", claims)


def opens(login: str, typed: str, address: str) -> bool:
    try:
        open_code(login=login, typed=typed, origin=throttle.origin(address, login), at=timezone.now())
    except CodeDidNotWorkError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())

"""The portal's settings for tests, with data, keys and engines of their own: they never meet those of a running portal.

Every run has a database, a Valkey database and a folder of files of its own, named by TEST_RUN. A process the tests
start (a worker) inherits the variable, and so the three.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

REPOSITORY = Path(__file__).resolve().parent.parent
os.environ.setdefault("RUN_DIR", str(REPOSITORY / ".run" / "test"))
TEST_RUN = os.environ.setdefault("TEST_RUN", str(os.getpid()))

from ir_portal.engines.valkey import DATABASES as VALKEY_DATABASES  # noqa: E402
from ir_portal.settings import *  # noqa: E402, F403
from ir_portal.settings import CACHES, DATABASES, REDIS_URL, RUN_DIR  # noqa: E402

DATABASES["default"]["TEST"] = {"NAME": f"test_ir_portal_{TEST_RUN}"}
# Emptied by the tests: never the database of a portal. A server of somebody's own has 16 of them.
_number = 15 if "REDIS_URL" in os.environ else 1 + int(TEST_RUN) % (VALKEY_DATABASES - 1)
REDIS_URL = CELERY_BROKER_URL = CACHES["default"]["LOCATION"] = (
    urlsplit(REDIS_URL)._replace(path=f"/{_number}").geturl()
)
MEDIA_ROOT = RUN_DIR / f"media-{TEST_RUN}"
# Served from where they lie; a folder that is not there makes WhiteNoise warn, and a warning is an error here.
STATIC_ROOT = None
# Argon2 takes a tenth of a second a password, by design.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# A developer’s own key signs no test, and no authority is asked.
SIGNING_KEY = SIGNING_KEY_FILE = TSA_URL = TSA_CA_FILE = ""

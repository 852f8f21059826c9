"""Imported before anything of the portal: an environment of the bench's own, and Django set up in it.

The settings read the environment once, so it has to stand when they are first imported. The folder is gone at the end.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import django

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = Path(tempfile.mkdtemp(prefix="ir-portal-bench-"))
sys.path.insert(0, str(REPOSITORY))
for name in ("DATABASE_URL", "REDIS_URL", "DATABASE_POOL"):
    os.environ.pop(name, None)
os.environ.update({"RUN_DIR": str(FOLDER), "DJANGO_SETTINGS_MODULE": "ir_portal.settings", "LOG_LEVEL": "ERROR"})
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
django.setup()

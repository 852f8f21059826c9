"""Pages and the live feed, for an ASGI server."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from ir_portal.capped import Capped

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ir_portal.settings")
application = Capped(get_asgi_application(), settings.REQUEST_MAX_BYTES)

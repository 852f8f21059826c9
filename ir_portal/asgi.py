"""Pages and the live feed, for an ASGI server."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ir_portal.settings")
application = get_asgi_application()

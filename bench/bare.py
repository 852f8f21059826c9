"""The measure of bench/pages.py: a bare Django view, as somebody would write it who needs nothing else.

One keyset query of 50 entries through the ORM, one plain template with two dates a row; no middleware, no session, no
layout. Served beside the portal by the same server, with the same pool of connections. Environment: BARE_INCIDENT (the
incident's id), BARE_AFTER (the keyset: the time and the sequence after which the page begins).
"""

import os
from datetime import datetime
from pathlib import Path

from django.conf import settings

from ir_portal import settings as portal

settings.configure(
    SECRET_KEY="not a secret",
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.postgres", "runbooks"],
    MIDDLEWARE=[],
    ROOT_URLCONF=__name__,
    DATABASES=portal.DATABASES,
    TEMPLATES=[
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [Path(__file__).parent / "templates"]}
    ],
    AUTH_USER_MODEL=portal.AUTH_USER_MODEL,
    DEFAULT_AUTO_FIELD=portal.DEFAULT_AUTO_FIELD,
    USE_I18N=portal.USE_I18N,
    USE_TZ=portal.USE_TZ,
    LOGGING=portal.LOGGING,
)

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()

from django.db.models import Q  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.urls import path  # noqa: E402

from runbooks.timeline.models import TimelineEvent  # noqa: E402

INCIDENT = os.environ["BARE_INCIDENT"]
OCCURRED_AT, SEQUENCE = os.environ["BARE_AFTER"].split()
AFTER, NUMBER = datetime.fromisoformat(OCCURRED_AT), int(SEQUENCE)
# What the template shows: the columns nobody looks at would make the measure easier to reach.
SHOWN = ("sequence", "occurred_at", "recorded_at", "kind", "actor", "summary")


def page(request: HttpRequest) -> HttpResponse:
    events = (
        TimelineEvent.objects.filter(incident_id=INCIDENT, occurred_at__lte=AFTER)
        .filter(Q(occurred_at__lt=AFTER) | Q(sequence__lt=NUMBER))
        .order_by("-occurred_at", "-sequence")
        .only(*SHOWN)[:50]
    )
    return render(request, "bare.html", {"events": events})


urlpatterns = [path("", page)]

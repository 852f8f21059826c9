"""The measure of bench/confirm_storm.py: a bare Django view that keeps one row, as somebody would write it.

One INSERT through the ORM, no middleware, no template; served beside the portal by the same server, with the same pool
of connections.
"""

from django.conf import settings

from ir_portal import settings as portal

settings.configure(
    SECRET_KEY="not a secret",
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.postgres", "runbooks"],
    MIDDLEWARE=[],
    ROOT_URLCONF=__name__,
    DATABASES=portal.DATABASES,
    AUTH_USER_MODEL=portal.AUTH_USER_MODEL,
    DEFAULT_AUTO_FIELD=portal.DEFAULT_AUTO_FIELD,
    USE_I18N=False,
    USE_TZ=portal.USE_TZ,
    LOGGING=portal.LOGGING,
)

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()

from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402

from runbooks.confirmations.models import Probe  # noqa: E402


def keep(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    kept = Probe.objects.create(login=request.POST.get("account", ""), wrong=0, networks=0, since=now, at=now)
    return HttpResponse(f"Kept as {kept.pk}")


urlpatterns = [path("", keep)]

"""The public keys, for anybody: whom to trust must not come from inside a bundle."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from runbooks.exports import keys


@cache_control(public=True, max_age=300)
@login_not_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The file that `ssh-keygen -Y verify -f` and `verify_export.py --signers` read."""
    return HttpResponse(keys.published(), content_type="text/plain; charset=us-ascii")

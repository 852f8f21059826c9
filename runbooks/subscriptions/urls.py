"""Pages of subscriptions: who outside is told of entries, and how that goes."""

from django.urls import path

from runbooks.subscriptions.views import list, new, one, verbs

ONE = "subscriptions/<uuid:subscription_id>/"

urlpatterns = [
    path("subscriptions/", list.page, name="subscriptions"),
    path("subscriptions/new/", new.page, name="subscription_new"),
    path(ONE, one.page, name="subscription"),
    path(f"{ONE}test/", verbs.test, name="subscription_test"),
    path(f"{ONE}pause/", verbs.pause, name="subscription_pause"),
    path(f"{ONE}resume/", verbs.resume, name="subscription_resume"),
    path(f"{ONE}secret/", verbs.exchange_secret, name="subscription_secret"),
    path(f"{ONE}end/", verbs.end, name="subscription_end"),
    path(f"{ONE}send-again/", verbs.send_failed_again, name="subscription_send_failed"),
    path(f"{ONE}send-again/<uuid:delivery_id>/", verbs.send_again, name="subscription_send_again"),
]

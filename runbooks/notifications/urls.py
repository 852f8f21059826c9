"""Pages of this slice."""

from django.urls import path

from runbooks.notifications.views import mail_sink

urlpatterns = [
    path("mail-sink/", mail_sink.page, name="mail_sink"),
]

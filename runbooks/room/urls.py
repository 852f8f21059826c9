"""Pages that join the slices: the list, the declaration, the overview, the timeline, what waits for me."""

from django.urls import path

from runbooks.room.views import (
    declare,
    entry,
    incident_list,
    live,
    my_notices,
    my_work,
    notices,
    overview,
    readings,
    search,
    timeline,
    undelivered,
)

TIMELINE = "incidents/<str:reference>/timeline/"
ENTRY = f"{TIMELINE}<int:sequence>/"

urlpatterns = [
    path("incidents/", incident_list.page, name="incident_list"),
    path("incidents/declare/", declare.page, name="incident_declare"),
    path("incidents/<str:reference>/", overview.page, name="incident"),
    path("incidents/<str:reference>/notices/", notices.page, name="notices"),
    path("incidents/<str:reference>/notices/send-again/", notices.send_again, name="notices_send_again"),
    path("incidents/<str:reference>/notices/settle/", notices.settle, name="notices_settle"),
    path(
        "incidents/<str:reference>/notices/<uuid:notification_id>/try-again/",
        notices.try_again,
        name="notice_try_again",
    ),
    path(TIMELINE, timeline.page, name="timeline"),
    path(f"{TIMELINE}add/", timeline.add, name="timeline_add"),
    path(f"{TIMELINE}print.css", timeline.print_style, name="timeline_print_style"),
    path(ENTRY, entry.page, name="timeline_entry"),
    path(f"{ENTRY}correct/", entry.correct, name="timeline_correct"),
    path(f"{ENTRY}pin/", entry.pin, name="timeline_pin"),
    path(f"{ENTRY}unpin/", entry.unpin, name="timeline_unpin"),
    path("incidents/<str:reference>/readings/", readings.page, name="readings"),
    path("live/<uuid:incident_id>/", live.stream, name="live"),
    path("my-work/", my_work.page, name="my_work"),
    path("notices/", my_notices.page, name="my_notices"),
    path("notices/seen/", my_notices.seen_all, name="notices_seen_all"),
    path("notices/<uuid:notification_id>/seen/", my_notices.seen, name="notice_seen"),
    path("notices/undelivered/", undelivered.page, name="undelivered"),
    path("notices/undelivered/send-again/", undelivered.send_again, name="portal_notices_send_again"),
    path("search/", search.page, name="search"),
]

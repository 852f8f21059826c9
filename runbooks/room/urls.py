"""Pages that join the slices: the list, the declaration, the overview, the timeline, what waits for me."""

from django.urls import path

from runbooks.room.views import declare, incident_list, my_work, notices, overview, search

urlpatterns = [
    path("incidents/", incident_list.page, name="incident_list"),
    path("incidents/declare/", declare.page, name="incident_declare"),
    path("incidents/<str:reference>/", overview.page, name="incident"),
    path("incidents/<str:reference>/notices/", notices.page, name="notices"),
    path(
        "incidents/<str:reference>/notices/<uuid:notification_id>/try-again/",
        notices.try_again,
        name="notice_try_again",
    ),
    path("my-work/", my_work.page, name="my_work"),
    path("search/", search.page, name="search"),
]

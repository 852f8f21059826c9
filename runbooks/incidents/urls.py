"""Pages about an incident as a whole."""

from django.urls import path

from runbooks.incidents.views import edit, people

urlpatterns = [
    path("incidents/<str:reference>/edit/", edit.page, name="incident_edit"),
    path("incidents/<str:reference>/status/", edit.status, name="incident_status"),
    path("incidents/<str:reference>/people/", people.page, name="incident_people"),
    path("incidents/<str:reference>/people/add/", people.add, name="incident_people_add"),
    path("incidents/<str:reference>/people/<int:user_id>/end/", people.end, name="incident_people_end"),
    path("incidents/<str:reference>/people/roles/give/", people.give_role, name="incident_role_give"),
    path("incidents/<str:reference>/people/roles/<int:role_id>/end/", people.end_role, name="incident_role_end"),
]

"""Pages of this slice: the rotas. Contact points have theirs where channels are known, in notifications."""

from django.urls import path

from runbooks.contacts.views import rota, rotas

ROTA = "rotas/<int:rota_id>/"

urlpatterns = [
    path("rotas/", rotas.page, name="rotas"),
    path("rotas/add/", rotas.add, name="rota_add"),
    path(ROTA, rota.page, name="rota"),
    path(f"{ROTA}end/", rota.end, name="rota_end"),
    path(f"{ROTA}calendar.ics", rota.calendar_file, name="rota_calendar"),
    path(f"{ROTA}shifts/", rota.shift_add, name="rota_shift_add"),
    path(f"{ROTA}weeks/", rota.weeks_add, name="rota_weeks_add"),
    path(f"{ROTA}shifts/<int:shift_id>/take-back/", rota.shift_take_back, name="rota_shift_take_back"),
]

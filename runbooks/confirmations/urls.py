"""The staff pages, in English and in Welsh: the same pages, each language at addresses of its own. And the desk's."""

from django.urls import path

from runbooks.confirmations.views.desk import call as desk_call
from runbooks.confirmations.views.desk import codes, one, paper, queue
from runbooks.confirmations.views.holder.about import about, check
from runbooks.confirmations.views.holder.call import call
from runbooks.confirmations.views.holder.changed import changed, how
from runbooks.confirmations.views.holder.ending import done
from runbooks.confirmations.views.holder.frame import ENGLISH, WELSH
from runbooks.confirmations.views.holder.start import start

ROOM = "incidents/<str:reference>/"
DESK = f"{ROOM}desk/"

urlpatterns = [
    path("confirm/", start, {"language": ENGLISH}, name="holder_start"),
    path("confirm/changed/", changed, {"language": ENGLISH}, name="holder_changed"),
    path("confirm/how/", how, {"language": ENGLISH}, name="holder_how"),
    path("confirm/about/", about, {"language": ENGLISH}, name="holder_about"),
    path("confirm/check/", check, {"language": ENGLISH}, name="holder_check"),
    path("confirm/done/", done, {"language": ENGLISH}, name="holder_done"),
    path("confirm/call/", call, {"language": ENGLISH}, name="holder_call"),
    path("cadarnhau/", start, {"language": WELSH}, name="holder_start_cy"),
    path("cadarnhau/newid/", changed, {"language": WELSH}, name="holder_changed_cy"),
    path("cadarnhau/sut/", how, {"language": WELSH}, name="holder_how_cy"),
    path("cadarnhau/cwestiynau/", about, {"language": WELSH}, name="holder_about_cy"),
    path("cadarnhau/gwirio/", check, {"language": WELSH}, name="holder_check_cy"),
    path("cadarnhau/derbynneb/", done, {"language": WELSH}, name="holder_done_cy"),
    path("cadarnhau/galwad/", call, {"language": WELSH}, name="holder_call_cy"),
    path(f"{ROOM}codes/new/", codes.page, name="codes_new"),
    path(f"{ROOM}letters/<int:number>/envelopes/", codes.envelopes, name="letters_envelopes"),
    path(f"{ROOM}codes/<int:affected_id>/", one.page, name="account_code"),
    path(f"{ROOM}codes/<int:affected_id>/<slug:channel>/", one.give, name="account_code_give"),
    path(DESK, queue.page, name="desk"),
    path(f"{DESK}take/", queue.take, name="desk_take"),
    path(f"{DESK}list/", paper.call_list, name="desk_list"),
    path(f"{DESK}results/", paper.results, name="desk_results"),
    path(f"{DESK}calls/<int:call_id>/", desk_call.page, name="desk_call"),
    path(f"{DESK}calls/<int:call_id>/reference/", desk_call.reference, name="desk_call_reference"),
    path(f"{DESK}calls/<int:call_id>/hours/", desk_call.hours, name="desk_call_hours"),
    path(f"{DESK}calls/<int:call_id>/end/", desk_call.end, name="desk_call_end"),
]

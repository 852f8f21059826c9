"""Pages of this slice."""

from django.urls import path

from runbooks.notifications.views import call_backs, contacts, mail_sink, reachability, texts

POINTS = "contact-points/"
POINT = f"{POINTS}<uuid:point_id>/"
TEXTS = "notices/texts/"
TEXT = f"{TEXTS}<str:event>/"

urlpatterns = [
    path("mail-sink/", mail_sink.page, name="mail_sink"),
    path(POINTS, contacts.page, name="contact_points"),
    path(f"{POINTS}add/", contacts.add, name="contact_point_add"),
    path(f"{POINTS}rules/<str:importance>/", contacts.rule, name="contact_rule"),
    path(f"{POINTS}preferences/", contacts.preferences, name="contact_preferences"),
    path(POINT, contacts.point, name="contact_point"),
    path(f"{POINT}code/", contacts.code, name="contact_point_code"),
    path(f"{POINT}send-code/", contacts.send_code, name="contact_point_send_code"),
    path(f"{POINT}test/", contacts.test, name="contact_point_test"),
    path(f"{POINT}end/", contacts.end, name="contact_point_end"),
    path(f"{POINT}restore/", contacts.restore, name="contact_point_restore"),
    path("hooks/notices/twilio/<str:token>/", call_backs.twilio, name="notice_call_back"),
    path("hooks/notices/mail/", call_backs.mail, name="mail_call_back"),
    path("reachability/", reachability.page, name="reachability"),
    path(TEXTS, texts.page, name="notice_texts"),
    path(TEXT, texts.one, name="notice_text"),
    path(f"{TEXT}<str:language>/", texts.edit, name="notice_text_edit"),
    path(f"{TEXT}<str:language>/restore/", texts.restore, name="notice_text_restore"),
    path(f"{TEXT}<str:language>/shipped/", texts.ship, name="notice_text_ship"),
]

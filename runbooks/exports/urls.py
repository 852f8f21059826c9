"""Pages of the seal: what was signed, who witnesses it, what was taken out; and the public keys, for everybody."""

from django.urls import path

from runbooks.exports.views import signers

ROOM = "incidents/<str:reference>/"

urlpatterns = [
    path(".well-known/ir-portal-signers", signers.page, name="signers"),
]

"""Every address of the portal."""

from allauth.account.decorators import secure_admin_login
from allauth.account.views import LoginView, LogoutView, PasswordChangeView, ReauthenticateView
from django.contrib import admin
from django.urls import include, path

from ir_portal.health import healthz

admin.autodiscover()
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # allauth's documented way

# Only what people here do with a password: nobody signs up, and no password is reset by mail.
account = [
    path("sign-in/", LoginView.as_view(), name="account_login"),
    path("sign-out/", LogoutView.as_view(), name="account_logout"),
    path("password/", PasswordChangeView.as_view(), name="account_change_password"),
    path("confirm-password/", ReauthenticateView.as_view(), name="account_reauthenticate"),
]

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("account/", include(account)),
    path("admin/", admin.site.urls),
    path("", include("runbooks.urls")),
]

"""Where Apprise may go, and opening one of its URLs so that it goes nowhere else."""

from importlib import import_module
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from apprise import Apprise, AppriseAsset, PersistentStoreMode
from apprise.plugins.base import NotifyBase
from django.conf import settings

from runbooks.notifications.channels.base import BadAddressError

EXAMPLE: Final = "pover://user@token"
# Schema: Apprise's class, and the host in its code. Not taken are those that say "sent" where nothing was, as Opsgenie.
SERVICES: Final = {
    "discord": ("discord.NotifyDiscord", "discord.com"),
    "gchat": ("google_chat.NotifyGoogleChat", "chat.googleapis.com"),
    "pagerduty": ("pagerduty.NotifyPagerDuty", "pagerduty.com"),
    "pbul": ("pushbullet.NotifyPushBullet", "api.pushbullet.com"),
    "pover": ("pushover.NotifyPushover", "api.pushover.net"),
    "prowl": ("prowl.NotifyProwl", "api.prowlapp.com"),
    "signl4": ("signl4.NotifySIGNL4", "connect.signl4.com"),
    "splunk": ("splunk.NotifySplunk", "alert.victorops.com"),
    "spush": ("simplepush.NotifySimplePush", "api.simplepu.sh"),
    "tgram": ("telegram.NotifyTelegram", "api.telegram.org"),
    "threema": ("threema.NotifyThreema", "msgapi.threema.ch"),
    # On a server of the site's own.
    "gotifys": ("gotify.NotifyGotify", ""),
    "jsons": ("custom_json.NotifyJSON", ""),
    "nctalks": ("nextcloudtalk.NotifyNextcloudTalk", ""),
    "rockets": ("rocketchat.NotifyRocketChat", ""),
    "signals": ("signal_api.NotifySignalAPI", ""),
}
OPTIONS: Final = frozenset({"to", "priority", "sound", "region", "device"})
SECONDS: Final = 25.0


def opened(address: str) -> Apprise:
    """What sends there. Raises BadAddressError where it is no URL of Apprise's, or leads where it may not go."""
    if schema_of(address) not in SERVICES:
        known = ", ".join(f"{one}://" for one in sorted(SERVICES))
        raise BadAddressError(f"The portal does not use this service of Apprise. It uses {known}.")
    _check_options(address)
    asset = AppriseAsset(storage_mode=PersistentStoreMode.MEMORY, service_timeout=SECONDS, allow_templates=False)
    asset.http_redirects, asset.async_mode = False, False
    service = _service_of(address, asset)
    if service is None or not service.verify_certificate or service.redirects:
        raise BadAddressError(f"Apprise does not understand this URL. Write it as its wiki says, such as {EXAMPLE}.")
    if not SERVICES[schema_of(address)][1]:
        _check_host(service, address)
    sender = Apprise(asset=asset)
    sender.add(service)
    return sender


def _check_options(address: str) -> None:
    try:
        options = {name for name, _ in parse_qsl(urlsplit(address).query, keep_blank_values=True)}
    except ValueError:
        raise BadAddressError(f"That is no Apprise URL. Write it as {EXAMPLE}.") from None
    if "\\" in address or not options <= OPTIONS:
        raise BadAddressError(f"Of what may follow a question mark, the portal takes {', '.join(sorted(OPTIONS))}.")


def _service_of(address: str, asset: AppriseAsset) -> NotifyBase | None:
    """By its class alone: asked for a URL, Apprise would import all of its 173 services, and guess."""
    module, _, name = SERVICES[schema_of(address)][0].partition(".")
    kind: type[NotifyBase] = getattr(import_module(f"apprise.plugins.{module}"), name)
    try:
        parsed = kind.parse_url(address.replace("/#", "/%23"))  # as Apprise does first
        return kind(**parsed, asset=asset) if parsed else None
    except (TypeError, ValueError, AttributeError, KeyError):  # how its classes refuse what they are given
        return None


def _check_host(service: NotifyBase, address: str) -> None:
    """Of what will be called and of the address, since the two are not read by the same rules."""
    known = {host.lower() for host in settings.APPRISE_HOSTS}
    if not (service.secure and {str(service.host).lower(), host_of(address)} <= known):
        raise BadAddressError("This server is not one of those that may be reached. APPRISE_HOSTS names them.")


def schema_of(address: str) -> str:
    return address.partition("://")[0].lower()


def host_of(address: str) -> str:
    """Of the service, or of the server that the address names."""
    return SERVICES.get(schema_of(address), ("", ""))[1] or (urlsplit(address).hostname or "").lower()

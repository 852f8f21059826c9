"""Rotas: made and ended, never deleted."""

from datetime import datetime
from typing import Final

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.contacts.models import Rota
from runbooks.contacts.zones import known_zones
from runbooks.errors import DomainError, NotFoundError

NAME_MAX: Final = 80


class CannotChangeRotaError(DomainError):
    """What was asked for cannot be. `field` names what is wrong."""

    status = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@transaction.atomic
def make_rota(*, name: str, time_zone: str, actor: Actor, at: datetime) -> Rota:
    """A rota without shifts. The clock of its zone says when weeks are handed over."""
    require(actor, "manage_rotas")
    name = " ".join(name.split())
    if not name:
        raise CannotChangeRotaError("name", "Say what the duty is, such as Incident lead out of hours.")
    if len(name) > NAME_MAX:
        raise CannotChangeRotaError("name", f"At most {NAME_MAX} characters.")
    if (time_zone, time_zone) not in known_zones():
        raise CannotChangeRotaError("time_zone", "Choose a time zone of the list, such as Europe/London.")
    rota, is_new = Rota.objects.get_or_create(
        name=name, defaults={"time_zone": time_zone, "made_by": actor.name[:160], "made_at": at}
    )
    if not is_new:
        raise CannotChangeRotaError("name", "A rota of this name is there already, or was once. Choose another name.")
    return rota


@transaction.atomic
def end_rota(*, rota_id: int, actor: Actor, at: datetime) -> Rota:
    """Nobody is on call in it any more. Chains that ask it find nobody and go on to their next step."""
    require(actor, "manage_rotas")
    rota = current_rota(rota_id)
    rota.ended_at = at
    rota.save(update_fields=["ended_at"])
    return rota


def current_rota(rota_id: int) -> Rota:
    """The rota, its row locked, until the transaction's end."""
    rota = Rota.objects.select_for_update().filter(pk=rota_id, ended_at__isnull=True).first()
    if rota is None:
        raise NotFoundError("There is no such rota, or it has ended.")
    return rota

"""IR Portal: wiring, no behaviour."""

from ir_portal.celery import app as celery_app

__all__ = ["celery_app"]

"""The Celery application. Tasks are named by slice (`notifications.deliver`) and woken by name."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ir_portal.settings")
app = Celery("ir_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

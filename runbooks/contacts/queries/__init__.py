"""Reading how people are reached: their routes and quiet hours, and who is on call."""

from runbooks.contacts.queries.on_call import on_call
from runbooks.contacts.queries.quiet import Quiet
from runbooks.contacts.queries.routes import Place, Routes, routes_of

__all__ = ["Place", "Quiet", "Routes", "on_call", "routes_of"]

"""Deciding who is on call."""

from runbooks.contacts.operations.rotas import end_rota, make_rota
from runbooks.contacts.operations.shifts import add_shift, add_weeks, take_shift_back

__all__ = ["add_shift", "add_weeks", "end_rota", "make_rota", "take_shift_back"]

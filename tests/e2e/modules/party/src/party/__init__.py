"""Invites with the help of other modules."""

from .main import Party as Party

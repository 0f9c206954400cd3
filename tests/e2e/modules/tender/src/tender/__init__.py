"""Looks after the files of a workspace."""

from .main import Tender as Tender

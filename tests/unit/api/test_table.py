"""Every implemented field is one of the schema's, takes its arguments, and claims no other defaults.

The resolver fills in the schema's defaults; a None in a signature only says that the argument may be left out.
"""

from __future__ import annotations

import inspect
from functools import cache

import pytest

from sealane_engine.api.table import SUBJECTS, Table, fields_of, table
from sealane_engine.protocol.schema import Schema

TABLE = table()


@cache
def schema() -> Schema:
    return Schema.load()


@pytest.mark.parametrize(("owner", "name"), sorted(TABLE))
def test_an_implementation_matches_the_schema(owner: str, name: str):
    field = schema().field(owner, name)
    parameters = dict(inspect.signature(TABLE[owner, name]).parameters)
    catches_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    taken = {key: each for key, each in parameters.items() if each.kind is each.KEYWORD_ONLY}
    if not catches_all:
        assert set(taken) == set(field.args)
    for key, parameter in taken.items():
        declared = field.args[key].default
        if parameter.default not in (parameter.empty, None) and declared not in (None, ""):
            assert parameter.default == declared, key


def test_each_field_is_found_whatever_was_imported_before():
    lazy = Table()
    assert all(lazy.find(owner, name) is run for (owner, name), run in reversed(TABLE.items()))
    assert lazy.find("Container", "nothing") is None


def test_no_field_is_implemented_twice():
    assert sum(len(fields_of(subject)) for subject in SUBJECTS) == len(TABLE)

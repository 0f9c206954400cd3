"""A call in whose making another call is put in the place of one: whatever was made of it is made of the other."""

from __future__ import annotations

from sealane_engine.protocol.call import Call, rebuilt


def directory(path: str) -> Call:
    return Call.make(Call.make(None, "Host", "host"), "Directory", "directory", {"path": path})


def test_a_receiver_deep_in_a_chain_is_replaced():
    old, new = directory("/a"), directory("/b")

    def chain(base: Call) -> Call:
        filtered = Call.make(base, "Directory", "withoutFile", {"path": "x"})
        return Call.make(filtered, "File", "file", {"path": "y"})

    assert rebuilt(chain(old), {old.digest: new}) == chain(new)


def test_arguments_and_lists_of_them_are_replaced():
    old, new = directory("/a"), directory("/b")

    def mounted(source: Call) -> Call:
        container = Call.make(None, "Container", "container")
        return Call.make(container, "Container", "withDirectory", {"directory": source, "many": (source, source)})

    assert rebuilt(mounted(old), {old.digest: new}) == mounted(new)


def test_what_is_made_of_other_things_stays_as_it_is():
    call = Call.make(directory("/c"), "Directory", "directory", {"path": "d"})
    assert rebuilt(call, {directory("/a").digest: directory("/b")}) == call

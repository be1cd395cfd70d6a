"""Laws of documents: whatever is set, it survives the way out and in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.documents.toml_update import update_toml
from notifycli.rules.preferences import Layer
from notifycli.store.transaction import Entry

from .engines import Engine
from .preferences import USERS, changes, entries, export, filled, put

FORMATS = ["toml", "json", "csv"]


@pytest.mark.parametrize("format_", FORMATS)
@given(values=entries)
def test_an_export_imported_elsewhere_is_exported_as_the_same_bytes(
    engine: Engine, format_: str, values: list[Entry]
) -> None:
    with (
        filled(engine.open(), values) as here,
        filled(engine.open(), []) as elsewhere,
    ):
        document = export(here, format_)
        put(elsewhere, document, format_)
        assert export(elsewhere, format_) == document
        # What is there already is no change, however often it comes.
        assert put(elsewhere, document, format_) == 0
        assert put(elsewhere, document, format_, whole=True) == 0


@pytest.mark.parametrize("format_", ["toml", "json"])
@given(values=entries, others=changes)
def test_what_is_applied_is_all_that_the_users_and_layers_it_names_have(
    engine: Engine, format_: str, values: list[Entry], others: list[Entry]
) -> None:
    everybody = [Entry(e.target, e.key, e.value) for e in values if e.target.layer != Layer.LOCK]
    named = {entry.target.user for entry in everybody}
    layers = {entry.target.layer for entry in everybody} | {Layer.DEFAULT}
    others = [e for e in others if e.target.user in named and e.target.layer in layers]
    with (
        filled(engine.open(), everybody) as here,
        filled(engine.open(), others) as elsewhere,
    ):
        document = export(here, format_)
        put(elsewhere, document, format_, whole=True)
        assert export(elsewhere, format_) == document


@given(values=entries, later=changes)
def test_a_document_brought_up_to_date_says_what_an_export_says(
    engine: Engine, values: list[Entry], later: list[Entry]
) -> None:
    names = {user.email or str(user.id): user.email or str(user.id) for user in USERS}
    layers = frozenset(Layer) - {Layer.BUILTIN}
    now = {(e.target, e.key): e for e in values} | {(e.target, e.key): e for e in later}
    with (
        filled(engine.open(), values) as before,
        filled(engine.open(), now.values()) as after,
        filled(engine.open(), []) as elsewhere,
    ):
        old = "# on top\n" + export(before, "toml").decode().replace('"\n', '" # why\n')
        new = update_toml(old, after.document_values(1, layers), layers, names.get)
        assert new.startswith("# on top\n")
        put(elsewhere, new.encode(), "toml")
        assert export(elsewhere, "toml") == export(after, "toml")
        # What did not change stands as it stood, with its comment.
        assert update_toml(new, after.document_values(1, layers), layers, names.get) == new
        assert update_toml(old, before.document_values(1, layers), layers, names.get) == old


@given(values=entries, later=changes, whole=st.booleans())
def test_undo_of_any_change_restores_the_export(
    engine: Engine, values: list[Entry], later: list[Entry], whole: bool
) -> None:
    free = [entry for entry in values if entry.target.layer is not Layer.LOCK]
    with filled(engine.open(), later) as source:
        document = export(source, "json")
    with filled(engine.open(), free) as store:
        before = export(store, "toml")
        changed = put(store, document, "json", whole=whole)
        after = export(store, "toml")
        for expected in (before, after) if changed else ():
            last = store.history.change(1, None)
            with store.change(1, f"prefs undo {last.id}", "tester") as change:
                staging = store.staging()
                store.history.stage_undoing(staging, 1, last.id, force=False)
                change.settle(staging)
            assert export(store, "toml") == expected

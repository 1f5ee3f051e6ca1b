"""The supplier master: what a usable CSV is, and versioned rows in the database."""

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from orchestration.errors import UsageError
from orchestration.ingestion.assets import SUPPLIERS, supplier_master_sensor
from orchestration.ingestion.supplier_csv import COLUMNS, read_csv
from orchestration.ingestion.suppliers import Supplier, current_suppliers, load
from orchestration.resources.dagster import Postgres
from orchestration.resources.postgres import Connection, one
from orchestration.settings import REPOSITORY

ACME = Supplier("acme", "Acme Corp", ("ACME",), "US", "metals", 1, None)
BETA = Supplier("beta", "Beta AG", (), "DE", None, None, None)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([",".join(COLUMNS), *lines]))
    return path


def test_the_shipped_master_is_usable_and_has_a_hundred_suppliers() -> None:
    suppliers = read_csv(REPOSITORY / "data" / "suppliers.csv")
    assert len(suppliers) >= 100


def test_aliases_tier_and_spend_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", "acme,Acme Corp,ACME | Acme,US,metals,2,1500.50")
    (supplier,) = read_csv(path)
    assert supplier.aliases == ("ACME", "Acme")
    assert (supplier.tier, str(supplier.annual_spend_usd)) == (2, "1500.50")


def test_a_home_country_in_lower_case_is_kept_in_capitals(tmp_path: Path) -> None:
    (supplier,) = read_csv(write(tmp_path / "s.csv", "acme,Acme,, us ,,,"))
    assert supplier.home_country == "US"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["Acme!,Acme,,US,,,"], "line 2: supplier_id 'Acme!'"),
        (["acme,,,US,,,"], "acme has no name"),
        (["acme,Acme,,XX,,,"], "home_country 'XX' of acme"),
        (["acme,Acme,,US,,high,"], "tier 'high' of acme is no number"),
        (["acme,Acme,,US,,,much"], "annual_spend_usd 'much'"),
        (["acme,Acme,,US,,,", "acme,Other,,US,,,"], "acme stands there twice"),
        (["acme,Acme,,US,,,", "beta,Beta,ACME,DE,,,"], "'acme' belongs to acme and beta"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_csv(write(tmp_path / "s.csv", *lines))
    assert words in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe"])
def test_a_file_that_is_no_master_is_wrong_use(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"s\.csv"):
        read_csv(path)


def test_loading_changes_only_what_changed_and_keeps_old_versions(connection: Connection) -> None:
    assert load(connection, [ACME, BETA]) == 2
    assert load(connection, [ACME, BETA]) == 0
    renamed = replace(ACME, name="Acme Inc")
    assert load(connection, [renamed]) == 2
    assert list(current_suppliers(connection)) == [renamed]
    assert load(connection, [renamed, BETA]) == 1
    versions = connection.execute(
        "select supplier_id, version, replaced_at is null as is_current from ingest.suppliers"
        " order by supplier_id, version"
    )
    assert [tuple(row.values()) for row in versions] == [
        ("acme", 1, False),
        ("acme", 2, True),
        ("beta", 1, False),
        ("beta", 2, True),
    ]
    assert one(connection, "select count(*) as n from ingest.suppliers")["n"] == 4


def test_a_master_that_was_loaded_anew_is_reported_once(connection: Connection) -> None:
    def tick(cursor: str | None) -> dg.SensorResult:
        context = dg.build_sensor_context(cursor=cursor)
        result = supplier_master_sensor(context, postgres=Postgres())
        assert isinstance(result, dg.SensorResult)
        return result

    load(connection, [ACME, BETA])
    first = tick(None)
    load(connection, [ACME, BETA])
    unchanged = tick(first.cursor)
    load(connection, [ACME])
    changed = tick(unchanged.cursor)
    again = tick(changed.cursor)
    assert [len(each.asset_events) for each in (first, unchanged, changed, again)] == [0, 0, 1, 0]
    (event,) = changed.asset_events
    assert isinstance(event, dg.AssetMaterialization)
    assert (event.asset_key, event.metadata["suppliers"].value) == (SUPPLIERS, 1)

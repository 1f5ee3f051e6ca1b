"""`supplier-risk dashboards check`: what does not fit, one a line, and an exit code."""

import pytest
from typer.testing import CliRunner, Result

from orchestration.cli import app
from orchestration.publishing import bundle
from orchestration.transformation import project
from tests.publishing.bundles import Files


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Files:
    """A small bundle and manifest in place of the repository's."""
    files = Files.good(tmp_path_factory.mktemp("bundle"))
    whose = bundle.dashboards_of_buyers
    monkeypatch.setattr(bundle, "read", files.read)
    monkeypatch.setattr(bundle, "dashboards_of_buyers", lambda: whose(files.access))
    monkeypatch.setattr(project, "ensure_manifest", lambda: files.manifest)
    return files


def check() -> Result:
    return CliRunner().invoke(app, ["dashboards", "check"])


def test_what_fits_is_counted(files: Files) -> None:
    done = check()
    assert done.exit_code == 0, done.output
    assert "2 dashboards, 4 charts and 2 datasets fit the marts" in done.output


def test_what_does_not_fit_is_listed_and_fails(files: Files) -> None:
    files.change("datasets/marts/scores.yaml", "max(score)", "max(points)")
    files.change("charts/table.yaml", "[place,", "[places,")
    done = check()
    assert done.exit_code == 1
    assert (
        "datasets/marts/scores.yaml: the metric worst names the column points, which the dataset's "
        "query does not return. What to do: "
    ) in done.output
    assert "charts/table.yaml: params.all_columns names the column places" in done.output
    assert "2 faults in superset/bundle" in done.output

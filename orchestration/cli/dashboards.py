"""`dashboards`: the dashboards in Superset, as superset/bundle has them."""

import typer

from orchestration.terminal import out

dashboards = typer.Typer(no_args_is_help=True, help="The dashboards in Superset.")


@dashboards.command("check")
def check_dashboards() -> None:
    """Compare the dashboards' files with dbt's models; exit code 1 if they do not fit."""
    from orchestration.publishing.bundle import dashboards_of_buyers, read
    from orchestration.publishing.fit import faults
    from orchestration.transformation.project import ensure_manifest

    bundle = read()
    found = faults(bundle, ensure_manifest(), dashboards_of_buyers())
    for fault in found:
        out.print(str(fault), markup=False, highlight=False, soft_wrap=True)
    if found:
        out.print(f"{len(found)} faults in superset/bundle", style="red")
        raise typer.Exit(1)
    counts = f"{len(bundle.dashboards)} dashboards, {len(bundle.charts)} charts"
    out.print(f"{counts} and {len(bundle.datasets)} datasets fit the marts")

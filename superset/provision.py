"""Makes Superset what this folder says: metadata schema, dashboards, roles, users, rules of rows.

Run by Superset's own Python, with superset_config.py's settings in the environment. Again: the same
result. What somebody changed by hand in a chart or dashboard of the bundle is set back. An import
is committed before its datasets have rules of rows; buyers see no dashboard from before it until
they have.
"""

import os
import re
import sys
from pathlib import Path

import yaml

BUNDLE = Path(__file__).parent / "bundle"


def main() -> None:
    """Provision; exit code 1 with the reason when Superset refuses."""
    from superset.app import create_app

    app = create_app()
    with app.app_context():
        _upgrade_schema()
        from superset import db, security_manager

        security_manager.sync_role_definitions()
        import access  # asks Superset's models, which need the schema

        try:
            wanted = access.wanted()
        except ValueError as error:
            sys.exit(str(error))
        passwords = _passwords([*wanted["accounts"], *wanted["buyers"]])
        access.provide_admin(passwords)
        access.take_from_buyers()
        _import_bundle()
        _delete_what_left_the_bundle()
        access.provide(BUNDLE, passwords)
        db.session.commit()


def _upgrade_schema() -> None:
    import flask_migrate

    flask_migrate.upgrade()


def _passwords(users: list[str]) -> dict[str, str]:
    names = {user: "SUPERSET_PASSWORD_" + re.sub(r"\W", "_", user).upper() for user in users}
    missing = [name for name in names.values() if not os.environ.get(name)]
    if missing:
        sys.exit(f"Not set: {', '.join(missing)}. Each user of access.yaml needs a password.")
    return {user: os.environ[name] for user, name in names.items()}


def _contents() -> dict[str, str]:
    """The bundle's files, with the address of the warehouse of this place."""
    contents = {
        str(path.relative_to(BUNDLE)): path.read_text() for path in sorted(BUNDLE.rglob("*.yaml"))
    }
    place = "{}:{}/{}".format(
        os.environ["POSTGRES_HOST"],
        os.environ.get("POSTGRES_PORT", "5432"),
        os.environ["POSTGRES_DATABASE"],
    )
    return {
        name: text.replace("warehouse.invalid/supplier_risk", place)
        for name, text in contents.items()
    }


def _import_bundle() -> None:
    from superset.commands.exceptions import CommandException
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.utils.core import override_user

    from superset import security_manager

    try:
        with override_user(security_manager.find_user("admin")):
            ImportAssetsCommand(_contents()).run()
    except CommandException as error:
        cause = error.__cause__ or error
        reason = getattr(cause, "normalized_messages", lambda: cause)()
        sys.exit(
            f"Superset refuses the bundle in {BUNDLE}: {reason}\n"
            "Buyers see no dashboard until it is mended and provisioned again."
        )


def _delete_what_left_the_bundle() -> None:
    """An import never deletes. Ours is what is marked as managed outside of Superset."""
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice

    from superset import db

    for kind, model in (("dashboards", Dashboard), ("charts", Slice), ("datasets", SqlaTable)):
        kept = {
            yaml.safe_load(file.read_text())["uuid"] for file in (BUNDLE / kind).rglob("*.yaml")
        }
        for one in db.session.query(model).filter_by(is_managed_externally=True):
            if str(one.uuid) not in kept:
                db.session.delete(one)
    db.session.commit()


if __name__ == "__main__":
    main()

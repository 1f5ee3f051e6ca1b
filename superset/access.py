"""Who may see what: roles, users and row-level security. Superset's bundle format cannot hold them.

Roles get what is listed here and nothing else. Which buyer has which categories is in access.yaml;
passwords come from the environment.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from flask_appbuilder.security.sqla.models import Role, User
from superset.connectors.sqla.models import RowLevelSecurityFilter, SqlaTable
from superset.models.dashboard import Dashboard
from superset.utils.core import RowLevelSecurityFilterType

from superset import db, security_manager

ANALYST = "Supplier Risk analyst"
MANAGER = "Supplier Risk manager"
BUYER = "Supplier Risk buyer"
REFRESHER = "Supplier Risk refresher"
_BUYER_OF = "Supplier Risk buyer of "
_CATEGORY = "supplier_category"
_GROUP = "supplier_category"

# All that it takes to look at a dashboard that one's role was given.
_LOOK = (
    ("can_read", "Dashboard"),
    ("can_read", "Chart"),
    ("can_dashboard", "Superset"),
    ("can_explore_json", "Superset"),
    ("can_language_pack", "Superset"),
    ("can_dashboard_permalink", "Superset"),
    ("can_read", "DashboardPermalinkRestApi"),
    ("can_write", "DashboardPermalinkRestApi"),
    ("can_read", "DashboardFilterStateRestApi"),
    ("can_write", "DashboardFilterStateRestApi"),
    ("can_time_range", "Api"),
    ("can_read", "CssTemplate"),
    ("can_read", "Theme"),
    ("can_read", "CurrentUserRestApi"),
    ("can_get", "MenuApi"),
    ("can_userinfo", "UserDBModelView"),
    ("resetmypassword", "UserDBModelView"),
    ("can_this_form_get", "ResetMyPasswordView"),
    ("can_this_form_post", "ResetMyPasswordView"),
    ("menu_access", "Dashboards"),
)
_CLEAR_THE_CACHE = (("can_invalidate", "CacheRestApi"), ("can_read", "SecurityRestApi"))
_ASK_IN_SQL = (
    ("can_read", "SavedQuery"),
    ("can_write", "SavedQuery"),
    ("can_read", "Query"),
    ("can_export_csv", "Query"),
    ("can_read", "Database"),
    ("can_get_results", "SQLLab"),
    ("can_execute_sql_query", "SQLLab"),
    ("can_format_sql", "SQLLab"),
    ("can_export_csv", "SQLLab"),
    ("can_read", "SQLLab"),
    ("can_sqllab_history", "Superset"),
    ("can_sqllab", "Superset"),
    ("can_activate", "TabStateView"),
    ("can_get", "TabStateView"),
    ("can_post", "TabStateView"),
    ("can_put", "TabStateView"),
    ("can_delete", "TabStateView"),
    ("can_delete_query", "TabStateView"),
    ("can_post", "TableSchemaView"),
    ("can_expanded", "TableSchemaView"),
    ("can_delete", "TableSchemaView"),
    ("menu_access", "SQL Lab"),
    ("menu_access", "SQL Editor"),
    ("menu_access", "Saved Queries"),
    ("menu_access", "Query Search"),
    ("can_read", "Dataset"),
    ("can_samples", "Datasource"),
    ("can_drill", "Dashboard"),
    ("can_csv", "Superset"),
    ("can_export", "Chart"),
)


def wanted() -> dict[str, Any]:
    """What access.yaml says. Raises ValueError for a buyer's category that is no name."""
    said: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "access.yaml").read_text())
    for buyer, categories in said["buyers"].items():
        for category in categories:
            if not isinstance(category, str) or not category:
                raise ValueError(
                    f"access.yaml: {category!r} of {buyer} is no name of a category; nothing was"
                    " changed. Write the category as the supplier master has it, in quotes."
                )
    return said


def take_from_buyers() -> None:
    """Buyers see no dashboard of ours, until `provide` has put the rules of their rows in place."""
    buyer = security_manager.find_role(BUYER)
    for dashboard in _our_dashboards():
        dashboard.roles = [role for role in dashboard.roles if role != buyer]
    db.session.commit()


def provide(bundle: Path, passwords: Mapping[str, str]) -> None:
    """Make roles, users and rules what this file and access.yaml say. The last of it, which whoever
    calls this commits, is to show the dashboards: Superset commits each new role and user at once.

    `passwords` by user name. Raises KeyError for a user without a password.
    """
    buyers, shown_to_buyers = wanted()["buyers"], wanted()["dashboards_of_buyers"]
    analyst = _role(ANALYST, (*_LOOK, *_ASK_IN_SQL))
    _may_read_marts(analyst, bundle)
    manager = _role(MANAGER, _LOOK)
    buyer = _role(BUYER, _LOOK)
    refresher = _role(REFRESHER, _CLEAR_THE_CACHE)
    _rules([analyst, manager], _categories(buyers))
    _user("analyst", [analyst], passwords)
    _user("manager", [manager], passwords)
    _user("dagster", [refresher], passwords)
    for name, of in buyers.items():
        own = [_role(_BUYER_OF + category, ()) for category in of]
        _user(name, [buyer, *own], passwords)
    for left in [user for user in buyer.user if user.username not in buyers]:
        left.roles, left.active = [], False
    for dashboard in _our_dashboards():
        seen_by = [analyst, manager]
        if dashboard.slug in shown_to_buyers:
            seen_by.append(buyer)
        dashboard.roles = seen_by


def provide_admin(passwords: Mapping[str, str]) -> None:
    """The administrator, in whose name the bundle is imported."""
    _user("admin", [security_manager.find_role("Admin")], passwords)
    db.session.commit()


def _our_dashboards() -> Iterable[Dashboard]:
    return db.session.query(Dashboard).filter_by(is_managed_externally=True)


def _role(name: str, permissions: Iterable[tuple[str, str]]) -> Role:
    role = security_manager.add_role(name)
    role.permissions = [security_manager.add_permission_view_menu(*pair) for pair in permissions]
    return role


def _may_read_marts(role: Role, bundle: Path) -> None:
    """SQL Lab on the schema `marts`, and no other."""
    [file] = (bundle / "databases").glob("*.yaml")
    name = yaml.safe_load(file.read_text())["database_name"]
    catalog = os.environ["POSTGRES_DATABASE"]
    marts = security_manager.get_schema_perm(name, catalog, "marts")
    role.permissions.append(security_manager.add_permission_view_menu("schema_access", marts))


def _categories(buyers: Mapping[str, Sequence[str]]) -> list[str]:
    return sorted({category for of in buyers.values() for category in of})


def _rules(without_limit: list[Role], categories: Sequence[str]) -> None:
    """Rows of one's own categories. All who are not named see none: the rule of the base is that
    nothing matches, and the rules of one group are joined by `or`."""
    tables = [
        table
        for table in db.session.query(SqlaTable)
        if any(column.column_name == _CATEGORY for column in table.columns)
    ]
    admin = security_manager.find_role("Admin")
    nothing = _rule("Supplier Risk: nothing", "1 = 0", RowLevelSecurityFilterType.BASE)
    nothing.roles, nothing.tables = [*without_limit, admin], tables
    kept = {nothing.name}
    for category in categories:
        literal = category.replace("'", "''")
        rule = _rule(
            f"Supplier Risk: {category}",
            f"{_CATEGORY} = '{literal}'",
            RowLevelSecurityFilterType.REGULAR,
        )
        rule.roles, rule.tables = [security_manager.add_role(_BUYER_OF + category)], tables
        kept.add(rule.name)
    for rule in db.session.query(RowLevelSecurityFilter):
        if rule.name.startswith("Supplier Risk: ") and rule.name not in kept:
            db.session.delete(rule)


def _rule(name: str, clause: str, kind: RowLevelSecurityFilterType) -> RowLevelSecurityFilter:
    rule = db.session.query(RowLevelSecurityFilter).filter_by(name=name).one_or_none()
    if rule is None:
        rule = RowLevelSecurityFilter(name=name)
        db.session.add(rule)
    rule.clause, rule.filter_type, rule.group_key = clause, kind, _GROUP
    return rule


def _user(name: str, roles: list[Role], passwords: Mapping[str, str]) -> User:
    """The user with exactly these roles; the password is set anew only if it is another one."""
    user: Any = security_manager.find_user(name)
    if user is None:
        user = security_manager.add_user(
            name, name, "(Supplier Risk)", f"{name}@localhost", roles, password=passwords[name]
        )
    elif not security_manager.auth_user_db(name, passwords[name]):
        security_manager.reset_password(user.id, passwords[name])
    user.roles, user.active = roles, True
    return user

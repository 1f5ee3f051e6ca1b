"""Superset's settings: secrets from the environment alone, nothing from outside, one look.

Read by Superset itself (SUPERSET_CONFIG_PATH). Who may see what is in provision.py and access.py;
what is shown is in bundle/.
"""

import os
import sys
from pathlib import Path
from typing import Any

from flask import Flask, jsonify, redirect, request
from werkzeug.wrappers import Response

sys.path.append(str(Path(__file__).parent))  # Superset reads this file from wherever it is

from allowed_sql import NotAllowed, only_allowed

_WHAT_TO_DO = "Start Superset by `make dashboards`, or see docs/dashboards.md for each setting."


def _needed(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(f"{name} is not set. {_WHAT_TO_DO}")
    return value


SECRET_KEY = _needed("SUPERSET_SECRET_KEY")
SQLALCHEMY_DATABASE_URI = "postgresql+psycopg2://{}:{}@{}:{}/{}".format(
    _needed("SUPERSET_POSTGRES_USER"),
    _needed("SUPERSET_POSTGRES_PASSWORD"),
    _needed("POSTGRES_HOST"),
    os.environ.get("POSTGRES_PORT", "5432"),
    _needed("SUPERSET_POSTGRES_DATABASE"),
)
_BI_READER_PASSWORD = _needed("POSTGRES_BI_READER_PASSWORD")


def SQLALCHEMY_CUSTOM_PASSWORD_STORE(url: Any) -> str | None:  # noqa: N802 Superset's own name
    """The password of the warehouse, which no table of Superset ever holds."""
    return _BI_READER_PASSWORD if url.username == "bi_reader" else None


# -- who may come in ------------------------------------------------------------------------------
AUTH_USER_REGISTRATION = False
WTF_CSRF_ENABLED = True
# The front end's notes of use, which are dropped below. A page that is left sends them without a
# token; refused, the answer took the session away from a person who had just logged in.
WTF_CSRF_EXEMPT_LIST = ["superset.views.core.log"]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = False  # http on 127.0.0.1; set it behind TLS
ENABLE_CORS = False
FEATURE_FLAGS = {
    "DASHBOARD_RBAC": True,
    "ALLOW_ADHOC_SUBQUERY": False,  # else a filter's SQL could read rows of others
    "ENABLE_TEMPLATE_PROCESSING": False,
    "DASHBOARD_VIRTUALIZATION": False,  # draw all, so that printing and tests see all
}


def SQL_QUERY_MUTATOR(sql: str, security_manager: Any, **_: Any) -> str:  # noqa: N802
    """Every query of a chart or a filter comes by here before it runs. Who may not use SQL Lab may
    not smuggle SQL of their own into it either."""
    if security_manager.can_access("can_execute_sql_query", "SQLLab"):
        return sql
    from superset.errors import ErrorLevel, SupersetError, SupersetErrorType
    from superset.exceptions import SupersetSecurityException

    try:
        return only_allowed(sql)
    except NotAllowed as reason:
        message = f"This is no query of the dashboards: {reason}. Ask an analyst; if a chart needs"
        message += " it, allow it in superset/allowed_sql.py."
        kind = SupersetErrorType.DATASOURCE_SECURITY_ACCESS_ERROR
        raise SupersetSecurityException(SupersetError(message, kind, ErrorLevel.ERROR)) from reason


TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],  # stops the front end's tracking pixel
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": False,
}

# -- what is remembered ---------------------------------------------------------------------------
# One cache for all: what Dagster clears after a refresh is the first, what charts read the second.
CACHE_CONFIG = {
    "CACHE_TYPE": "FileSystemCache",
    "CACHE_DIR": _needed("SUPERSET_CACHE_DIR"),
    "CACHE_DEFAULT_TIMEOUT": 3600,
    "CACHE_THRESHOLD": 2000,
    "CACHE_KEY_PREFIX": "supplier_risk_",
}
DATA_CACHE_CONFIG = CACHE_CONFIG
STORE_CACHE_KEYS_IN_METADATA_DB = True

# -- how it looks ---------------------------------------------------------------------------------
APP_NAME = "Supplier Risk"
LOGO_TARGET_PATH = "/dashboard/list/"
BANDS = {
    "low": "#4E9F6D",
    "medium": "#EBC04B",
    "high": "#E67E37",
    "critical": "#B3261E",
    "no signal": "#B5BCC8",
}
# Bands begin at 0, 25, 50 and 75: each colour holds for its quarter of the scale, a step a point.
EXTRA_SEQUENTIAL_COLOR_SCHEMES = [
    {
        "id": "risk_bands",
        "label": "Risk bands (100 = highest risk)",
        "description": "low, medium, high, critical",
        "isDiverging": False,
        "colors": [
            color for band in ("low", "medium", "high", "critical") for color in [BANDS[band]] * 25
        ],
    }
]
EXTRA_CATEGORICAL_COLOR_SCHEMES = [
    {
        "id": "supplier_risk",
        "label": "Supplier Risk",
        "description": "For dimensions, steps and other things that are no bands",
        "isDefault": True,
        "colors": [
            "#3B6EA8",
            "#D98E32",
            "#5E9C8F",
            "#A2557F",
            "#8C7A4F",
            "#6BA3D6",
            "#C9B458",
            "#7C6FB0",
            "#4F6272",
            "#C46A5A",
        ],
    }
]
THEME_DEFAULT = {
    "token": {
        "brandAppName": APP_NAME,
        "brandLogoAlt": APP_NAME,
        "brandLogoUrl": "/static/assets/images/superset-logo-horiz.png",
        "brandLogoMargin": "18px 0",
        "brandLogoHref": "/dashboard/list/",
        "brandLogoHeight": "24px",
        "colorPrimary": "#3B6EA8",
        "colorLink": "#2F5F96",
        "colorError": "#B3261E",
        "colorWarning": "#EBC04B",
        "colorSuccess": "#4E9F6D",
        "colorInfo": "#3B6EA8",
        "fontFamily": "Inter, Helvetica, Arial, sans-serif",
        "fontFamilyCode": "'IBM Plex Mono', 'Courier New', monospace",
    },
    "algorithm": "default",
}
# The legend's colours are classes.
HTML_SANITIZATION_SCHEMA_EXTENSIONS = {"attributes": {"span": ["className"]}}
THEME_DARK = None  # the colours of the bands are chosen for a light ground

# -- what an empty chart says ---------------------------------------------------------------------
# Superset reads its words from a language pack; this one has other words for an empty chart.
_OUR_ENGLISH = "en_GB"
_WORDS = {
    "No results were returned for this query": ["Nothing to show"],
    "There is currently no information to display.": [
        "Clear the filters above. With none set, nothing of this kind is known yet."
    ],
}


def COMMON_BOOTSTRAP_OVERRIDES_FUNC(data: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
    """Makes the front end ask for our language pack."""
    return {"locale": _OUR_ENGLISH} if data.get("locale") == "en" else {}


def FLASK_APP_MUTATOR(app: Flask) -> None:  # noqa: N802
    """Leads from the start page to the first dashboard, answers with our language pack, and drops
    the front end's notes of use."""

    @app.before_request
    def ours() -> Response | None:
        if request.path == "/superset/welcome/":
            return redirect("/superset/dashboard/overview/")
        if request.path == "/superset/log/":
            return Response(status=204)
        if request.path != f"/superset/language_pack/{_OUR_ENGLISH}/":
            return None
        about = {"domain": "superset", "lang": "en", "plural_forms": "nplurals=2; plural=(n != 1)"}
        return jsonify({"domain": "superset", "locale_data": {"superset": {"": about, **_WORDS}}})

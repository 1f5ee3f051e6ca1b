"""The exceptions that reach a person, and the exit code that each one means.

SupplierRiskError          1  something failed
├── UsageError             2  the command or its input is wrong
│   └── SettingsError      2  a setting is missing or malformed
├── BrokerError            1  Pub/Sub could not be reached or refused
│   └── BrokerAwayError    1  Pub/Sub could not be reached; it may be back soon
├── FeedError              1  none of the news feeds that were due could be read
├── AlertError             1  an alert could not be delivered
├── LlmError               1  the LLM endpoint refused or missed every call
├── BundleError            1  the dashboards' files cannot be read
├── SupersetError          1  Superset could not be reached or refused
└── StackError             1  a part of the local stack did not start
"""


class SupplierRiskError(Exception):
    """Says what happened, to which document or setting, and what to do next."""

    exit_code = 1


class UsageError(SupplierRiskError):
    """The command was called wrongly or its input cannot be used."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is missing or malformed; the message names its environment variable."""


class BrokerError(SupplierRiskError):
    """Pub/Sub is unreachable, or the topic or subscription is missing or forbidden."""


class BrokerAwayError(BrokerError):
    """Pub/Sub is unreachable for now: the same call may succeed later."""


class FeedError(SupplierRiskError):
    """No feed that was due could be read; each one's reason is kept and shown."""


class AlertError(SupplierRiskError):
    """A message to people was given up, or a test message did not arrive; names the channel."""


class LlmError(SupplierRiskError):
    """No call succeeds for now: wrong key, address or model, or the endpoint is away."""


class BundleError(SupplierRiskError):
    """A file of superset/bundle is no YAML or lacks a key; the message names both."""


class SupersetError(SupplierRiskError):
    """Superset is unreachable, or refuses what its user may not do."""


class StackError(SupplierRiskError):
    """A part of the local stack is missing on this machine or did not become ready."""

"""What Pub/Sub answers when it refuses: a sentence, and one on what to do. No calls."""

from google.api_core import exceptions as google_errors
from google.api_core.retry import if_exception_type

from orchestration.errors import BrokerAwayError, BrokerError

_NO_TOKEN = "Getting metadata from plugin failed"
LOG_IN = (
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the key "
    "of an account that exists"
)
PASSING = if_exception_type(
    google_errors.Aborted,
    google_errors.DeadlineExceeded,
    google_errors.InternalServerError,
    google_errors.ResourceExhausted,
    google_errors.ServiceUnavailable,
    google_errors.Unknown,
)
_AWAY = (google_errors.ServiceUnavailable, google_errors.GatewayTimeout)
_ADVICE: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (google_errors.NotFound,),
        "it does not exist: create it, or correct PUBSUB_PROJECT_ID, PUBSUB_TOPIC and "
        "PUBSUB_SUBSCRIPTION",
    ),
    (
        (google_errors.Forbidden,),
        "grant this account roles/pubsub.subscriber on the subscription and roles/pubsub.publisher "
        "on the topic; `supplier-risk pubsub check` shows the commands",
    ),
    ((google_errors.Unauthorized,), LOG_IN),
    (
        (google_errors.TooManyRequests,),
        "try again later: a quota of the project is used up (Google Cloud console, IAM & Admin, "
        "Quotas)",
    ),
    (
        _AWAY,
        "Pub/Sub is not reachable; is the network, or the emulator at PUBSUB_EMULATOR_HOST, up?",
    ),
    (
        (google_errors.BadRequest,),
        "correct what the message above names; `supplier-risk pubsub check` shows how the "
        "subscription must be",
    ),
)


def explained(error: BaseException, doing: str) -> BrokerError:
    """The same as BrokerError, or as BrokerAwayError where waiting may help. Of a retry that was
    given up, what it failed on last."""
    if isinstance(error, google_errors.RetryError) and error.cause is not None:
        error = error.cause
    what = str(getattr(error, "message", None) or error or type(error).__name__).rstrip(".")
    is_away = isinstance(error, _AWAY) and _NO_TOKEN not in what
    return (BrokerAwayError if is_away else BrokerError)(
        f"Pub/Sub failed while {doing}: {what}. What to do: {_advice(error, what)}"
    )


def _advice(error: BaseException, what: str) -> str:
    if _NO_TOKEN in what:
        return f"{LOG_IN}."
    for kinds, advice in _ADVICE:
        if isinstance(error, kinds):
            return advice if advice.endswith("?") else f"{advice}."
    return "try again; `supplier-risk pubsub check` sees what is wrong."

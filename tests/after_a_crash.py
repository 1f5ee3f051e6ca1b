"""What time brings back after a crash, sooner than it would: unacknowledged messages and leases."""

from orchestration.ingestion.work_items import LEASE_SECONDS
from orchestration.resources.postgres import Connection
from orchestration.resources.pubsub import GooglePubsub

_ACK_DEADLINE_SECONDS = 10


def give_up_soon(broker: GooglePubsub) -> None:
    """Let the subscription wait for a reader no longer than Pub/Sub's least, and not longer each
    time."""
    _, subscriber = broker.clients()
    subscriber.update_subscription(
        request={
            "subscription": {
                "name": broker.subscription,
                "ack_deadline_seconds": _ACK_DEADLINE_SECONDS,
            },
            "update_mask": {"paths": ["ack_deadline_seconds", "retry_policy"]},
        }
    )


def let_leases_end(connection: Connection) -> None:
    """As if the time of a lease had passed since the crash."""
    connection.execute(
        "update risk.work_items set available_at = now(), lease_until = now()"
        " where state = 'claimed'"
    )
    connection.execute(
        "update risk.unreported_pairs set changed_at = changed_at - make_interval(secs => %s)",
        [LEASE_SECONDS + 1],
    )

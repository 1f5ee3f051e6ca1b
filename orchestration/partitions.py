"""The one partition dimension, supplier@COUNTRY. It holds observed pairs and nothing else."""

import re

import dagster as dg

PARTITIONS_NAME = "supplier_country"
SUPPLIER_COUNTRY = dg.DynamicPartitionsDefinition(name=PARTITIONS_NAME)

_KEY = re.compile(r"(?P<supplier>[a-z0-9][a-z0-9-]{0,62})@(?P<country>[A-Z]{2})")


def partition_key(supplier_id: str, country: str) -> str:
    """The key of a pair, such as `siemens@DE`. Raises ValueError outside the key grammar."""
    key = f"{supplier_id}@{country}"
    parse_partition_key(key)
    return key


def parse_partition_key(key: str) -> tuple[str, str]:
    """Split a key into supplier id and ISO 3166-1 alpha-2 country. Raises ValueError."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise ValueError(f"{key!r} is not supplier@COUNTRY, such as siemens@DE")
    return match["supplier"], match["country"]

"""Everything on one machine, without accounts: PostgreSQL, the Pub/Sub emulator, the offline
analyst and Dagster, started, watched and stopped together. For trying out, developing, testing."""

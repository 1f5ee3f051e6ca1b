-- What was landed since somebody last looked: messages in the order in which they were committed.
create unique index messages_in_order on ingest.messages (sequence);

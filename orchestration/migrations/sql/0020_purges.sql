-- A purge takes the bodies of prompts and answers away and keeps their hashes: a prompt's is its
-- cache_key. A purged answer answers no question any more.
alter table llm.requests alter column messages drop not null;
alter table llm.responses
alter column raw_body drop not null,
add column raw_sha256 bytea,
add column purged_at timestamptz;
alter table llm.responses
add check ((raw_body is null) = (purged_at is not null)),
add check (raw_body is not null or raw_sha256 is not null);

drop index llm.responses_one_good_answer;
create unique index responses_one_good_answer
on llm.responses (cache_key) where outcome = 'ok' and purged_at is null;
create index requests_by_age on llm.requests (created_at) where messages is not null;
create index responses_by_age on llm.responses (created_at, response_id) where purged_at is null;

grant update (messages) on llm.requests to pipeline;
grant update (answer, raw_body, raw_sha256, purged_at) on llm.responses to pipeline;

-- Who may purge may not rewrite: a body goes, and a prompt's comes back, but none becomes another.
create function llm.refuse_change() returns trigger language plpgsql as $$
begin
    raise insufficient_privilege using message = 'a body can be purged and never be changed';
end
$$;
create trigger purged_at_most before update of messages on llm.requests
for each row when (old.messages is not null and new.messages is not null)
execute function llm.refuse_change();
create trigger purged_at_most before update of answer, raw_body, raw_sha256 on llm.responses
for each row when (new.answer is not null or new.raw_body is not null)
execute function llm.refuse_change();

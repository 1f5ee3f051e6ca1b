-- An answer that was cut off or broke the schema is asked for once more with another request: an
-- attempt knows what was sent (cache_key) and which question it is for.
alter table llm.attempts add column question_key text references llm.requests;
update llm.attempts set question_key = cache_key;
alter table llm.attempts alter column question_key set not null;
create index attempts_by_question on llm.attempts (question_key);

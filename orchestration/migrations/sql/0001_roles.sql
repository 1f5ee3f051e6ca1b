-- Roles without passwords; `supplier-risk db upgrade` sets those from the settings.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['pipeline', 'transformer', 'bi_reader'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I login', role_name);
        end if;
        execute format('grant connect on database %I to %I', current_database(), role_name);
    end loop;
    execute format('revoke temporary on database %I from public', current_database());
    execute format('grant temporary on database %I to pipeline, transformer', current_database());
end
$$;

alter role bi_reader connection limit 20;
alter role bi_reader set statement_timeout = '30s';
alter role bi_reader set default_transaction_read_only = on;

create schema ingest;
create schema llm;
create schema risk;
grant usage on schema ingest, llm, risk to pipeline, transformer;
alter default privileges in schema ingest, llm, risk grant select on tables to transformer, pipeline;

grant transformer to current_user;
create schema policy authorization transformer;
create schema staging authorization transformer;
create schema intermediate authorization transformer;
create schema marts authorization transformer;
set role transformer;
grant usage on schema marts to bi_reader, pipeline;
reset role;

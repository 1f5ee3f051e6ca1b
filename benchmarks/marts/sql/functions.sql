-- What is drawn by lot here comes from the seed and a number, never from a random generator: the
-- same number always draws the same. All of it ends with the session.
create or replace function pg_temp.chance(number bigint, of_what text) returns double precision
language sql immutable
as $$
    select
        (hashint8extended(number, hashtextextended(of_what, %(seed)s)) & 1073741823)
        / 1073741824.0::double precision
$$;

create or replace function pg_temp.id(of_what text, number bigint) returns uuid
language sql immutable
as $$ select md5(%(seed)s::text || of_what || number::text)::uuid $$;

-- From 0 to `below` - 1.
create or replace function pg_temp.pick(number bigint, of_what text, below integer) returns integer
language sql immutable
as $$ select floor(below * pg_temp.chance(number, of_what))::integer $$;

create or replace function pg_temp.syllable(number integer) returns text
language sql immutable
as $$
    select (
        string_to_array(
            'ba be bi bo bu da de di do du fa fe fi fo fu ga ge gi go gu la le li lo lu'
            ' ma me mi mo mu pa pe pi po pu ra re ri ro ru ta te ti to tu',
            ' '
        )
    )[1 + number]
$$;

-- One of 2,025 words of five letters, some of them common.
create or replace function pg_temp.word(number bigint) returns text
language sql immutable
as $$
    select
        pg_temp.syllable(floor(45 * power(pg_temp.chance(number, 'begin'), 2))::integer)
        || pg_temp.syllable(pg_temp.pick(number, 'end', 45)) || 'n'
$$;

-- A text has a title and four lines. All lines are of one length, so their places are known.
create or replace function pg_temp.line(text_number bigint, line integer) returns text
language sql immutable
as $$
    select
        'Line ' || line::text || ' of report ' || lpad(text_number::text, 8, '0') || ' tells of '
        || pg_temp.word(text_number * 8 + line) || ' again.'
$$;

create or replace function pg_temp.title(text_number bigint) returns text
language sql immutable
as $$ select 'Report ' || lpad(text_number::text, 8, '0') $$;

create or replace function pg_temp.body(text_number bigint) returns text
language sql immutable
as $$
    select
        pg_temp.line(text_number, 1) || ' ' || pg_temp.line(text_number, 2) || ' '
        || pg_temp.line(text_number, 3) || ' ' || pg_temp.line(text_number, 4)
$$;

-- The home country of a supplier, and another one.
create or replace function pg_temp.country(supplier integer, place integer) returns text
language sql immutable
as $$
    select (
        string_to_array(
            'US CN DE JP IN GB FR IT BR CA KR AU MX ES ID NL TR SA CH PL'
            ' SE BE AR TH NG AT IL AE SG MY VN PH ZA DK BD EG IE FI CZ PT',
            ' '
        )
    )[1 + (supplier * 7 + place * 13) %% 40]
$$;

-- The policy knows the first six; of the others it knows nothing.
create or replace function pg_temp.publisher(number bigint) returns text
language sql immutable
as $$
    select (
        string_to_array(
            'federalregister.gov|cisa.gov/ics-advisories|USDA FSIS recalls'
            '|FDA complete response letters|USGS earthquakes|Wikinews (GUM)|paper-1|paper-2|paper-3'
            '|paper-4|paper-5|paper-6|paper-7|paper-8|paper-9|paper-10|paper-11|paper-12|paper-13'
            '|paper-14',
            '|'
        )
    )[1 + pg_temp.pick(number, 'publisher', 20)]
$$;

create or replace function pg_temp.cache_key(number bigint) returns text
language sql immutable
as $$ select lpad(to_hex(number), 64, '0') $$;

-- Of three readings the first holds one finding, the second two, the third three.
create or replace function pg_temp.findings_before(reading bigint) returns bigint
language sql immutable
as $$
    select
        (reading - 1) / 3 * 6 + case (reading - 1) %% 3 when 0 then 0 when 1 then 1 else 3 end
$$;

create or replace function pg_temp.readings(findings integer) returns bigint
language sql immutable
as $$
    select max(reading) from generate_series(1, findings) as reading
    where pg_temp.findings_before(reading) < findings
$$;

-- Of three mentions the first one is alone in its document.
create or replace function pg_temp.document_of(mention bigint) returns bigint
language sql immutable
as $$ select 1 + 2 * ((mention - 1) / 3) + ((mention - 1) %% 3 > 0)::integer $$;

-- In the order in which they arrive; of a hundred messages the last four name nobody.
create or replace function pg_temp.message_of(document bigint) returns bigint
language sql immutable
as $$ select 100 * ((document - 1) / 96) + (document - 1) %% 96 + 1 $$;

-- A hundredth of the pairs is in the news ten times as often as most.
create or replace function pg_temp.pairs_in_the_news(mention bigint, pairs integer) returns integer
language sql immutable
as $$
    select
        case
            when pg_temp.chance(mention, 'how often in the news') < 0.12
                then greatest(pairs / 100, 1)
            when pg_temp.chance(mention, 'how often in the news') < 0.4 then pairs / 5
            else pairs
        end
$$;

-- A table in Superset shows a text as HTML when it looks like HTML. Documents and answers are text of
-- strangers: these say it as HTML in which all of it is text. They stand where the datasets of
-- superset/bundle, which call them, are allowed to look.
set role transformer;

create function marts.as_html(value text) returns text
language sql immutable strict parallel safe as $$
    select '<span>' || replace(replace(replace(value, '&', '&amp;'), '<', '&lt;'), '>', '&gt;') || '</span>'
$$;

-- The text as a link, if the address is one of the web; else as text alone.
create function marts.as_link(url text, value text) returns text
language sql immutable parallel safe as $$
    select
        case
            when url ~* '^https?://[^[:space:][:cntrl:]"<>]+$'
                then '<a href="' || replace(url, '&', '&amp;') || '" target="_blank">' || marts.as_html(value) || '</a>'
            else marts.as_html(value)
        end
$$;

-- The name of a supplier as a link to its dashboard: a string of rison (! escapes itself and the
-- quote) within a URL, within HTML.
create function marts.as_supplier_link(supplier_name text) returns text
language sql immutable strict parallel safe as $$
    select
        '<a href="/superset/dashboard/supplier/?native_filters='
        || replace(
            '(NATIVE_FILTER-supplier:(extraFormData:(filters:!((col:supplier_name,op:IN,val:!('':name'')))),'
            || 'filterState:(value:!('':name'')),id:NATIVE_FILTER-supplier,ownState:()))',
            ':name',
            replace(replace(replace(replace(replace(replace(replace(replace(replace(
                supplier_name,
                '%', '%25'), '!', '!!'), '''', '!'''),
                '&', '%26'), '#', '%23'), '+', '%2B'), '"', '%22'), '<', '%3C'), '>', '%3E')
        )
        || '">' || marts.as_html(supplier_name) || '</a>'
$$;

reset role;

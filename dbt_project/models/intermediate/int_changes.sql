-- No `with` here: of a part that is used twice PostgreSQL would read all rows, however old.
select
    mentions.supplier_id,
    mentions.country,
    mentions.mentioned_on as changed_on,
    mentions.changed_in
from {{ ref('stg_mentions') }} as mentions
union all
-- a first assessment counts from the day of its mention, a later one from its own
select
    mentions.supplier_id,
    mentions.country,
    case
        when exists (
            select from {{ ref('stg_assessments') }} as earlier
            where
                earlier.mention_id = assessments.mention_id
                and earlier.assessment_id < assessments.assessment_id
                and earlier.was_ever_live
                and earlier.promoted_on is null
        ) then assessments.assessed_on
        else mentions.mentioned_on
    end as changed_on,
    assessments.changed_in
from {{ ref('stg_assessments') }} as assessments
inner join {{ ref('stg_mentions') }} as mentions using (mention_id)
union all
select
    mentions.supplier_id,
    mentions.country,
    coalesce(documents.ended_on, mentions.mentioned_on) as changed_on,
    documents.marked_in as changed_in
from {{ ref('stg_documents') }} as documents
inner join {{ ref('stg_mentions') }} as mentions using (document_id)
union all
select
    mentions.supplier_id,
    mentions.country,
    retractions.made_on as changed_on,
    retractions.changed_in
from {{ ref('stg_retractions') }} as retractions
inner join {{ ref('stg_assessments') }} using (assessment_id)
inner join {{ ref('stg_mentions') }} as mentions using (mention_id)
union all
-- a generation is older than what it says, unless it was promoted or discarded since
select
    mentions.supplier_id,
    mentions.country,
    least(generations.live_from_on, generations.live_until_on) as changed_on,
    generations.changed_in
from {{ ref('stg_generations') }} as generations
inner join {{ ref('stg_assessments') }} as assessments using (generation_id)
inner join {{ ref('stg_mentions') }} as mentions using (mention_id)
where generations.changed_in > assessments.changed_in
union all
-- what is said of a supplier stands on every row of it
select
    pairs.supplier_id,
    pairs.country,
    '-infinity'::date as changed_on,
    suppliers.changed_in
from {{ ref('stg_supplier_versions') }} as suppliers
inner join {{ ref('stg_pairs') }} as pairs using (supplier_id)
union all
-- briefs move no score
select
    briefs.supplier_id,
    briefs.country,
    'infinity'::date as changed_on,
    briefs.changed_in
from {{ ref('stg_briefs') }} as briefs
union all
select
    briefs.supplier_id,
    briefs.country,
    'infinity'::date as changed_on,
    retractions.changed_in
from {{ ref('stg_retractions') }} as retractions
inner join {{ ref('stg_briefs') }} as briefs using (brief_id)
union all
select
    briefs.supplier_id,
    briefs.country,
    'infinity'::date as changed_on,
    generations.changed_in
from {{ ref('stg_generations') }} as generations
inner join {{ ref('stg_briefs') }} as briefs using (generation_id)
where generations.changed_in > briefs.changed_in

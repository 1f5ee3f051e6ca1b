select
    retracted.retraction_id,
    retracted.assessment_id,
    retracted.brief_id,
    (retractions.made_at at time zone 'utc')::date as made_on,
    (retractions.undone_at at time zone 'utc')::date as undone_on,
    greatest(retractions.changed_in, retracted.changed_in) as changed_in
from {{ source('risk', 'retracted') }} as retracted
inner join {{ source('risk', 'retractions') }} as retractions using (retraction_id)

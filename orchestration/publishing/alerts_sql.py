"""The queries of a look: over all pairs and events at once, never one for each."""

from typing import LiteralString

# What moved a pair up: of each cause what it adds now, as far as it did not at the last look. The
# marts compare with the week before: yesterday's news must not hide today's re-scoring.
_MOVED: LiteralString = """
greatest(least(changes.{0}, changes.{0} - coalesce(seen.{0}, 0)), 0) as {0}
"""

# Scores of another policy are not to be compared with those before, whatever else happened. What
# was told within 7 days is not told again, unless for another cause: a prompt must not hide news.
RISES: LiteralString = f"""
with moved as (
    select
        now.*,
        coalesce(seen.band, 'no signal') as band_before,
        seen.score as score_before,
        now.policy_version is distinct from last_look.policy_version as is_by_policy,
        changes.main_cause,
        {_MOVED.format("new_events")},
        {_MOVED.format("rescoring")},
        {_MOVED.format("rollbacks")}
    from marts.supplier_risk_current as now
    cross join risk.seen_refresh as last_look
    inner join policy.risk_bands as bands on now.band = bands.band
    left join risk.seen_bands as seen
        on now.supplier_id = seen.supplier_id and now.country = seen.country
    left join policy.risk_bands as earlier on seen.band = earlier.band
    left join marts.risk_changes as changes
        on
            now.supplier_id = changes.supplier_id and now.country = changes.country
            and changes.dimension = 'overall'
    where
        now.dimension = 'overall'
        and bands.severity_rank > coalesce(earlier.severity_rank, 0)
        and bands.severity_rank
        >= (select severity_rank from policy.risk_bands where band = %(lowest_band)s)
),

risen as (
    select
        *,
        case
            when is_by_policy then 'policy'
            when main_cause is null then 'none'
            when greatest(new_events, rescoring, rollbacks) = 0 then main_cause
            when new_events >= greatest(rescoring, rollbacks) then 'new events'
            when rescoring >= rollbacks then 'rescoring'
            else 'rollback'
        end as cause
    from moved
)

select
    risen.supplier_id,
    risen.country,
    risen.supplier_name,
    coalesce(names.country_name, risen.country) as country_name,
    risen.band,
    risen.band_before,
    risen.score,
    risen.score_before,
    risen.cause,
    jsonb_build_object(
        'new_events', coalesce(risen.new_events, 0), 'rescoring', coalesce(risen.rescoring, 0),
        'rollbacks', coalesce(risen.rollbacks, 0)
    ) as moved_by,
    risen.top_dimension as dimension,
    risen.keywords,
    risen.models,
    risen.as_of_date,
    worst.evidence_quote,
    worst.evidence_title,
    worst.evidence_url
from risen
left join lateral (
    select * from marts.risk_events as events
    where
        events.supplier_id = risen.supplier_id and events.country = risen.country
        and events.dimension = risen.top_dimension
    order by events.contribution desc, events.event_id
    limit 1
) as worst on true
left join marts.country_names as names on risen.country = names.country
where
    not exists (
        select from risk.alerts
        where
            alerts.supplier_id = risen.supplier_id and alerts.country = risen.country
            and alerts.kind = 'band' and alerts.says ->> 'band' = risen.band
            and alerts.says ->> 'cause' = risen.cause
            and alerts.created_at > now() - interval '7 days'
    )
order by risen.score desc, risen.supplier_id, risen.country
"""

# The id of an event is made of its first day, which moves when an earlier document of it arrives:
# what happened at the same place within 7 days is the same, up to the longest that an event may be.
# Else a chain of minor news would hide a severe event of months later.
_SPAN: LiteralString = """
greatest(seen.last_seen_on, events.last_seen_on) - least(seen.first_seen_on, events.first_seen_on)
"""
_SAME_EVENT: LiteralString = f"""
seen.supplier_id = events.supplier_id and seen.country = events.country
and seen.dimension = events.dimension and seen.event_type = events.event_type
and seen.first_seen_on <= events.last_seen_on + 7
and seen.last_seen_on >= events.first_seen_on - 7
and (
    {_SPAN} <= %(longest_event)s
    or seen.first_seen_on <= events.last_seen_on and seen.last_seen_on >= events.first_seen_on
)
"""

# An event that would add less than 0.5 to a score is over, as in the scoring policy: an archive
# that is read late is no news. Its cause: a person took an answer back or put it back; else, was
# the document read before, a model or prompt says otherwise now.
EVENTS: LiteralString = f"""
select
    events.supplier_id,
    events.country,
    events.supplier_name,
    coalesce(names.country_name, events.country) as country_name,
    events.event_id,
    events.dimension,
    events.event_type,
    events.highest_level as level,
    events.first_seen_on,
    events.last_seen_on,
    events.documents,
    events.publishers,
    now.score,
    now.band,
    case
        when bool_or(retracted.assessment_id is not null) then 'rollback'
        when bool_or(others.assessment_id < answers.assessment_id) then 'rescoring'
        else 'new events'
    end as cause,
    now.models,
    events.as_of_date,
    events.evidence_quote,
    events.evidence_title,
    events.evidence_url
from marts.risk_events as events
left join risk.findings on findings.finding_id = events.evidence_finding_id
left join risk.assessments as answers on findings.assessment_id = answers.assessment_id
left join risk.assessments as others on answers.mention_id = others.mention_id
left join risk.retracted on others.assessment_id = retracted.assessment_id
left join marts.supplier_risk_current as now
    on
        events.supplier_id = now.supplier_id and events.country = now.country
        and now.dimension = 'overall'
left join marts.country_names as names on events.country = names.country
where
    events.highest_level >= %(lowest_level)s and events.contribution >= 0.5
    and not exists (
        select from risk.seen_events as seen
        where {_SAME_EVENT} and seen.highest_level >= %(lowest_level)s
    )
group by events.event_id, events.supplier_id, events.country, events.supplier_name,
    names.country_name, events.dimension, events.event_type, events.highest_level,
    events.first_seen_on, events.last_seen_on, events.documents, events.publishers, now.score,
    now.band, now.models, events.as_of_date, events.contribution, events.evidence_quote,
    events.evidence_title, events.evidence_url
order by events.highest_level desc, events.contribution desc, events.event_id
"""

REMEMBER_BANDS: tuple[LiteralString, ...] = (
    """
    insert into risk.seen_bands as seen
    select
        now.supplier_id, now.country, now.band, now.score,
        coalesce(changes.new_events, 0), coalesce(changes.rescoring, 0),
        coalesce(changes.rollbacks, 0)
    from marts.supplier_risk_current as now
    left join marts.risk_changes as changes using (supplier_id, country, dimension)
    where now.dimension = 'overall'
    on conflict (supplier_id, country) do update set
        band = excluded.band, score = excluded.score, new_events = excluded.new_events,
        rescoring = excluded.rescoring, rollbacks = excluded.rollbacks
    where seen.* is distinct from excluded.*
    """,
    """
    update risk.seen_bands as seen
    set band = 'no signal', score = null, new_events = 0, rescoring = 0, rollbacks = 0
    where
        seen.band <> 'no signal'
        and not exists (
            select from marts.supplier_risk_current as now
            where
                now.supplier_id = seen.supplier_id and now.country = seen.country
                and now.dimension = 'overall'
        )
    """,
)

REMEMBER_EVENTS: tuple[LiteralString, ...] = (
    f"""
    with wider as (
        select
            seen.seen_event_id,
            least(
                seen.first_seen_on,
                min(events.first_seen_on) filter (where {_SPAN} <= %(longest_event)s)
            ) as first_seen_on,
            greatest(
                seen.last_seen_on,
                max(events.last_seen_on) filter (where {_SPAN} <= %(longest_event)s)
            ) as last_seen_on,
            greatest(seen.highest_level, max(events.highest_level)) as highest_level
        from risk.seen_events as seen
        inner join marts.risk_events as events on {_SAME_EVENT}
        group by seen.seen_event_id
    )

    update risk.seen_events as seen set
        first_seen_on = wider.first_seen_on, last_seen_on = wider.last_seen_on,
        highest_level = wider.highest_level
    from wider
    where
        wider.seen_event_id = seen.seen_event_id
        and (wider.first_seen_on, wider.last_seen_on, wider.highest_level)
        is distinct from (seen.first_seen_on, seen.last_seen_on, seen.highest_level)
    """,
    f"""
    insert into risk.seen_events (
        supplier_id, country, dimension, event_type, first_seen_on, last_seen_on, highest_level
    )
    select
        supplier_id, country, dimension, event_type, first_seen_on, last_seen_on, highest_level
    from marts.risk_events as events
    where not exists (select from risk.seen_events as seen where {_SAME_EVENT})
    """,
)

-- What the readings found. Of one pair in ten days there are three stories, so that findings of one
-- kind gather in events.
insert into risk.findings (
    assessment_id, ordinal, dimension, level, status, event_type, event_date,
    keywords, quote, quote_start, quote_end, quote_verified, rationale
)
with numbered as materialized (
    select
        assessments.assessment_id,
        ordinal,
        answered.reading * 4 + ordinal as finding,
        answered.news_number,
        (answered.pair_number * 100::bigint + answered.burst) * 4
        + (ordinal + pg_temp.pick(answered.reading, 'first story', 3)) %% 3 as story,
        (answered.read_at at time zone 'UTC')::date as read_on
    from answered
    inner join risk.assessments
        on
            pg_temp.id('mention', answered.mention) = assessments.mention_id
            and answered.generation_id = assessments.generation_id
    cross join generate_series(0, 2) as ordinal
    where
        ordinal <= (answered.number - 1) %% 3
        and pg_temp.findings_before(answered.number) + ordinal < %(findings)s
    order by assessments.assessment_id, ordinal
),

drawn as (
    select
        *,
        pg_temp.pick(story, 'kind', 36) as kind,
        pg_temp.chance(finding, 'level') as level_lot,
        pg_temp.chance(finding, 'status') as status_lot,
        pg_temp.chance(finding, 'date') as date_lot,
        pg_temp.chance(finding, 'quote') >= 0.05 as quote_verified,
        length(pg_temp.title(1)) + 2 + ordinal * (length(pg_temp.line(1, 1)) + 1) as quote_start
    from numbered
)

select
    assessment_id,
    ordinal,
    (
        array[
            'financial', 'operational', 'logistics', 'geopolitical_trade', 'regulatory_legal',
            'labor_human_rights', 'environmental', 'natural_hazard', 'cyber_technology'
        ]
    )[1 + kind / 4],
    case
        when level_lot < 0.15 then 0 when level_lot < 0.4 then 1 when level_lot < 0.65 then 2
        when level_lot < 0.85 then 3 when level_lot < 0.96 then 4 else 5
    end,
    case
        when status_lot < 0.6 then 'confirmed' when status_lot < 0.9 then 'alleged'
        else 'resolved'
    end,
    case
        when level_lot < 0.15 then 'no_risk'
        else (
            array[
                'insolvency', 'rating_change', 'financial_loss', 'fraud',
                'production_stop', 'fire_or_explosion', 'recall', 'quality_defect',
                'transport_disruption', 'material_shortage', 'capacity_cut', 'other',
                'sanctions', 'tariff', 'export_control', 'conflict',
                'investigation', 'fine', 'litigation', 'antitrust',
                'strike', 'work_accident', 'forced_labour', 'layoffs',
                'pollution', 'emissions_breach', 'noncompliance', 'other',
                'flood', 'earthquake', 'storm', 'extreme_heat',
                'data_breach', 'ransomware', 'vulnerability', 'outage'
            ]
        )[1 + kind]
    end,
    -- some texts give no date, a few one that is still to come
    case
        when date_lot < 0.2 then null
        when date_lot < 0.21 then read_on + 30
        else read_on - pg_temp.pick(finding, 'days ago', 6)
    end,
    (
        array[
            pg_temp.word(story * 2),
            pg_temp.word(story * 2 + 1),
            pg_temp.word(finding * 4),
            pg_temp.word(finding * 4 + 1),
            pg_temp.word(finding * 4 + 2)
        ]
    )[:1 + pg_temp.pick(finding, 'keywords', 5)],
    case
        when quote_verified then pg_temp.line(news_number, ordinal + 1)
        else 'This line of report ' || news_number || ' was made up.'
    end,
    case when quote_verified then quote_start end,
    case when quote_verified then quote_start + length(pg_temp.line(1, 1)) end,
    quote_verified,
    'It says so.'
from drawn;

"""The words that an answer may use: dimensions, event types, levels, statuses.

To extend it, add a line here and the same line to dbt_project/seeds; a test keeps them equal.
"""

from enum import IntEnum, StrEnum


class Dimension(StrEnum):
    """What a risk is about. The value is the name in the database and on the dashboards."""

    FINANCIAL = "financial"
    OPERATIONAL = "operational"
    LOGISTICS = "logistics"
    GEOPOLITICAL_TRADE = "geopolitical_trade"
    REGULATORY_LEGAL = "regulatory_legal"
    LABOR_HUMAN_RIGHTS = "labor_human_rights"
    ENVIRONMENTAL = "environmental"
    NATURAL_HAZARD = "natural_hazard"
    CYBER_TECHNOLOGY = "cyber_technology"


DIMENSION_COVERS = {
    Dimension.FINANCIAL: "liquidity, insolvency, rating, ownership, fraud loss",
    Dimension.OPERATIONAL: "production stop, capacity, fire, recall, quality",
    Dimension.LOGISTICS: "port, route, transport, raw-material shortage",
    Dimension.GEOPOLITICAL_TRADE: "conflict, sanctions, tariffs, export control, expropriation",
    Dimension.REGULATORY_LEGAL: "investigation, fine, litigation, corruption, antitrust",
    Dimension.LABOR_HUMAN_RIGHTS: "strike, safety, forced or child labour, wages",
    Dimension.ENVIRONMENTAL: "pollution, emissions breach, harm caused by the supplier",
    Dimension.NATURAL_HAZARD: "flood, quake, storm, heat that hits the supplier",
    Dimension.CYBER_TECHNOLOGY: "breach, ransomware, vulnerability, outage, IP theft",
}


class Level(IntEnum):
    """How grave one finding is; dbt_project/seeds/risk_levels.csv turns it into a number."""

    NONE = 0
    LOW = 1
    MODERATE = 2
    SIGNIFICANT = 3
    HIGH = 4
    SEVERE = 5


LEVEL_MEANS = {
    Level.NONE: "no adverse fact about this supplier; mention, marketing, good news",
    Level.LOW: "contained, already fixed, or alleged by one weak source; no effect on supply",
    Level.MODERATE: "confirmed, one site or product, recoverable in days; inquiry opened",
    Level.SIGNIFICANT: "several sites or weeks; formal charge, strike, rating cut, customer data "
    "breach",
    Level.HIGH: "plant down over a month, partial sanctions, large fine, fatal accident",
    Level.SEVERE: "insolvency filing, full sanctions listing, site destroyed, proven forced labour",
}


class Status(StrEnum):
    """How sure the document is of it."""

    ALLEGED = "alleged"
    CONFIRMED = "confirmed"
    RESOLVED = "resolved"


class Urgency(StrEnum):
    """How soon an analyst must see it."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def priority(self) -> int:
        """Of the work that follows: 0 is done first."""
        return list(Urgency)[::-1].index(self)


URGENCY_MEANS = {
    Urgency.LOW: "no adverse fact, marketing, or long past",
    Urgency.NORMAL: "a lasting matter or a contained one: it can wait for the weekly look",
    Urgency.HIGH: "supply, money or law is touched within weeks: to be seen today",
    Urgency.CRITICAL: "supply stops or the supplier may fail: to be seen now",
}


class EventType(StrEnum):
    """What happened. Findings of one type within days of each other count as one event."""

    INSOLVENCY = "insolvency"
    RATING_CHANGE = "rating_change"
    OWNERSHIP_CHANGE = "ownership_change"
    FINANCIAL_LOSS = "financial_loss"
    FRAUD = "fraud"
    PRODUCTION_STOP = "production_stop"
    CAPACITY_CUT = "capacity_cut"
    FIRE_OR_EXPLOSION = "fire_or_explosion"
    RECALL = "recall"
    QUALITY_DEFECT = "quality_defect"
    TRANSPORT_DISRUPTION = "transport_disruption"
    MATERIAL_SHORTAGE = "material_shortage"
    CONFLICT = "conflict"
    SANCTIONS = "sanctions"
    TARIFF = "tariff"
    TRADE_REMEDY = "trade_remedy"
    EXPORT_CONTROL = "export_control"
    EXPROPRIATION = "expropriation"
    INVESTIGATION = "investigation"
    FINE = "fine"
    LITIGATION = "litigation"
    CORRUPTION = "corruption"
    ANTITRUST = "antitrust"
    APPROVAL_REFUSED = "approval_refused"
    NONCOMPLIANCE = "noncompliance"
    STRIKE = "strike"
    WORK_ACCIDENT = "work_accident"
    FORCED_LABOUR = "forced_labour"
    LAYOFFS = "layoffs"
    POLLUTION = "pollution"
    EMISSIONS_BREACH = "emissions_breach"
    FLOOD = "flood"
    EARTHQUAKE = "earthquake"
    STORM = "storm"
    EXTREME_HEAT = "extreme_heat"
    DATA_BREACH = "data_breach"
    RANSOMWARE = "ransomware"
    VULNERABILITY = "vulnerability"
    OUTAGE = "outage"
    IP_THEFT = "ip_theft"
    OTHER = "other"
    NO_RISK = "no_risk"

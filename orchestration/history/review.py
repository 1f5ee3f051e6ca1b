"""Labels: what a person says of one finding, or of an assessment that found nothing.

Rows are only added; of each person the newest counts. What to look at next is said in `sampling`.
"""

import getpass
import re
from dataclasses import dataclass
from typing import Literal

from orchestration.errors import UsageError
from orchestration.resources.postgres import Connection

MAX_NOTE = 2_000
_MAX_NAME = 200
_MAX_LEVEL = 5
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Label:
    """What a person says of one finding, or of one assessment; exactly one of the ids is given."""

    verdict: Literal["agree", "disagree"]
    finding_id: int | None = None
    assessment_id: int | None = None
    corrected_level: int | None = None
    note: str | None = None

    @property
    def subject(self) -> str:
        """What it is about, in words."""
        if self.finding_id is not None:
            return f"finding {self.finding_id}"
        return f"assessment {self.assessment_id}"


def label(connection: Connection, said: Label, made_by: str) -> bool:
    """Add what a person says; False where that person says so already. Raises UsageError for what
    `check` refuses."""
    check(connection, said)
    return add(connection, said, made_by)


def check(connection: Connection, said: Label) -> None:
    """Raises UsageError for what cannot be meant: of nothing, of an unknown level or finding."""
    if (said.finding_id is None) == (said.assessment_id is None):
        raise UsageError("Say which: the id of a finding, or that of an assessment, not both.")
    if said.corrected_level is not None:
        _check_level(said, said.corrected_level)
    if said.note is not None:
        _check_text("The note", said.note, MAX_NOTE)
    level = _level(connection, said)
    if level is not None and level == said.corrected_level:
        raise UsageError(
            f"The {said.subject} has the level {level} already: agree, or give another."
        )


def add(connection: Connection, said: Label, made_by: str) -> bool:
    """Add a label that `check` accepts; False where the person's current one says the same."""
    row = connection.execute(
        """
        insert into risk.labels (
            finding_id, assessment_id, verdict, corrected_level, note, made_by
        )
        select
            %(finding_id)s::bigint, %(assessment_id)s::bigint, %(verdict)s,
            %(corrected_level)s::smallint, %(note)s::text, %(made_by)s
        where not exists (
            select from risk.current_labels as current
            where
                current.finding_id is not distinct from %(finding_id)s::bigint
                and current.assessment_id is not distinct from %(assessment_id)s::bigint
                and current.made_by = %(made_by)s
                and current.verdict = %(verdict)s
                and current.corrected_level is not distinct from %(corrected_level)s::smallint
                and current.note is not distinct from %(note)s::text
        )
        returning label_id
        """,
        {
            "finding_id": said.finding_id,
            "assessment_id": said.assessment_id,
            "verdict": said.verdict,
            "corrected_level": said.corrected_level,
            "note": said.note,
            "made_by": made_by,
        },
    ).fetchone()
    return row is not None


def reviewer(name: str | None = None) -> str:
    """The name that labels are signed with: the one given, else the user's on this machine."""
    if name is None:
        try:
            name = getpass.getuser()
        except (KeyError, ImportError, OSError):
            raise UsageError("This machine has no name for you: say --by NAME.") from None
    name = name.strip()
    if not name:
        raise UsageError("--by must name somebody.")
    _check_text("The name", name, _MAX_NAME)
    return name


def _level(connection: Connection, said: Label) -> int | None:
    """Of its finding; None of an assessment. Raises UsageError where there is none."""
    row = connection.execute(
        """
        select level from risk.findings where finding_id = %(finding_id)s
        union all
        select null from risk.assessments where assessment_id = %(assessment_id)s
        """,
        {"finding_id": said.finding_id, "assessment_id": said.assessment_id},
    ).fetchone()
    if row is None:
        raise UsageError(
            f"There is no {said.subject}; `supplier-risk review next` shows what can be labelled."
        )
    level: int | None = row["level"]
    return level


def _check_level(said: Label, level: int) -> None:
    if said.verdict == "agree":
        raise UsageError("Who gives another level disagrees: leave out the level, or disagree.")
    if said.finding_id is None:
        raise UsageError(
            "A level belongs to a finding: of an assessment, say what it missed in a note."
        )
    if not 0 <= level <= _MAX_LEVEL:
        raise UsageError(f"There is no level {level}; there are 0 (no risk) to 5.")


def _check_text(what: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise UsageError(f"{what} has {len(text):,} characters; {limit:,} are the most.")
    if _NOT_STORABLE.search(text):
        raise UsageError(f"{what} holds a character that cannot be stored; write plain text.")

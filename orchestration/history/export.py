"""Questions and their good answers as lines of JSON, as fine-tuning and evaluation take them.

An answer is exported once, under the newest assessment that rests on it.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, LiteralString

from orchestration.errors import UsageError
from orchestration.history.selection import Selection, check, condition, demand
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.calls import OK

_ROWS_AT_ONCE = 200
_TABLES: LiteralString = """
    risk.assessments
    inner join risk.generations using (generation_id)
    inner join risk.mentions using (mention_id)
    inner join ingest.documents using (document_id)
"""


@dataclass(frozen=True)
class Exported:
    """How many lines were written, and how many answers were left out for which reason."""

    written: int
    left_out: Mapping[str, int]


def export(
    connection: Connection,
    path: Path,
    selection: Selection,
    *,
    everything: bool = False,
    is_bare: bool = False,
    may_replace: bool = False,
) -> Exported:
    """Write the selected answers to a file, which is there in full or not at all. Bare lines hold
    the messages alone. Raises UsageError where nothing is selected, or the file cannot be."""
    _require_room(path, may_replace)
    check(connection, selection)
    found, total = _count(connection, selection)
    demand(selection, found, total, everything, "assessments")
    left_out: Counter[str] = Counter()
    written = 0
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            for row in _rows(connection, selection):
                if reason := _why_not(row):
                    left_out[reason] += 1
                    continue
                file.write(json.dumps(_line(row, is_bare), ensure_ascii=False) + "\n")
                written += 1
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return Exported(written, left_out)


def _require_room(path: Path, may_replace: bool) -> None:
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}: make it first.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file in it.")
    if path.exists() and not may_replace:
        raise UsageError(f"{path} is there already: name another file, or say --force.")


def _count(connection: Connection, selection: Selection) -> tuple[int, int]:
    """Assessments that are selected, and all."""
    wanted = condition(selection, of_writing=True)
    found = one(
        connection,
        f"select count(*) as found from {_TABLES} where {wanted}",
        selection.parameters(),
    )
    total = one(connection, "select count(*) as total from risk.assessments")
    return found["found"], total["total"]


def _rows(connection: Connection, selection: Selection) -> Iterator[Mapping[str, Any]]:
    """One for each answer, the oldest first; the server keeps what was not fetched."""
    query = _ANSWERS.replace("{wanted}", condition(selection, of_writing=True))
    with connection.transaction(), connection.cursor("export") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        cursor.execute(query, selection.parameters())
        yield from cursor


# Bodies are joined last, so that none is sorted; labels are few.
_ANSWERS: LiteralString = f"""
with chosen as materialized (
    select distinct on (parts.response_id)
        parts.response_id, parts.part, cardinality(assessments.response_ids) as parts,
        assessments.assessment_id, assessments.generation_id,
        mentions.supplier_id, mentions.country, mentions.document_id
    from {_TABLES}
    cross join unnest(assessments.response_ids) with ordinality as parts (response_id, part)
    where {{wanted}}
    order by parts.response_id asc, assessments.assessment_id desc
)

select
    chosen.*, requests.step, requests.model, requests.prompt_version, requests.messages,
    responses.outcome, responses.answer, responses.purged_at,
    (
        select coalesce(jsonb_agg(label order by label -> 'ordinal', label -> 'made_by'), '[]')
        from (
            select jsonb_build_object(
                'verdict', labels.verdict, 'corrected_level', labels.corrected_level,
                'ordinal', findings.ordinal, 'note', labels.note, 'made_by', labels.made_by
            ) as label
            from risk.findings
            inner join risk.current_labels as labels using (finding_id)
            where findings.assessment_id = chosen.assessment_id
            union all
            select jsonb_build_object(
                'verdict', labels.verdict, 'corrected_level', labels.corrected_level,
                'ordinal', null, 'note', labels.note, 'made_by', labels.made_by
            )
            from risk.current_labels as labels
            where labels.assessment_id = chosen.assessment_id
        ) as said
    ) as labels
from chosen
inner join llm.responses using (response_id)
inner join llm.requests using (cache_key)
order by chosen.response_id
"""


def _why_not(row: Mapping[str, Any]) -> str | None:
    """Why an answer is no example; None if it is one."""
    if row["outcome"] != OK:
        return "not a good answer"
    if row["purged_at"]:
        return "answer purged"
    return "prompt purged" if row["messages"] is None else None


def _line(row: Mapping[str, Any], is_bare: bool) -> dict[str, Any]:
    answer = {"role": "assistant", "content": row["answer"]}
    line: dict[str, Any] = {"messages": [*row["messages"], answer]}
    if not is_bare:
        line["metadata"] = {
            "step": row["step"],
            "model": row["model"],
            "prompt_version": row["prompt_version"],
            "response_id": row["response_id"],
            "generation": row["generation_id"],
            "supplier": row["supplier_id"],
            "country": row["country"],
            "document_id": str(row["document_id"]),
            "part": row["part"],
            "parts": row["parts"],
            "labels": row["labels"],
        }
    return line

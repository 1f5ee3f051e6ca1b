"""How far people agree, by model and prompt: figures, the sentence of a shortfall, the check."""

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.history.review import Label, label
from orchestration.job_names import SCORE_PENDING
from orchestration.resources.postgres import Connection, one
from orchestration.scoring.agreement import Agreement, agreement, of_live_stream, shortfall
from orchestration.settings import HistorySettings
from tests.conftest import Analyst
from tests.history.answers import CALM, SURE, assessment_of, finding_of, two_models
from tests.history.test_review import command, words
from tests.scoring.scenario import BANKRUPTCY, RECALL, land_texts

STRICT = HistorySettings(min_labels=2, min_agreement=0.8)


def generation_of(connection: Connection, model: str) -> int:
    row = one(connection, "select generation_id from risk.generations where model = %s", [model])
    return int(row["generation_id"])


def judge(connection: Connection, model: str, *verdicts: str) -> None:
    """One person for each verdict on what this model found in the same document."""
    for number, verdict in enumerate(verdicts):
        said = Label(
            "agree" if verdict == "agree" else "disagree", finding_of(connection, SURE, model)
        )
        label(connection, said, f"person {number}")


@pytest.fixture
def world(connection: Connection, analyst: Analyst) -> Connection:
    two_models(connection, analyst.settings)
    return connection


def test_labels_count_for_the_model_and_prompt_that_they_judge(world: Connection) -> None:
    judge(world, "first", "agree", "agree")
    judge(world, "second", "agree", "disagree")
    label(world, Label("disagree", assessment_id=assessment_of(world, CALM)), "ann")
    second, first = agreement(world)
    assert (second.model, second.labels, second.agreed) == ("second", 3, 1)
    assert (first.model, first.labels, first.agreed, first.share) == ("first", 2, 2, 1.0)
    assert first.prompt_version == second.prompt_version
    assert of_live_stream(world) == second


def test_of_each_person_the_newest_word_counts(world: Connection) -> None:
    judge(world, "second", "agree")
    judge(world, "second", "disagree")
    (found,) = agreement(world)
    assert (found.labels, found.agreed) == (1, 0)


def test_generations_of_the_same_model_and_prompt_are_judged_together(world: Connection) -> None:
    judge(world, "second", "agree")
    world.execute(
        "insert into risk.generations (kind, status, model, prompt_versions)"
        " select 'stream', 'live', model, prompt_versions from risk.generations"
        " where model = 'second'"
    )
    found = of_live_stream(world)
    assert found is not None
    assert (found.model, found.labels) == ("second", 1)


def test_without_labels_or_without_a_generation_there_is_nothing_to_judge(
    connection: Connection, analyst: Analyst
) -> None:
    assert of_live_stream(connection) is None
    two_models(connection, analyst.settings)
    found = of_live_stream(connection)
    assert found is not None
    assert (found.labels, found.share, found.interval) == (0, None, None)
    assert agreement(connection) == []


def test_a_generation_falls_short_only_with_enough_labels_of_which_too_few_agree(
    world: Connection,
) -> None:
    second = generation_of(world, "second")
    judge(world, "second", "disagree")
    assert shortfall(world, second, STRICT) is None
    judge(world, "second", "disagree", "agree")
    said = shortfall(world, second, STRICT)
    assert said is not None
    assert "People agree with 1 of 2 labelled answers of second" in said
    assert "HISTORY_MIN_AGREEMENT" in said
    assert shortfall(world, second, HistorySettings(min_labels=2, min_agreement=0.5)) is None
    assert shortfall(world, generation_of(world, "first"), STRICT) is None
    with pytest.raises(LookupError):
        shortfall(world, 999, STRICT)


def test_a_share_that_is_just_enough_is_enough() -> None:
    enough = Agreement("m", "p", labels=20, agreed=16)
    assert enough.shortfall(HistorySettings()) is None
    assert Agreement("m", "p", labels=20, agreed=15).shortfall(HistorySettings()) is not None


def test_the_command_shows_shares_with_their_intervals(world: Connection) -> None:
    assert "Nobody has labelled anything yet" in command("agreement").stdout
    judge(world, "second", *["agree"] * 8, *["disagree"] * 2)
    done = command("agreement")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.strip().startswith("second"))
    assert line.split()[2:] == ["10", "8", "80%", "49%", "to", "94%"]
    assert "Wilson" in words(done.stdout)


def evaluation(instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    """Of the check, in a run of the scoring job that must succeed."""
    quietly = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    job = defs.resolve_job_def(SCORE_PENDING)
    result = job.execute_in_process(instance=instance, run_config=quietly)
    assert result.success
    (found,) = [
        one
        for one in result.get_asset_check_evaluations()
        if one.check_name == "agreement_with_humans"
    ]
    return found


def test_the_check_warns_when_people_disagree_and_scoring_goes_on(
    connection: Connection, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HISTORY_MIN_LABELS", "2")
    model = analyst.settings.model
    land_texts(connection, RECALL)
    with dg.DagsterInstance.ephemeral() as instance:
        before = evaluation(instance)
        assert (before.passed, before.metadata["labels"].value) == (True, 0)
        for person in ("ann", "ben"):
            label(connection, Label("disagree", finding_of(connection, RECALL, model)), person)
        land_texts(connection, BANKRUPTCY)
        after = evaluation(instance)
    assert not after.passed
    assert after.severity == dg.AssetCheckSeverity.WARN
    assert not after.blocking
    assert "People agree with 0 of 2 labelled answers" in (after.description or "")
    assert (after.metadata["labels"].value, after.metadata["agreed"].value) == (2, 0)
    assert after.metadata["share"].value == 0
    assert [
        entry.value for name, entry in after.metadata.items() if name.startswith(f"{model} / ")
    ] == ["0 of 2 (0.0%)"]
    assert one(connection, "select count(*) as n from risk.current_assessments")["n"] == 2

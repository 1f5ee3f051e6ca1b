"""What the dashboards promise, and neither Superset nor the check against the marts looks at."""

from orchestration.publishing.bundle import read

# written by whoever sends a message, or by an LLM that has read it
STRANGERS = {
    *("batch_id", "brief", "evidence_quote", "evidence_title", "evidence_url", "keyword"),
    *("keywords", "last_error", "publisher", "quote", "rationale", "title", "url"),
}


def test_no_table_shows_a_text_of_strangers_where_it_could_be_html() -> None:
    shown = {
        f"{chart.file}: {name}"
        for chart in read().charts
        if chart.params.get("allow_render_html")
        for name in (*chart.params["all_columns"], *chart.params.get("groupby", []))
        if name in STRANGERS
    }
    assert not shown

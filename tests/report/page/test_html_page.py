"""The page: every section, nothing from elsewhere, and whatever a record holds."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from freqai_signals.report.data.frames import SignalFrames
from freqai_signals.report.page.html_page import page
from freqai_signals.report.page.json_form import ReportJson, page_json
from freqai_signals.report.page.sections import page_sections
from tests.report.page.page_frames import frames_of, many_days
from tests.report.page.test_sections import trades
from tests.report.run_rows import rows_of

KEYS = [
    "verdict", "facts", "reliability", "direction", "skill", "tiers", "returns", "fees", "rules",
    "move", "classes", "trades", "features", "models", "drift", "luck", "gaps", "reproduce",
]  # fmt: skip
LIMIT = 4_000_000


def with_everything() -> SignalFrames:
    """A month of two pairs, with trades, features and drift as a new record has them."""
    base = frames_of(A=many_days(30), B=many_days(30, seed=1))
    days = pd.date_range("2024-01-01", periods=30, freq="D", tz="UTC")
    features = pd.DataFrame(
        {"model_version": "000000000007", "group": ["momentum", "volume"], "gain": [0.7, 0.3],
         "shap": [0.6, 0.4], "worth": np.nan}
    )  # fmt: skip
    drift = pd.concat(
        [pd.DataFrame({"date": days, "feature": name, "shift": np.arange(30) / 30})
         for name in ("%-a", "%-b")]
    )  # fmt: skip
    closed = trades(
        *((str(day + pd.Timedelta(hours=5))[:19], "buy_weak", 0.01 * (-1) ** day.day, 1.0)
          for day in days)
    )  # fmt: skip
    events = pd.DataFrame(
        {"date": days[:2], "what": "level drift", "subject": "A/USDT", "detail": "psi"}
    )
    market = pd.DataFrame({"date": days, "buy_and_hold": np.linspace(0, 0.1, 30)})
    parts = {"feature_groups": features, "drift": drift, "trades": closed, "events": events}
    facts = {**base.facts, "balance": 1000.0, "looks": 3}
    return SignalFrames(**(base.__dict__ | parts | {"market": market, "facts": facts}))


def written(frames: SignalFrames, title: str = "Report") -> str:
    return page(page_sections(frames, command="freqai-signals report --html"), title, ["A note."])


def test_every_section_is_there_in_order_with_a_sentence_and_how_it_is_computed() -> None:
    sections = page_sections(with_everything())
    assert [section.key for section in sections] == KEYS
    assert all(section.finding and section.method for section in sections)
    assert [section.key for section in sections if section.missing] == []
    found = written(with_everything())
    places = [found.index(f'<section id="{key}">') for key in KEYS]
    assert places == sorted(places)
    assert found.count("How it is computed") == len(KEYS)
    assert "A note." in found


def test_nothing_is_fetched_from_anywhere() -> None:
    found = written(with_everything())
    assert re.findall(r"https?:", found) == []
    assert re.findall(r"""(?:src|href)=["'](?!#)[^"']*""", found) == []
    assert re.findall(r"url\(|@import", found) == []
    assert "default-src 'none'" in found


def test_the_page_is_small_and_holds_plotly_once() -> None:
    found = written(with_everything())
    assert 1_500_000 < len(found.encode()) < LIMIT
    assert found.count('id="plotly"') == 1


def test_every_section_with_drawings_has_its_numbers_as_tables_too() -> None:
    found = written(with_everything())
    for key in KEYS:
        body = found.split(f'<section id="{key}">')[1].split("</section>")[0]
        if 'class="chart"' in body:
            assert "<table>" in body, key
    assert found.count('<details class="table" open>') > len(KEYS)


@pytest.mark.parametrize(
    "frames",
    [
        frames_of(A=rows_of("", "")),
        frames_of(A=rows_of("B", "?")),
        frames_of(A=rows_of("B", "B")),
        frames_of(A=rows_of("h" * 50, "h" * 50)),
        frames_of(A=rows_of("B" * 50, "B" * 50, label_return=0.0)),
        frames_of(A=rows_of("BSh" * 20, "BSh" * 20, do_predict=0)),
        frames_of(A=many_days(8), B=rows_of("", "")),
    ],
    ids=["no row", "unknown", "one row", "one class", "still", "untrusted", "one pair"],
)
def test_whatever_a_record_holds_the_page_says_what_it_can(frames: SignalFrames) -> None:
    sections = page_sections(frames)
    assert [section.key for section in sections] == KEYS
    assert all(section.finding for section in sections)
    assert all(section.missing == section.finding for section in sections if section.missing)
    assert not re.search(r"\bnan\b", " ".join(section.finding for section in sections))
    assert "</html>" in page(sections, "Report")
    json.dumps(page_json(sections, "Report", []), allow_nan=False)


def test_words_from_elsewhere_are_words() -> None:
    """A pair named like markup ends no script, starts no tag and no link."""
    name = "<b>X</b></script><script>alert(1)</script>[/red]"
    frames = frames_of(**{name: many_days(10)})
    found = written(frames, title=f"Report of {name}")
    assert "<script>alert" not in found
    assert "<b>" not in found
    assert "&lt;b&gt;X&lt;/b&gt;" in found
    figures = found.split('id="figures">')[1].split("</script>")[0]
    assert "<" not in figures
    pairs = [value for part in json.loads(figures)["skill-1"]["data"] for value in part["y"]]
    assert pairs[0].startswith("&lt;b&gt;X")


def test_thousands_of_trades_are_aggregated() -> None:
    frames = with_everything()
    many = pd.concat([frames.trades] * 300, ignore_index=True)
    found = written(SignalFrames(**(frames.__dict__ | {"trades": many})))
    assert len(found) - len(written(frames)) < 2000


def test_the_json_has_the_form_that_its_schema_says() -> None:
    sections = page_sections(with_everything())
    found = page_json(sections, "Report", ["A note."])
    text = json.dumps({"facts": {}, "page": found}, allow_nan=False)
    report = ReportJson.model_validate_json(text)
    assert [section.key for section in report.page.sections] == KEYS
    table = report.page.sections[2].tables["Reliability of classes"]
    assert set(table[0]) == {
        "class", "probability", "stated", "happened", "low", "high", "rows",
    }  # fmt: skip
    assert ReportJson.model_json_schema()["required"] == ["facts", "page"]

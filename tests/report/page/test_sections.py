"""What the sections compute, on inputs small enough to check by hand."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from freqai_signals.metrics import expected_calibration_error
from freqai_signals.report.data.frames import SignalFrames
from freqai_signals.report.page.day_blocks import DayBlocks
from freqai_signals.report.page.page_data import PageData
from freqai_signals.report.page.parts.decision_sections import (
    return_table,
    rule_section,
    tier_section,
)
from freqai_signals.report.page.parts.fee_section import apart, fee_section
from freqai_signals.report.page.parts.model_sections import drift_section, gap_section
from freqai_signals.report.page.parts.overview_sections import (
    NO,
    UNKNOWN,
    YES,
    Edge,
    edge_of,
    facts_section,
    verdict_section,
)
from freqai_signals.report.page.parts.reliability_sections import (
    calibration_error,
    class_section,
    direction_reliability,
    move_section,
    reliability_table,
)
from freqai_signals.report.page.parts.skill_section import skill_section, total_skill
from freqai_signals.report.page.parts.trade_sections import (
    equity_table,
    luck_section,
    trade_section,
)
from freqai_signals.schema import TOTAL, Reason
from freqai_signals.settings import SignalSettings
from tests.report.page.page_frames import data_of, frames_of, many_days
from tests.report.run_rows import COST, rows_of

SHARP = {"proba_sell": 0.1, "proba_hold": 0.3, "proba_buy": 0.6}


def with_trades(data: PageData, trades: pd.DataFrame, **facts: object) -> PageData:
    values = data.frames.__dict__ | {"trades": trades}
    values["facts"] = {**data.frames.facts, **facts}
    return PageData(SignalFrames(**values), data.settings, data.cost)


def trades(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    """Opening, tag, net return, profit; an hour long."""
    opened = pd.to_datetime([row[0] for row in rows], utc=True)
    return pd.DataFrame(
        {
            "pair": "A/USDT", "open_date": opened, "close_date": opened + pd.Timedelta(hours=1),
            "is_short": False, "enter_tag": [row[1] for row in rows], "exit_reason": "horizon",
            "stake": 100.0, "net_return": [row[2] for row in rows],
            "profit": [row[3] for row in rows], "cost": 0.002,
        }
    )  # fmt: skip


# Reliability


def test_a_bin_shows_what_was_stated_and_how_often_it_came_true() -> None:
    dates = pd.date_range("2024-01-01", periods=60, freq="4h", tz="UTC")
    stated = np.array([0.62] * 30 + [0.12] * 30)
    happened = np.array([True] * 15 + [False] * 15 + [True] * 3 + [False] * 27)
    table = reliability_table(stated, happened, DayBlocks(dates))
    assert table["stated"].round(9).tolist() == [0.12, 0.62]
    assert table["happened"].tolist() == [0.1, 0.5]
    assert table["rows"].tolist() == [30, 30]


def test_the_calibration_error_is_that_of_the_metrics_and_noise_is_below_it() -> None:
    rng = np.random.default_rng(0)
    dates = pd.date_range("2024-01-01", periods=2400, freq="1h", tz="UTC")
    stated = np.full(2400, 0.72)
    happened = rng.random(2400) < 0.5
    error, noise, chance = calibration_error(stated, happened, DayBlocks(dates))
    assert error == pytest.approx(abs(0.72 - happened.mean()))
    assert noise < error / 5
    assert chance == 0.0


def test_honest_probabilities_are_no_further_off_than_noise() -> None:
    data = data_of(A=many_days(60))
    top, hit = data.proba.max(axis=1), data.proba.argmax(axis=1) == data.labels
    error, noise, chance = calibration_error(top, hit, data.blocks)
    assert error == pytest.approx(expected_calibration_error(data.labels, data.proba))
    assert 0.3 < error / noise < 2.0
    assert chance > 0.05


def test_direction_is_judged_on_moves_only() -> None:
    section = direction_reliability(data_of(A=rows_of("B" * 40, "B" * 20 + "h" * 10 + "S" * 10)))
    (table,) = section.tables.values()
    assert table["rows"].tolist() == [30]
    assert table["stated"].round(6).tolist() == [round(0.6 / 0.7, 6)]
    assert table["happened"].tolist() == [20 / 30]


def test_the_confusion_matrix_has_a_row_per_outcome() -> None:
    matrix = class_section(data_of(A=rows_of("BBSh", "BSSh"))).tables["Confusion matrix"]
    assert matrix["happened as"].tolist() == ["sell", "hold", "buy"]
    assert matrix[["predicted sell", "predicted hold", "predicted buy"]].to_numpy().tolist() == [
        [0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0],
    ]  # fmt: skip
    assert matrix["rows"].tolist() == [2, 1, 1]


def test_calm_and_lively_are_told_apart_within_each_hour() -> None:
    """All rows lie in hour 0 but the last: it is alone, so it says nothing of ranking."""
    frame = rows_of("Bhhhhhhhhhhhh", "Bhhhhhhhhhhhh")
    hours = move_section(data_of(A=frame)).tables["By hour (UTC)"]
    assert hours["hour"].tolist() == [0, 1]
    assert hours["rows"].tolist() == [12, 1]
    assert hours["auc"].iloc[0] == 1.0
    assert np.isnan(hours["auc"].iloc[1])


# Skill


def test_skill_is_one_less_the_ratio_of_losses() -> None:
    frame = rows_of("B" * 30, "B" * 30)
    pairs = skill_section(data_of(A=frame)).tables["Skill by pair"]
    assert pairs["pair"].tolist() == ["A/USDT", TOTAL]
    assert pairs["skill"].tolist() == pytest.approx([1 - np.log(0.6) / np.log(0.25)] * 2)
    assert pairs["brier"].tolist() == pytest.approx([0.26] * 2)
    assert pairs["ece"].tolist() == pytest.approx([0.4] * 2)
    assert pairs["rows"].tolist() == [30, 30]


def test_a_record_s_own_climatology_is_the_one_to_beat() -> None:
    frame = many_days(10)
    perfect = np.eye(3)[frame["outcome"].to_numpy(int)] * 0.97 + 0.01
    names = ("climatology_sell", "climatology_hold", "climatology_buy")
    data = data_of(A=frame.assign(**dict(zip(names, perfect.T, strict=True))))
    np.testing.assert_allclose(data.baseline, perfect)
    assert skill_section(data).tables["Skill by pair"]["over climatology"].iloc[-1] < -5


def test_skill_is_shown_in_parts_whose_rows_add_up() -> None:
    parts = skill_section(data_of(A=many_days(60))).tables["Skill in parts"]
    assert parts.groupby("by")["rows"].sum().to_dict() == dict.fromkeys(
        ("month", "hour", "regime", "side"), 60 * 24
    )
    assert parts[parts["by"] == "month"]["group"].tolist() == ["2024-01", "2024-02"]
    assert parts[parts["by"] == "side"]["group"].tolist() == ["long", "short"]
    known = parts[["skill", "error", "climatology error", "ece", "noise", "brier error"]]
    assert np.isfinite(known.to_numpy(float)).all()


def test_an_error_from_one_block_is_unknown() -> None:
    """Ten days of A, one of B: what B's error is, one day cannot say."""
    pairs = skill_section(data_of(A=many_days(10), B=many_days(1, seed=1))).tables["Skill by pair"]
    errors = pairs.set_index("pair")["error"]
    assert errors.notna().to_dict() == {"A/USDT": True, "B/USDT": False, TOTAL: True}


def test_errors_are_those_of_an_independent_implementation() -> None:
    """Loops, dictionaries and choice instead of matrices, bins and multinomial draws."""
    frame = many_days(90, seed=3)
    frame["expected_return"] = np.where(np.arange(len(frame)) % 2, 0.001, -0.001)
    data = data_of(A=frame)
    rng = np.random.default_rng(11)
    days: dict[int, list[int]] = {}
    for row, date in enumerate(data.rows["date"]):
        days.setdefault((date - pd.Timestamp(0, tz="UTC")).days // data.block_days, []).append(row)

    def resampled(figure: Callable[[list[int]], float]) -> float:
        drawn = [
            figure([row for day in rng.choice(list(days), len(days)) for row in days[day]])
            for _ in range(1500)
        ]
        return float(np.std(drawn))

    chosen, prior = data.proba[np.arange(len(data.rows)), data.labels], data.prior[0]
    model = [-np.log(value) for value in chosen]
    base = [-np.log(prior[label]) for label in data.labels]
    net = data.rows["net_return"].tolist()
    high = (data.rows["expected_return"] > 0).tolist()

    def skill(rows: list[int]) -> float:
        return 1 - sum(model[row] for row in rows) / sum(base[row] for row in rows)

    def paid(rows: list[int]) -> float:
        mine = [net[row] for row in rows if high[row]]
        return sum(mine) / len(mine)

    assert total_skill(data).error[0] == pytest.approx(resampled(skill), rel=0.1)
    table = return_table(data, data.rows, 2)
    assert table["error"].iloc[-1] == pytest.approx(resampled(paid), rel=0.1)


# Tiers, returns, rules


def test_tiers_compare_right_with_stated_by_confidence() -> None:
    frame = rows_of("BBBB", "BBSh", confidence=[0.5, 0.92, 0.92, 0.995])
    table = tier_section(data_of(A=frame)).tables["Tiers"].set_index("tier")
    assert table["rows"].to_dict() == {"none": 1, "weak": 2, "medium": 0, "strong": 1}
    assert table["right"].fillna(-1).to_dict() == {
        "none": 1.0, "weak": 0.5, "medium": -1.0, "strong": 0.0,
    }  # fmt: skip
    assert table.loc["weak", "stated"] == pytest.approx(0.6)
    assert table.loc["weak", ["direction right", "moved"]].tolist() == [0.5, 2]
    assert table.loc["weak", "direction stated"] == pytest.approx(0.6 / 0.7)
    assert table.loc["strong", "moved"] == 0
    assert np.isnan(table.loc["strong", "direction right"])


def test_emitted_signals_are_counted_by_pair_and_strength() -> None:
    frame = rows_of(
        "BhS", "BhS", signal=[2, 1, 0], signal_strength=[1, 0, 3], confidence=[0.91, 0.9, 0.99]
    )
    table = rule_section(data_of(A=frame, B=rows_of("B", "B"))).tables["Signals by pair"]
    rows = table.set_index("pair")
    counts = ["signals", "hold", "weak", "medium", "strong"]
    assert rows.loc["A/USDT", counts].tolist() == [3, 1, 1, 0, 1]
    assert rows.loc["A/USDT", ["last signal", "last confidence"]].tolist() == ["sell", 0.99]
    assert str(rows.loc["A/USDT", "last (UTC)"]) == "2024-01-01 00:10:00+00:00"
    assert rows.loc["B/USDT", counts].tolist() == [0] * 5


def test_a_pair_that_never_moved_counts_nowhere_but_is_named() -> None:
    flat = rows_of("h" * 30, "h" * 30, label_return=0.0)
    alone, both = (data_of(A=many_days(6), **more) for more in ({}, {"B": flat}))
    assert len(both.rows) == len(alone.rows)
    section = skill_section(both)
    assert "never moved: B/USDT" in section.finding
    assert section.tables["Skill by pair"]["pair"].tolist() == ["A/USDT", TOTAL]


def test_predicted_and_realised_return_are_means_of_equal_bins() -> None:
    frame = rows_of("BBBB", "BBSS", expected_return=[0.004, 0.003, 0.002, 0.001])
    data = data_of(A=frame)
    table = return_table(data, data.rows, 2)
    assert table["predicted"].round(6).tolist() == [0.0015, 0.0035]
    assert table["realised"].round(6).tolist() == [-0.012, 0.008]
    assert table["rows"].tolist() == [2, 2]


def test_rules_are_asked_in_order_and_the_rest_is_counted() -> None:
    reasons = [Reason.UNTRUSTED, Reason.NO_EDGE, Reason.NO_EDGE, Reason.REPEAT, ""]
    frame = rows_of("BBBBB", "BBBBB", reject_reason=reasons, signal_strength=[0, 0, 0, 0, 1])
    table = rule_section(data_of(A=frame)).tables["Rules"]
    assert table["rule"].tolist() == ["untrusted", "no_edge", "repeat", "emitted"]
    assert table["left"].tolist() == [4, 2, 1, 1]


# Fees


def test_trades_of_a_pair_do_not_overlap() -> None:
    dates = pd.Series(pd.date_range("2024-01-01", periods=6, freq="5min", tz="UTC"))
    both = pd.concat([dates, dates], ignore_index=True)
    pair = np.repeat([0, 1], 6)
    assert apart(pair, both, 900).tolist() == [0, 3, 6, 9]
    assert apart(np.empty(0, dtype=np.int64), dates[:0], 900).tolist() == []


def test_a_lower_cost_lets_more_trades_through_and_pays_each_of_them_more() -> None:
    """Two hours apart, both right: expected gross 0.25 % and 0.12 %, earned 1 % each."""
    frame = rows_of("BB", "BB", expected_return=[0.0005, -0.0008])
    frame["date"] = pd.to_datetime(["2024-01-01 00:00", "2024-01-01 02:00"], utc=True)
    table = fee_section(data_of(A=frame)).tables["By round-trip cost"].set_index("cost")
    assert table.loc[[0.0, 0.001, 0.0014, 0.002, 0.0026], "trades"].tolist() == [2, 2, 1, 1, 0]
    assert table.loc[[0.0, 0.001, 0.002], "net"].tolist() == pytest.approx([0.01, 0.009, 0.008])


def test_fees_are_taken_off_what_trades_returned_not_labels() -> None:
    """The trade returned 3 % before its own costs of 0.3 %, the label's event 1 %."""
    frame = rows_of("B", "B", expected_return=0.001, trade_return=0.03, trade_cost=0.003)
    table = fee_section(data_of(A=frame)).tables["By round-trip cost"].set_index("cost")
    assert table.loc[0.001, "net"] == pytest.approx(0.029)
    # Expected before costs: 0.4 %.
    assert table["trades"].to_dict() == {cost: int(cost < 0.004) for cost in table.index}


def test_the_usual_fees_and_the_run_s_own_are_marked() -> None:
    marks = fee_section(data_of(A=rows_of("B", "B"))).tables["Marks"]
    assert dict(zip(marks["who"], marks["cost"], strict=True)) == {
        "spot taker": 0.002, "futures taker": 0.001, "maker": 0.0004, "this run": COST,
    }  # fmt: skip


# Verdict


@pytest.mark.parametrize(
    ("mean", "error", "answer"),
    [(0.002, 0.0005, YES), (-0.002, 0.0005, NO), (0.0005, 0.0005, UNKNOWN),
     (0.001, float("nan"), UNKNOWN)],
)  # fmt: skip
def test_an_edge_is_what_chance_does_not_explain(mean: float, error: float, answer: str) -> None:
    assert Edge("trade", 10, mean, error, 30.0).answer == answer


def test_days_needed_grow_with_the_square_of_the_error() -> None:
    assert Edge("trade", 10, 0.001, 0.001, 30.0).days_needed == pytest.approx(30 * 1.96**2)
    assert Edge("trade", 10, 0.001, 0.002, 30.0).days_needed == pytest.approx(30 * 1.96**2 * 4)
    assert np.isnan(Edge("trade", 10, 0.0, 0.002, 30.0).days_needed)


def test_trades_are_judged_where_there_are_some_signals_where_not() -> None:
    data = data_of(A=many_days())
    assert edge_of(data).what == "signal"
    one = with_trades(data, trades(("2024-01-02", "buy_weak", 0.01, 1.0)))
    assert (edge_of(one).what, edge_of(one).count) == ("trade", 1)
    assert "1 trade" in verdict_section(one).tables["Verdict"]["detail"].iloc[2].split(", ")


def test_overconfidence_is_called_by_its_name() -> None:
    data = data_of(A=many_days(60).assign(proba_sell=0.05, proba_hold=0.05, proba_buy=0.9))
    card = verdict_section(data).tables["Verdict"].iloc[0]
    assert (card["state"], card["answer"]) == (NO, "The probabilities do not hold")


def test_honest_probabilities_hold_and_know_something() -> None:
    cards = verdict_section(data_of(A=many_days(60))).tables["Verdict"]
    assert cards["answer"].iloc[0] == "The probabilities hold"
    assert cards["answer"].iloc[1] == "They know more than the class shares"


def test_many_noisy_days_are_not_enough_either() -> None:
    """Outcomes of a whole day agree, so 20 days hold 20 facts: noise alone is off by a tenth."""
    frame = many_days(20)
    day = np.arange(len(frame)) // 24
    frame["outcome"] = np.random.default_rng(1).integers(0, 3, 20)[day].astype(float)
    shares = {"proba_sell": 0.33, "proba_hold": 0.33, "proba_buy": 0.34}
    card = verdict_section(data_of(A=frame.assign(**shares))).tables["Verdict"].iloc[0]
    assert card["state"] == UNKNOWN
    assert card["answer"] == "Too few days to know whether the probabilities hold"
    assert "noise alone gives" in card["detail"]


def test_few_days_are_not_enough_to_say_anything() -> None:
    cards = verdict_section(data_of(A=many_days(3))).tables["Verdict"]
    assert set(cards["state"]) == {UNKNOWN}


# Facts


def test_keys_that_did_nothing_are_shown_as_they_stand() -> None:
    base, facts = data_of(A=many_days(3)), []
    for ignored in ([], ["freqai.conv_width = [2]: the model is another", "edge: never used"]):
        table = facts_section(with_trades(base, trades(), ignored=ignored)).tables["Facts"]
        facts.append(dict(table.to_numpy().tolist()))
    assert "ignored" not in facts[0]
    assert facts[1]["ignored"] == "freqai.conv_width = [2]: the model is another; edge: never used"


# Trades and luck


def test_the_wallet_grows_by_what_trades_paid_and_falls_below_its_high() -> None:
    closed = trades(
        ("2024-01-02 05:00", "buy_weak", 0.1, 100.0), ("2024-01-03 05:00", "buy_strong", -0.1, -110)
    )
    data = with_trades(data_of(A=many_days(5)), closed, balance=1000.0)
    table = equity_table(data)
    assert table["date"].dt.day.tolist() == [1, 2, 3, 4, 5]
    assert table["wallet"].round(6).tolist() == [0.0, 0.1, -0.01, -0.01, -0.01]
    assert table["under water"].round(6).tolist() == [0.0, 0.0, -0.1, -0.1, -0.1]
    groups = trade_section(data).tables["Where it came from"]
    strength = groups[groups["by"] == "strength"].set_index("group")
    assert strength["net"].to_dict() == {"strong": -0.1, "weak": 0.1}
    months = trade_section(data).tables["By month"]
    assert months["year"].tolist() == ["2024"]
    assert months["01"].round(6).tolist() == [-0.01]


def test_without_trades_the_section_says_why() -> None:
    section = trade_section(data_of(A=many_days(5)))
    assert "freqtrade's result of this run is not at hand" in section.missing
    assert section.tables == {}


def test_luck_is_more_likely_after_more_looks() -> None:
    days = pd.date_range("2024-01-01 05:00", periods=25, freq="D")
    rng = np.random.default_rng(0)
    closed = trades(*((str(day), "buy_weak", 0.01, rng.normal(1.0, 2.0)) for day in days))
    base = data_of(A=many_days(30))
    numbers = [
        luck_section(with_trades(base, closed, balance=1000.0, looks=looks)).tables["Numbers"]
        for looks in (1, 50)
    ]
    once, often = (table.set_index("number")["value"] for table in numbers)
    assert once["deflated Sharpe ratio"] == pytest.approx(once["probabilistic Sharpe ratio"])
    assert often["deflated Sharpe ratio"] < once["deflated Sharpe ratio"]
    assert 0 <= once["probability of overfitting (PBO)"] <= 1
    assert 1 <= once["effective trials"] <= once["thresholds tried"]


# Gaps and drift


def test_missing_candles_and_abstentions_are_told_apart() -> None:
    frame = rows_of("BBBBBB", "BBBBBB", do_predict=[1, 0, 1, 1, 1, 1]).drop(index=[2, 3])
    section = gap_section(data_of(A=frame))
    row = section.tables["By pair"].iloc[0]
    assert (row["candles"], row["predicted"], row["abstained"], row["missing"]) == (6, 4, 1, 2)
    share = section.tables["Share without prediction by day"]
    assert share["A/USDT"].tolist() == [0.5]


def test_drift_is_shown_against_the_training_rows() -> None:
    data = data_of(A=many_days(5))
    days = pd.date_range("2024-01-01", periods=5, freq="D", tz="UTC")
    drift = pd.DataFrame(
        {"date": [*days, *days], "feature": ["%-slow"] * 5 + ["%-calm"] * 5,
         "shift": [np.nan, 1.9, 5.0, 1.7, 2.0] + [np.nan] + [0.2] * 4}
    )  # fmt: skip
    section = drift_section(replace(data, frames=replace(data.frames, drift=drift)))
    (table,) = section.tables.values()
    assert table["slow"].tolist() == [1.9, 5.0, 1.7, 2.0]
    # Mean of both features: 1.05, 2.6, 0.95, 1.1.
    assert "On 3 of 4 days" in section.finding
    assert "2024-01-03 at 2.60, most of all slow at 5.00" in section.finding


def test_a_record_that_measured_drift_otherwise_says_so() -> None:
    data = PageData(frames_of(A=many_days(3)), SignalSettings(), COST)
    # Models of tests keep no reference of three-day stretches.
    assert "three-day stretches" in drift_section(data).missing
    for facts in ({}, {"format": 2}):
        known = {name: value for name, value in data.frames.facts.items() if name != "format"}
        older = replace(data.frames, facts=known | facts)
        section = drift_section(replace(data, frames=older))
        assert "older version" in section.missing
        assert "backtest again" in section.missing

"""Feature selection: what is dropped, when everything is kept, and which rows it may use."""

import dataclasses
import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals.dataset.features import feature_groups
from freqai_signals.dataset.rows import TrainingRows, pool_rows
from freqai_signals.dataset.splits import purged_tail
from freqai_signals.model.artefact import from_bytes, to_bytes
from freqai_signals.settings import SignalSettings
from freqai_signals.training.feature_selection import FeatureChoice, choose_features, sampled
from freqai_signals.training.fit import Boosters, Request, train
from tests.model_rows import make_rows, small


def wide(count: int = 3000, seed: int = 0) -> TrainingRows:
    """Features 0 and 1 are informative, 2 to 5 noise; then a constant, a copy and a noisy copy."""
    rows = make_rows(count, seed=seed)
    values = rows.features
    noisy = values[:, 0] + 0.05 * np.random.default_rng(seed + 1).normal(size=count)
    features = np.column_stack([values, np.full(count, 7.0), values[:, 0], noisy])
    names = (*rows.names, "%-constant", "%-copy", "%-alike")
    return dataclasses.replace(rows, features=features.astype(np.float32), names=names)


def settings(**selection: Any) -> SignalSettings:
    return small(selection={"enabled": True, "tolerance": 0.02, "gain_share": 0.6} | selection)


def choose(rows: TrainingRows, chosen: SignalSettings, before: tuple[str, ...] = ()) -> Any:
    return choose_features(rows, before, chosen)


def test_features_without_gain_are_dropped_and_informative_ones_kept() -> None:
    choice = choose(wide(), settings())
    assert "%-constant" in choice.dropped
    assert "%-f1" in choice.kept
    assert {"%-f0", "%-copy", "%-alike"} & set(choice.kept)
    assert len(set(choice.kept) & {"%-f2", "%-f3", "%-f4", "%-f5"}) <= 1
    assert choice.kept != wide().names
    assert set(choice.kept) | set(choice.dropped) == set(wide().names)
    assert choice.excess_bound is not None
    assert choice.excess_bound <= 0.02


def test_each_booster_keeps_what_it_needs() -> None:
    """Direction's gain is a hundredth of that of moves, yet its features stay."""
    rows = make_rows(4000)
    rng = np.random.default_rng(3)
    move, up = rng.random(len(rows)) < 0.5, rng.random(len(rows)) < 0.5
    label = np.where(move, np.where(up, 2, 0), 1).astype(np.int8)
    values = rng.normal(size=rows.features.shape)
    values[:, 0] += 5.0 * move
    values[:, 1] += 0.8 * (up - 0.5)
    chosen = dataclasses.replace(rows, label=label, features=values.astype(np.float32))
    choice = choose(
        chosen, small({"kind": "two_stage"}, selection={"enabled": True, "gain_share": 0.6})
    )
    assert {"%-f0", "%-f1"} <= set(choice.kept), choice.reason


def test_important_features_are_kept_even_if_the_choice_was_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The confirming rows chose nothing, so they reveal a wrong choice."""
    from freqai_signals.training import feature_selection

    wrong = np.isin(wide().names, ["%-f2", "%-f3"])
    monkeypatch.setattr(feature_selection._TrialModel, "important", lambda *_: wrong)
    choice = choose(wide(), settings())
    assert choice.kept == wide().names
    assert choice.reason.startswith("all are kept, without the ")
    assert choice.reason.endswith("+0.02000 is tolerated")
    assert choice.excess is not None
    assert choice.excess > 0.1


def test_too_few_rows_keep_all_with_the_reason() -> None:
    choice = choose(wide(300), settings())
    assert "%-f5" in choice.kept
    assert "all are kept, too few rows to split" in choice.reason
    assert "fewer than the minimum of 100" in choice.reason


def test_every_feature_has_a_group() -> None:
    chosen = SignalSettings()
    groups = feature_groups(chosen)
    assert set(groups.values()) == set(chosen.features.groups)
    assert all(name.startswith("%-") for name in groups)


# Inside a training


def test_selection_is_off_by_default_and_then_has_no_effect() -> None:
    assert not SignalSettings().selection.enabled
    model = train(Request(wide(), small()))
    assert model.names == wide().names
    assert model.card.selection == {}
    assert sum(model.card.groups.values()) == pytest.approx(1.0)


def test_a_model_of_fewer_features_is_stored_and_predicts_from_all_columns() -> None:
    rows = wide()
    model = train(Request(rows, settings()))
    # Two that tell something and the copies of one of them; at most one of noise.
    assert 2 <= len(model.names) <= 5
    assert model.card.features == len(model.names)
    assert model.card.selection["kept"] == len(model.names)
    assert "%-constant" in model.card.selection["dropped"]
    again = from_bytes(to_bytes(model))
    assert again.names == model.names
    assert again.card == dataclasses.replace(model.card)
    frame = pd.DataFrame(rows.features[:50], columns=list(rows.names))
    np.testing.assert_array_equal(
        again.predict(frame).probabilities, model.predict(frame).probabilities
    )
    assert model.predict(frame).trusted.mean() > 0.8


@pytest.mark.parametrize("threads", [2, 4])
def test_choosing_gives_the_same_bytes_for_any_number_of_threads_and_workers(
    kind: str, threads: int
) -> None:
    made = [
        to_bytes(
            train(
                Request(
                    wide(),
                    small(
                        {"kind": kind},
                        {"threads": count},
                        selection={"enabled": True, "tolerance": 0.02, "gain_share": 0.6},
                    ),
                ),
                boosters=Boosters(workers=count),
            )
        )
        for count in (1, threads)
    ]
    assert made[0] == made[1]


def test_the_hold_out_does_not_affect_the_selection() -> None:
    """A selection on the full window would change with the labels of its end."""
    rows = wide()
    past, tail = purged_tail(rows.start, rows.event_end, 0.2, 0)
    wrong = dataclasses.replace(
        rows, label=np.where(~past, (rows.label + 1) % 3, rows.label).astype(np.int8)
    )
    choices = [train(Request(each, settings())).card.selection for each in (rows, wrong)]
    assert choices[0] == choices[1]
    assert tail.any()


def test_confirming_rows_do_not_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their labels change what is confirmed, never which features are found important."""
    from freqai_signals.training import feature_selection

    rows = wide()
    last = rows.start > np.quantile(rows.start, 0.85)
    wrong = dataclasses.replace(
        rows, label=np.where(last, (rows.label + 1) % 3, rows.label).astype(np.int8)
    )
    seen: list[Any] = []
    monkeypatch.setattr(
        feature_selection,
        "_confirmed",
        lambda important, full, _: (
            seen.append(important.tolist()) or FeatureChoice(full.rows.names, "")
        ),
    )
    for each in (rows, wrong):
        choose(each, settings())
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert not all(seen[0])


def test_the_next_model_reports_the_jaccard_index_and_continues_the_history(
    caplog: pytest.LogCaptureFixture,
) -> None:
    everything = wide(4000, seed=4)
    first = int(everything.start[0])
    early = everything.take(everything.event_end < first + 3000)
    late = everything.take(everything.start >= first + 1000)
    before = train(Request(early, settings()))
    with caplog.at_level(logging.INFO):
        after = train(Request(late, settings(), before))
    assert before.card.selection["jaccard"] is None
    union, both = set(before.names) | set(after.names), set(before.names) & set(after.names)
    assert after.card.selection["jaccard"] == pytest.approx(len(both) / len(union))
    assert f"Jaccard {len(both) / len(union):.2f}" in caplog.text
    # Features differ, yet the earlier model's predictions of unseen rows join the history.
    other = train(Request(late, small(), before))
    assert other.names != before.names
    assert len(other.history.event_end) > len(before.history.event_end)


def test_the_sample_keeps_the_pairs_of_a_candle_together() -> None:
    rows = pool_rows([dataclasses.replace(make_rows(900), pairs=(name,)) for name in ("A", "B")])
    few = sampled(rows, 500)
    assert 300 <= len(few) <= 500
    assert (np.unique(few.start, return_counts=True)[1] == 2).all()
    assert sampled(rows, 10_000).digest() == rows.digest()


def test_columns_are_taken_by_name_and_missing_ones_are_named() -> None:
    rows = wide()
    two = rows.columns(("%-f3", "%-f0"))
    np.testing.assert_array_equal(two.features, rows.features[:, [3, 0]])
    assert rows.columns(rows.names) is rows
    with pytest.raises(ValueError, match="1 features are not in the rows, such as %-z"):
        rows.columns(("%-f0", "%-z"))

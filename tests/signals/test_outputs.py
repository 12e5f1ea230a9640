"""The contract's columns, from a stub model that returns its features as probabilities."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from freqai_signals.dataset.spread import UNKNOWN_SPREAD
from freqai_signals.metrics import Probabilities
from freqai_signals.model.calibration import Calibrator
from freqai_signals.model.card import ModelCard
from freqai_signals.model.ensemble import Head
from freqai_signals.model.reference import MarginReference, NoveltyReference
from freqai_signals.model.signal_model import Fit, SignalModel
from freqai_signals.model.trade_value import TradeValue
from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    DIRECTION_ERROR_COLUMN,
    EVENT_END_COLUMN,
    EXPECTED_RETURN_COLUMN,
    LABEL_COLUMN,
    MODEL_COLUMNS,
    MODEL_ID_COLUMN,
    PRIOR_COLUMNS,
    PROBA_COLUMNS,
    PROBA_MOVE_COLUMN,
    REALISED_RETURN_COLUMN,
    RETURN_SCALE_COLUMN,
    TRADE_COST_COLUMN,
    TRUST_COLUMN,
    VALUE_COLUMNS,
)
from freqai_signals.signals.outputs import complete_outputs, model_outputs, window_facts

NAMES = ("%-sell", "%-hold", "%-buy", "%-far")
COST = 0.002
SLOPE, SPREAD = 1.5, 0.0005
BUY, SELL, HOLD = (0.125, 0.25, 0.625), (0.75, 0.125, 0.125), (0.25, 0.5, 0.25)
ABSTAINS = [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]


@dataclass(frozen=True)
class Stated(Head):
    """Returns the first three features as probabilities."""

    def raw(self, features: NDArray[np.float32]) -> Probabilities:
        return features[:, :3].astype(np.float64)


def stating_model() -> SignalModel:
    """Margins are spread evenly over [0, 1]; ``%-far`` lies in [-1, 1] in training.

    With four features a row of ``%-far`` = 3 lies at distance (3 - 1) / 4 = 0.5, half way to the
    limit of 1.
    """
    fit = Fit(
        heads=(Stated("multiclass", ()),),
        calibrator=Calibrator(),
        margins=MarginReference(np.linspace(0.0, 1.0, 1001)),
        novelty=NoveltyReference(
            centre=np.array([0.5, 0.5, 0.5, 0.0], dtype=np.float32),
            half_width=np.array([0.5, 0.5, 0.5, 1.0], dtype=np.float32),
            usual=0.0,
            limit=1.0,
        ),
        prior=np.array([0.3, 0.5, 0.2]),
        value=TradeValue(SLOPE, square=1.0, square_move=2.0),
        spreads={"A/USDT": 0.0001, "B/USDT": SPREAD},
    )
    card = ModelCard(version="v1", key="0123456789abcdef")
    return SignalModel(card, names=NAMES, fit=fit)


MODEL = stating_model()


def features_of(*rows: tuple[float, float, float], far: float = 0.0) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(NAMES[:3]))
    return frame.assign(**{"%-far": far, RETURN_SCALE_COLUMN: 0.01})


def is_abstaining(outputs: pd.DataFrame) -> list[bool]:
    """Rows of class hold, (0, 1, 0), confidence 0, expected return 0 and ``do_predict`` 0."""
    same = outputs[list(MODEL_COLUMNS)].to_numpy() == np.array(ABSTAINS)
    return list(same.all(axis=1) & (outputs[TRUST_COLUMN] != 1).to_numpy())


def test_columns_are_those_of_the_contract_in_order() -> None:
    frame = features_of(BUY, SELL).set_index(pd.Index([7, 9]))
    outputs = model_outputs(MODEL, frame, COST)
    assert outputs.columns.tolist() == [*MODEL_COLUMNS, TRUST_COLUMN]
    assert outputs.index.tolist() == [0, 1]


def test_class_and_probabilities_are_the_models() -> None:
    outputs = model_outputs(MODEL, features_of(BUY, SELL, HOLD), COST)
    assert outputs[LABEL_COLUMN].tolist() == [2.0, 0.0, 1.0]
    assert outputs[list(PROBA_COLUMNS)].to_numpy().tolist() == [list(BUY), list(SELL), list(HOLD)]
    assert outputs[TRUST_COLUMN].tolist() == [1, 1, 1]


@pytest.mark.parametrize("model", [None, SignalModel(ModelCard(version="none", reason="few"))])
def test_without_a_fitted_model_every_row_abstains(model: SignalModel | None) -> None:
    assert is_abstaining(model_outputs(model, features_of(BUY, SELL), COST)) == [True, True]


@pytest.mark.parametrize("model", [None, MODEL])
def test_no_rows_give_no_outputs(model: SignalModel | None) -> None:
    outputs = model_outputs(model, features_of(BUY).iloc[:0], COST)
    assert outputs.columns.tolist() == [*MODEL_COLUMNS, TRUST_COLUMN]
    assert outputs.empty


def test_a_row_without_volume_is_not_trusted() -> None:
    outputs = model_outputs(MODEL, features_of(BUY, BUY), COST, np.array([False, True]))
    assert is_abstaining(outputs) == [True, False]


@pytest.mark.parametrize("scale", [np.nan, 0.0, -0.01])
def test_a_row_without_return_scale_is_not_trusted(scale: float) -> None:
    frame = features_of(BUY, BUY).assign(**{RETURN_SCALE_COLUMN: [scale, 0.01]})
    assert is_abstaining(model_outputs(MODEL, frame, COST)) == [True, False]


def test_a_frame_without_return_scale_is_not_trusted() -> None:
    frame = features_of(BUY).drop(columns=RETURN_SCALE_COLUMN)
    assert is_abstaining(model_outputs(MODEL, frame, COST)) == [True]


@pytest.mark.parametrize("far", [np.nan, np.inf, 6.0])
def test_rows_with_missing_or_novel_features_are_not_trusted(far: float) -> None:
    frame = features_of(BUY, BUY).assign(**{"%-far": [far, 0.0]})
    outputs = model_outputs(MODEL, frame, COST)
    assert is_abstaining(outputs) == [True, False]
    assert np.isfinite(outputs.to_numpy()).all()


def test_a_missing_feature_makes_every_row_abstain() -> None:
    assert is_abstaining(model_outputs(MODEL, features_of(BUY)[[*NAMES[:3]]], COST)) == [True]


@pytest.mark.parametrize(("far", "factor"), [(0.0, 1.0), (1.0, 1.0), (3.0, 0.5), (5.0, 0.0)])
def test_confidence_is_margin_percentile_times_novelty_factor(far: float, factor: float) -> None:
    """Margins 0.5, 0.625 and 0; the grid has steps of 0.001, one of which lies below 0.0005."""
    outputs = model_outputs(MODEL, features_of(BUY, SELL, HOLD, far=far), COST)
    expected = [0.5 * factor, 0.625 * factor, 0.0]
    np.testing.assert_allclose(outputs[CONFIDENCE_COLUMN], expected, atol=0.001)
    assert outputs[TRUST_COLUMN].tolist() == [1, 1, 1]


def test_confidence_is_the_share_of_reference_margins_below() -> None:
    """Ten of 1001 reference margins are below 0.5, all are below 0.625."""
    assert MODEL.fit is not None
    quantiles = np.repeat([0.4, 0.6], [10, 991])
    fit = replace(MODEL.fit, margins=MarginReference(quantiles))
    outputs = model_outputs(replace(MODEL, fit=fit), features_of(BUY, SELL), COST)
    np.testing.assert_allclose(outputs[CONFIDENCE_COLUMN], [10 / 1001, 1.0])


def test_expected_return_is_in_units_of_each_rows_scale_and_after_costs() -> None:
    """A buy moves (0.625 - 0.125) * 44/45 scales up, a sell (0.75 - 0.125) * 44/45 down."""
    frame = features_of(BUY, BUY, SELL, HOLD)
    frame[RETURN_SCALE_COLUMN] = [0.01, 0.03, 0.01, 0.01]
    outputs = model_outputs(MODEL, frame, COST)
    expected = [
        0.5 * SLOPE * 0.01 - COST - SPREAD,
        0.5 * SLOPE * 0.03 - COST - SPREAD,
        0.625 * SLOPE * 0.01 - COST - SPREAD,
        0.0,
    ]
    np.testing.assert_allclose(outputs[EXPECTED_RETURN_COLUMN], expected, rtol=1e-9)


def test_a_row_alone_gets_the_same_outputs_as_in_a_batch() -> None:
    frame = features_of(BUY, SELL, HOLD).assign(**{"%-far": [0.0, np.nan, 3.0]})
    together = model_outputs(MODEL, frame, COST)
    for row in range(3):
        alone = model_outputs(MODEL, frame.iloc[[row]], COST)
        pd.testing.assert_frame_equal(alone, together.iloc[[row]].reset_index(drop=True))


@pytest.mark.parametrize(
    ("pair", "spread"), [("A/USDT", 0.0001), ("B/USDT", SPREAD), ("C", SPREAD)]
)
def test_a_trade_pays_its_pairs_spread_and_an_unknown_pair_the_widest(
    pair: str, spread: float
) -> None:
    outputs = model_outputs(MODEL, features_of(BUY), COST, pair=pair)
    expected = 0.5 * SLOPE * 0.01 - COST - spread
    assert outputs[EXPECTED_RETURN_COLUMN].tolist() == pytest.approx([expected])
    assert window_facts(MODEL, pair, COST)[TRADE_COST_COLUMN] == pytest.approx(COST + spread)


def test_where_no_pairs_spread_is_known_a_wide_one_is_assumed() -> None:
    assert MODEL.fit is not None
    assert replace(MODEL.fit, spreads={}).spread("A/USDT") == UNKNOWN_SPREAD


def test_without_a_proven_edge_the_expected_return_is_minus_the_cost() -> None:
    assert MODEL.fit is not None
    model = replace(MODEL, fit=replace(MODEL.fit, value=TradeValue()))
    outputs = model_outputs(model, features_of(BUY, SELL, HOLD), COST, pair="A/USDT")
    assert outputs[EXPECTED_RETURN_COLUMN].tolist() == [-COST - 0.0001, -COST - 0.0001, 0.0]


def test_without_a_direction_no_row_has_confidence() -> None:
    """Margins of a ten-millionth once had the percentiles that large ones have."""
    assert MODEL.fit is not None
    none = Calibrator("direction_shrink", ((0.0, 0.0, math.inf, 0.3),))
    margins = MarginReference.of(none(np.random.default_rng(0).dirichlet((1, 1, 1), 500)))
    model = replace(MODEL, fit=replace(MODEL.fit, calibrator=none, margins=margins))
    outputs = model_outputs(model, features_of(BUY, SELL, HOLD), COST)
    assert (outputs["proba_buy"] == outputs["proba_sell"]).all()
    assert outputs[CONFIDENCE_COLUMN].tolist() == [0.0, 0.0, 0.0]


def test_window_facts_are_priors_value_cost_and_the_key() -> None:
    facts = window_facts(MODEL, "A/USDT", COST)
    assert [facts[name] for name in PRIOR_COLUMNS] == [0.3, 0.5, 0.2]
    assert [facts[name] for name in VALUE_COLUMNS] == [SLOPE, 1.0, 2.0]
    assert facts[TRADE_COST_COLUMN] == pytest.approx(COST + 0.0001)
    assert f"{int(facts[MODEL_ID_COLUMN]):012x}" == "0123456789ab"


def test_the_largest_model_id_is_exact_as_a_float() -> None:
    model = SignalModel(ModelCard(version="v", key="f" * 64))
    assert int(window_facts(model)[MODEL_ID_COLUMN]) == 2**48 - 1


@pytest.mark.parametrize("model", [None, SignalModel(ModelCard(version="none", reason="few"))])
def test_window_facts_are_zero_without_a_model(model: SignalModel | None) -> None:
    facts = window_facts(model)
    others = (DIRECTION_ERROR_COLUMN, TRADE_COST_COLUMN, MODEL_ID_COLUMN)
    assert set(facts) == {*PRIOR_COLUMNS, *VALUE_COLUMNS, *others}
    assert set(facts.values()) == {0.0}


def test_rows_that_freqai_filled_with_zeros_become_holds_that_abstain() -> None:
    """Class 0 would be a sell, and probabilities of 0 no probabilities."""
    outputs = model_outputs(MODEL, features_of(BUY, SELL), COST)
    frame = pd.concat([outputs * 0, outputs], ignore_index=True)
    completed = complete_outputs(frame)
    assert is_abstaining(completed) == [True, True, False, False]
    pd.testing.assert_frame_equal(
        completed.iloc[2:].reset_index(drop=True)[list(outputs.columns)], outputs, check_dtype=False
    )


@pytest.mark.parametrize("trust", [2, 3, -1, 0, np.nan])
def test_expired_and_incomplete_rows_abstain_and_keep_do_predict(trust: float) -> None:
    outputs = model_outputs(MODEL, features_of(BUY), COST).assign(**{TRUST_COLUMN: trust})
    completed = complete_outputs(outputs)
    assert is_abstaining(completed) == [True]
    np.testing.assert_array_equal(completed[TRUST_COLUMN], [trust])


@pytest.mark.parametrize("trust", [0, 1])
def test_missing_columns_are_added_as_holds(trust: int) -> None:
    frame = pd.DataFrame({"close": [1.0, 2.0], TRUST_COLUMN: trust})
    completed = complete_outputs(frame)
    assert completed[list(MODEL_COLUMNS)].to_numpy().tolist() == [ABSTAINS, ABSTAINS]
    assert completed["close"].tolist() == [1.0, 2.0]


def test_a_frame_without_do_predict_abstains() -> None:
    outputs = model_outputs(MODEL, features_of(BUY), COST).drop(columns=TRUST_COLUMN)
    completed = complete_outputs(outputs)
    assert completed[TRUST_COLUMN].tolist() == [0]
    assert is_abstaining(completed) == [True]


def test_means_deviations_and_live_labels_are_dropped() -> None:
    outputs = model_outputs(MODEL, features_of(BUY), COST)
    named = [f"{name}_{what}" for name in MODEL_COLUMNS for what in ("mean", "std")]
    more = dict.fromkeys([*named, EVENT_END_COLUMN, REALISED_RETURN_COLUMN], 0.0)
    assert set(complete_outputs(outputs.assign(**more, close=1.0))) == {
        *outputs.columns,
        PROBA_MOVE_COLUMN,
        "close",
    }


def test_the_frame_is_not_modified() -> None:
    frame = model_outputs(MODEL, features_of(BUY), COST).assign(**{TRUST_COLUMN: 0})
    before = frame.copy()
    complete_outputs(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_a_move_is_as_likely_as_no_hold_and_never_where_the_model_abstains() -> None:
    outputs = model_outputs(MODEL, features_of(BUY), COST)
    trusted = complete_outputs(outputs)
    assert (trusted[PROBA_MOVE_COLUMN] == 1.0 - trusted["proba_hold"]).all()
    assert trusted[PROBA_MOVE_COLUMN].iloc[0] > 0
    abstaining = complete_outputs(outputs.assign(do_predict=0))
    assert (abstaining[PROBA_MOVE_COLUMN] == 0.0).all()

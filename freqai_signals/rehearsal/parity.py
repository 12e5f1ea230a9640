"""Parity: whether live decisions equal those over the full history with the same models."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

import numpy as np
import pandas as pd

from freqai_signals.dataset.features.cache import FeatureCache
from freqai_signals.dataset.pair_tables import add_labels
from freqai_signals.live.decision_log import CANDLE_COLUMNS, LiveRow
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.schema import (
    DECISION_COLUMNS,
    DECISION_SIGNAL_COLUMN,
    INCOMPLETE_MARKET,
    MODEL_COLUMNS,
    REASON_COLUMN,
    RETURN_SCALE_COLUMN,
    TRUST_COLUMN,
    SignalClass,
)
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.decide import NO_SIGNAL, PairContext, decide
from freqai_signals.signals.outputs import (
    complete_outputs,
    model_outputs,
    window_facts,
)

TOLERANCE: Final = 1e-9
"""Largest difference of a float that counts as equal; decisions must be equal exactly."""

ABSTAINING: Final = (2, INCOMPLETE_MARKET)
"""``do_predict`` of an expired model and of a market that lacks a candle, which no history shows:
only that the bot abstained is compared."""


@dataclass(frozen=True)
class Mismatch:
    """One live value that differs from the history's, and the most likely cause."""

    pair: str
    date: str
    column: str
    live: float | str
    expected: float | str
    cause: str


@dataclass(frozen=True)
class Parity:
    """Result of a comparison.

    Attributes
    ----------
    candles
        Live candles compared.
    predicted
        Those of them that a model predicted.
    models
        Different models among them.
    mismatches
        Every value that differs.
    expected
        Pair to the frame from the history: candles, model columns, decisions.
    lost
        Candles predicted by models that nobody has any more; see :class:`History`.
    """

    candles: int
    predicted: int
    models: int
    mismatches: tuple[Mismatch, ...]
    expected: Mapping[str, pd.DataFrame]
    lost: int = 0

    @property
    def share(self) -> float:
        """Share of candles without any mismatch; 1 if there are no candles."""
        different = len({(item.pair, item.date) for item in self.mismatches})
        return 1.0 - different / self.candles if self.candles else 1.0

    def as_dict(self) -> dict[str, Any]:
        """JSON values: counts, causes, and every mismatch."""
        return {
            "candles": self.candles,
            "predicted": self.predicted,
            "models": self.models,
            "share": self.share,
            "lost": self.lost,
            "causes": dict(Counter(item.cause for item in self.mismatches)),
            "mismatches": [asdict(item) for item in self.mismatches],
        }


@dataclass(frozen=True)
class History:
    """Inputs of the comparison.

    Attributes
    ----------
    candles
        Pair to its base candles without holes, from long before the first live candle on.
    settings
        Those of the bot.
    stops
        Pair to the candle numbers in which its trades were stopped out.
    model
        Finds the model whose key begins with the recorded 48 bits; None where it is gone.
    own_rules
        Whether a strategy of the user's decided. Then its decisions stand as recorded, and what is
        compared are the model's columns, which those rules read.
    market
        The pool; empty where it is all pairs of ``candles``.
    lost
        Versions that could never be stored, since the bot ended while the disk was full. What they
        predicted stands as recorded, and only what was decided from it is compared.
    """

    candles: Mapping[str, pd.DataFrame]
    settings: SignalSettings
    stops: Mapping[str, Sequence[int]]
    model: Callable[[int], SignalModel | None]
    own_rules: bool = False
    market: tuple[str, ...] = ()
    lost: frozenset[str] = frozenset()

    def has_lost(self, number: int) -> bool:
        """Whether the model whose key begins with these 48 bits is one of those."""
        # A version ends with ten digits of the key.
        end = f"-{number:012x}"[:11]
        return bool(number) and any(version.endswith(end) for version in self.lost)


def compare(live: Iterable[LiveRow], history: History) -> Parity:
    """Compare every live candle with the history.

    Parameters
    ----------
    live
        The bot's rows, in the order of writing. Where it decided a candle more than once, each
        decision is compared; the last one counts for the decisions that follow.
    history
        Candles, settings and models.

    Returns
    -------
    Parity
        A candle's reference uses candles up to its close, the row's model (which is the one that
        the ledger names, see ``ledger_view``), and, for the decision, the reference rows before it.
    """
    rows: dict[str, dict[str, list[LiveRow]]] = {}
    for row in live:
        rows.setdefault(row.pair, {}).setdefault(row.date, []).append(row)
    market = history.market or tuple(sorted(history.candles))
    features = FeatureCache(history.settings, market)
    mismatches: list[Mismatch] = []
    expected: dict[str, pd.DataFrame] = {}
    for pair, by_date in rows.items():
        # The last decisions first, then those before them among the last ones of other candles.
        for place in range(max(map(len, by_date.values()))):
            chosen = {date: found[max(-1 - place, -len(found))] for date, found in by_date.items()}
            frame = _expected(pair, chosen, features, history)
            expected.setdefault(pair, frame)
            compared = [chosen[date] for date, found in by_date.items() if place < len(found)]
            mismatches += _mismatches(compared, frame, history)
    recorded = [found for by_date in rows.values() for found in by_date.values()]
    return Parity(
        candles=len(recorded),
        predicted=sum(found[-1].trust == 1 for found in recorded),
        models=len({row.model for found in recorded for row in found} - {0}),
        mismatches=tuple(mismatches),
        expected=expected,
        lost=sum(history.has_lost(_serving(found[-1])) for found in recorded),
    )


def _expected(
    pair: str, live: Mapping[str, LiveRow], features: FeatureCache, history: History
) -> pd.DataFrame:
    """Model columns and decisions of the live candles, from the full history."""
    candles = history.candles[pair]
    table = features.compute(pair, candles, lambda name, first: history.candles[name])
    # The bot's own: the fee of its exchange stands in no config.
    cost = next(iter(live.values())).cost
    labelled = add_labels(candles, history.settings, cost)
    table = table.assign(**{RETURN_SCALE_COLUMN: labelled[RETURN_SCALE_COLUMN].to_numpy()})
    dates = candles["date"].map(lambda date: date.isoformat())
    # ISO texts of one zone sort like their times.
    inside = dates.between(min(live), max(live)).to_numpy()
    frame = candles[inside]
    ids = np.array([_serving(live.get(date)) for date in dates[inside]])
    parts = []
    # Each model predicts the candles that it predicted live.
    for number in np.unique(ids):
        chosen = frame.index[ids == number]
        if history.has_lost(int(number)):
            parts.append(_as_recorded([live[date] for date in dates[chosen]], chosen))
            continue
        model = history.model(int(number)) if number else None
        outputs = model_outputs(
            model,
            table.loc[chosen],
            cost,
            frame.loc[chosen, "volume"].to_numpy() > 0,
            pair,
        )
        parts.append(outputs.assign(**window_facts(model, pair, cost)).set_index(chosen))
    completed = complete_outputs(pd.concat([frame, pd.concat(parts).sort_index()], axis=1))
    frame = completed.reset_index(drop=True)
    context = PairContext(history.settings.candle_seconds, tuple(history.stops.get(pair, ())))
    if history.own_rules:
        return pd.concat([frame, _recorded(frame, live)], axis=1)
    decided = decide(frame, history.settings.decision, context)
    return pd.concat([frame, decided], axis=1)


def _as_recorded(rows: Sequence[LiveRow], index: pd.Index) -> pd.DataFrame:
    columns = [{**row.values, TRUST_COLUMN: row.trust, **row.facts} for row in rows]
    return pd.DataFrame(columns, index=index)


def _recorded(frame: pd.DataFrame, live: Mapping[str, LiveRow]) -> pd.DataFrame:
    """What the bot decided on each candle; nothing where it was down."""
    rows = [live.get(date.isoformat()) for date in frame["date"]]
    signal = np.array([NO_SIGNAL if row is None else row.signal for row in rows], dtype=np.int8)
    emitted = np.isin(signal, (SignalClass.BUY, SignalClass.SELL))
    columns = (
        signal,
        emitted.astype(np.int8),
        np.array(["" if row is None else row.reason for row in rows], dtype=object),
        np.full(len(rows), "", dtype=object),
    )
    return pd.DataFrame(dict(zip(DECISION_COLUMNS, columns, strict=True)), index=frame.index)


def _serving(row: LiveRow | None) -> int:
    """The model that predicted a candle: none while the bot was down or had to abstain."""
    return 0 if row is None or row.trust in ABSTAINING else row.model


def _mismatches(
    live: Sequence[LiveRow], expected: pd.DataFrame, history: History
) -> list[Mismatch]:
    by_date = expected.set_index(expected["date"].map(lambda date: date.isoformat()))
    found = []
    for row in live:
        if row.date not in by_date.index:
            found.append(Mismatch(row.pair, row.date, "date", row.date, "", "no such candle"))
            continue
        found += _row_mismatches(row, cast("pd.Series[Any]", by_date.loc[row.date]), history)
    return found


def _row_mismatches(row: LiveRow, expected: "pd.Series[Any]", history: History) -> list[Mismatch]:
    wanted = {name: float(expected[name]) for name in MODEL_COLUMNS}
    wrong: list[tuple[str, float | str, float | str]] = [
        (name, row.values[name], value)
        for name, value in wanted.items()
        # Written so that NaN counts as a difference.
        if not abs(row.values[name] - value) <= TOLERANCE
    ]
    trust = int(expected[TRUST_COLUMN])
    if row.trust not in (trust, *ABSTAINING):
        wrong.append((TRUST_COLUMN, row.trust, trust))
    if row.signal != int(expected[DECISION_SIGNAL_COLUMN]):
        wrong.append((DECISION_SIGNAL_COLUMN, row.signal, int(expected[DECISION_SIGNAL_COLUMN])))
    if row.reason != expected[REASON_COLUMN]:
        wrong.append((REASON_COLUMN, row.reason, str(expected[REASON_COLUMN])))
    if not wrong:
        return []
    cause = _cause(row, expected, {name for name, _, _ in wrong}, history)
    return [Mismatch(row.pair, row.date, *values, cause) for values in wrong]


def _cause(row: LiveRow, expected: "pd.Series[Any]", wrong: set[str], history: History) -> str:
    # From the input on: another candle explains everything that follows from it.
    if row.candle != tuple(float(expected[name]) for name in CANDLE_COLUMNS):
        return "the bot had another candle"
    if _serving(row) and history.model(row.model) is None:
        return "the model is not in the store any more"
    if wrong & {*MODEL_COLUMNS, TRUST_COLUMN}:
        return "the features differ"
    return "the decision depends on other earlier signals"

"""The test of live quality in a running bot: of a pool, or of each pair with a model of its own."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, astuple, replace
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.drift.monitors import DriftState
from freqai_signals.drift.quality_reference import (
    QualityReference,
    candle_values,
    why_not_tested,
)
from freqai_signals.drift.sequential import QualityDay, QualityState, quality_day, states_after
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.live.ledger_client import LiveLedger
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.schema import PROBA_COLUMNS
from freqai_signals.settings import SignalSettings

logger = logging.getLogger(__name__)

_LOOKS_A_DAY: Final = 8
_FIRST_DAYS: Final = 7
_KEPT_DAYS: Final = 400
# Outcomes of a bot that was away come later: its newest days are judged again.
_OPEN_DAYS: Final = 2
_PRIORS: Final = ["prior_sell", "prior_hold", "prior_buy"]


class PoolQuality:
    """Days judged so far, and the state of the tests after them.

    All follows from the ledger's rows and from the stored days: a bot that was restarted goes on as
    if it had not been, and bots that share model and ledger come to the same state.

    Parameters
    ----------
    scope
        ``pool``, or a pair with a model of its own.
    settings
        Candle length and horizon.
    ledger
        Where outcomes and days are; without one nothing is tested.
    """

    def __init__(self, scope: str, settings: SignalSettings, ledger: LiveLedger) -> None:
        self.days: list[QualityDay] = []
        self._scope = scope
        self._settings = settings
        self._ledger = ledger
        self._references: dict[str, QualityReference] = {}
        # Of each version the last day on which it served, and the first that it did not see whole.
        self._models: dict[str, tuple[int, int]] = {}
        self._restored = False
        self._looked = -1
        self._noted = ""
        self._stored = ""
        # Of each day that may still get outcomes: what so many rows of these models say of it.
        self._read: dict[int, tuple[list[str], int, QualityDay | None]] = {}
        self._summed: list[QualityDay] = []
        self._states: dict[str, QualityState] = {}

    def update(self, model: SignalModel | None, candle: int) -> list[Entry]:
        """Judge the days that are over; what is to be written, if anything changed.

        Parameters
        ----------
        model
            The one that serves now.
        candle
            Number of the newest closed candle; outcomes of a day are known a horizon after it.
        """
        every = max(self._settings.candles_per_day // _LOOKS_A_DAY, 1)
        if not (self._settings.drift.enabled and self._ledger.enabled):
            return []
        self._note(model)
        # At every candle, since models may take turns between two looks.
        self._remember(model, candle)
        # A pair that lags, or was halted long ago, must not take back what was judged since.
        if candle // every <= self._looked or not self._restore():
            return []
        last = (candle + 1 - self._settings.label_horizon_candles) // self._settings.candles_per_day
        # Also where the ledger is away: asking at every candle would keep it from the pairs.
        self._looked = candle // every
        days = self._judged(last - 1)
        if days is None:
            return []
        self.days = days
        self._forget(candle)
        text = self._to_json()
        if text == self._stored:
            return []
        self._stored = text
        return [self._ledger.counters({f"quality {self._scope}": text})]

    def states(self, version: str) -> tuple[DriftState, ...]:
        """State of each test, for health; see :meth:`QualityState.is_over` for ``version``."""
        if not self.days or version not in self._models:
            return ()
        _, trained = self._models[version]
        # Every pair asks at every candle, and the days change once a day.
        if self._summed is not self.days:
            self._summed, self._states = self.days, states_after(self.days)
        return tuple(
            DriftState(
                f"live {name}",
                state.alarm and not state.is_over(trained),
                _detail(name, state.since),
            )
            for name, state in self._states.items()
        )

    def _remember(self, model: SignalModel | None, candle: int) -> None:
        if model is None:
            return
        version, per_day = model.card.version, self._settings.candles_per_day
        self._models[version] = (candle // per_day, (model.trained_until + 1) // per_day)
        if model.drift is not None and model.drift.quality is not None:
            self._references[version] = model.drift.quality

    def _forget(self, candle: int) -> None:
        """Drop models of which no day will be judged again."""
        again = [day.day for day in self.days[-_OPEN_DAYS:]]
        # A day is judged a horizon after its end.
        oldest = min([candle // self._settings.candles_per_day - _OPEN_DAYS - 2, *again])
        self._models = {name: m for name, m in self._models.items() if m[0] >= oldest}
        self._references = {n: r for n, r in self._references.items() if n in self._models}

    def _note(self, model: SignalModel | None) -> None:
        """Log once a model what cannot be tested."""
        if model is None or model.fit is None or model.card.version == self._noted:
            return
        self._noted = model.card.version
        reference = model.drift.quality if model.drift is not None else None
        for reason in why_not_tested(
            reference, model.holdout.start, self._settings.candles_per_day
        ):
            logger.warning("Live quality of %s, model %s: %s", self._scope, self._noted, reason)

    def _restore(self) -> bool:
        if not self._restored:
            text = self._ledger.counter(f"quality {self._scope}")
            if text is None:
                return False
            self._restored = True
            try:
                self._from_json(text or '{"days": [], "references": {}}')
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                logger.warning("The stored live quality of %s begins again: %r", self._scope, error)
        return True

    def _judged(self, last: int) -> list[QualityDay] | None:
        """All days up to ``last``, the newest ones judged again; None if the ledger is away."""
        kept = [day for day in self.days[:-_OPEN_DAYS] if day.day <= last]
        before = {day.day: day for day in self.days[-_OPEN_DAYS:] if day.day <= last}
        # While a bot is away for longer it predicts nothing.
        first = max(last - _FIRST_DAYS, *before, -1) + 1
        per_day, seconds = self._settings.candles_per_day, self._settings.candle_seconds
        pair = "" if self._settings.model.pool == "whitelist" else self._scope
        versions = sorted(self._references)
        for day in (*before, *range(first, last + 1)):
            since, until = (number * per_day * seconds for number in (day, day + 1))
            models, known, judged = self._read.get(day, ([], -1, None))
            question = partial(
                _judged_rows, models=versions, since=since, until=until, pair=pair,
                known=known if models == versions else -1,
            )  # fmt: skip
            # A day at a time: all of them at once could take longer than a bot waits for.
            answer = self._ledger.ask(question, None)
            if answer is None:
                return None
            if (rows := answer[0]) is not None:
                rows = rows.assign(number=rows["candle"].to_numpy(np.int64) // seconds)
                values = {str(v): _values(part) for v, part in rows.groupby("model_version")}
                judged = quality_day(day, values, self._references, per_day)
                self._read[day] = versions, len(rows), judged
            if judged is not None:
                _, trained = self._models.get(judged.version, (0, 0))
                kept.append(replace(judged, trained=trained))
            elif day in before:
                kept.append(before[day])
        oldest = last - _FIRST_DAYS - _OPEN_DAYS
        self._read = {day: read for day, read in self._read.items() if day >= oldest}
        return kept[-_KEPT_DAYS:]

    def _to_json(self) -> str:
        references = {name: asdict(found) for name, found in self._references.items()}
        days = [astuple(day) for day in self.days]
        return json.dumps({"days": days, "references": references, "models": self._models})

    def _from_json(self, text: str) -> None:
        given: Mapping[str, Any] = json.loads(text)
        self.days = [
            QualityDay(int(day), str(version), float(skill), float(direction), *map(int, trained))
            for day, version, skill, direction, *trained in given["days"]
        ]
        references = {
            str(name): QualityReference(**values) for name, values in given["references"].items()
        }
        models = {
            str(name): (int(served), int(trained))
            for name, (served, trained) in given.get("models", {}).items()
        }
        self._references, self._models = references | self._references, models | self._models


def _judged_rows(ledger: Ledger, **wanted: Any) -> tuple[pd.DataFrame | None]:
    # In a tuple: None alone is the answer of a ledger that is away.
    return (ledger.judged(**wanted),)


def _values(rows: pd.DataFrame) -> pd.DataFrame:
    return candle_values(
        rows["number"].to_numpy(np.int64),
        rows["realised"].to_numpy(np.int8),
        rows["moved"].to_numpy(np.float64),
        rows[list(PROBA_COLUMNS)].to_numpy(np.float64),
        rows[_PRIORS].to_numpy(np.float64),
    )


def _detail(name: str, since: int) -> str:
    date = pd.Timestamp(since * 86_400, unit="s")
    lost = "half of what it was on the hold-out or less" if name == "skill" else "turned or lost"
    return f"{lost}, found on {date:%Y-%m-%d}"

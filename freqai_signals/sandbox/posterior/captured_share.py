"""Share of the attainable skill that the predictions of a backtest reach in a simulated market."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.barriers import LabelRule, barrier_width
from freqai_signals.sandbox.market.market_files import MANIFEST, Market
from freqai_signals.sandbox.market.spec import MarketSpec
from freqai_signals.sandbox.posterior.barrier_posterior import SimulatedPosterior, barrier_posterior
from freqai_signals.sandbox.posterior.horizon_posterior import horizon_posterior, latent_state
from freqai_signals.sandbox.posterior.skill_share import SkillShare, share_of_attainable_skill
from freqai_signals.schema import PROBA_COLUMNS
from freqai_signals.settings import SignalSettings

_ROWS_PER_PAIR: Final = 1500


def open_market(folder: Path) -> Market | None:
    """The simulated market whose exact posterior is known; None if the folder holds none.

    Also None for a market of another format, and for one whose dynamics change.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        values = dict(manifest["spec"])
        values |= {"pairs": tuple(values["pairs"]), "start": date.fromisoformat(values["start"])}
        spec = MarketSpec(**values)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    same = all(manifest.get(key) == value for key, value in _as_json(spec).items())
    return Market(folder, spec) if same and not spec.break_day else None


def captured_share(
    market: Market, rows: Mapping[str, pd.DataFrame], settings: SignalSettings, cost: float
) -> SkillShare:
    """Skill of predictions next to that of the exact class posterior, on the same rows.

    Parameters
    ----------
    market
        Whose candles were predicted.
    rows
        Pair to its scored rows: ``date``, probabilities, ``outcome`` and class priors. At most
        1,500 evenly spaced rows a pair take part: a triple barrier's posterior is simulated.
    settings
        Label kind, its parameters and the horizon.
    cost
        Round-trip cost the labels were made with, a fraction.
    """
    shares = [
        _share_of_pair(market, pair, frame, settings, cost)
        for pair, frame in rows.items()
        if len(frame)
    ]
    weights = [share.rows for share in shares]
    return SkillShare(
        model=float(np.average([share.model for share in shares], weights=weights)),
        attainable=float(np.average([share.attainable for share in shares], weights=weights)),
        rows=sum(weights),
    )


def _share_of_pair(
    market: Market, pair: str, frame: pd.DataFrame, settings: SignalSettings, cost: float
) -> SkillShare:
    candles = market.candles(pair)
    # Ceiling division: at most so many rows.
    chosen = frame.iloc[:: -(-len(frame) // _ROWS_PER_PAIR)]
    place = pd.DatetimeIndex(candles["date"]).get_indexer(pd.DatetimeIndex(chosen["date"]))
    chosen, place = chosen[place >= 0], place[place >= 0].astype(np.int64)
    close = candles["close"].to_numpy(np.float64)
    rule = LabelRule.of(settings, cost)
    width = barrier_width(close, rule)[place]
    state = latent_state(market, pair, place)
    best: NDArray[np.float64] | SimulatedPosterior
    if rule.settings.kind == "triple_barrier":
        best = barrier_posterior(state, width, rule.horizon)
    else:
        best = horizon_posterior(state, width, rule.horizon)
    return share_of_attainable_skill(
        chosen[list(PROBA_COLUMNS)].to_numpy(np.float64),
        best,
        chosen["outcome"].to_numpy(np.int64),
        chosen[["prior_sell", "prior_hold", "prior_buy"]].to_numpy(np.float64).mean(axis=0),
    )


def _as_json(spec: MarketSpec) -> dict[str, object]:
    return dict(json.loads(json.dumps(spec.as_json())))

"""A part of a backtest: one pair, one tier of confidence."""

from dataclasses import replace

import numpy as np

from freqai_signals.report.data.backtest_record import Run
from freqai_signals.report.data.frames import SignalFrames
from freqai_signals.schema import CONFIDENCE_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.strength import Strength, strengths


def select(run: Run, pair: str = "", tier: str = "") -> Run:
    """The rows of one pair or of one tier; empty text takes all.

    Raises
    ------
    ValueError
        If the backtest has no such pair; the message names those that it has.
    """
    if pair:
        _check(pair, list(run.frames))
        parts = (run.frames, run.features, run.shifts)
        chosen = [{name: part[name] for name in part if name == pair} for part in parts]
        run = Run(run.facts | {"pairs": [pair]}, *chosen)
    if not tier:
        return run
    level, decision = Strength[tier.upper()], run.settings.decision
    frames = {
        name: frame[strengths(frame[CONFIDENCE_COLUMN].to_numpy(np.float64), decision) == level]
        for name, frame in run.frames.items()
    }
    return replace(run, frames=frames, facts=run.facts | {"tier": tier})


def select_trades(frames: SignalFrames, tier: str = "") -> SignalFrames:
    """Frames whose trades are only those of one tier, by freqtrade's entry tag."""
    if not tier:
        return frames
    mine = frames.trades["enter_tag"].astype(str).str.endswith(f"_{tier}")
    return replace(frames, trades=frames.trades[mine].reset_index(drop=True))


def select_frames(frames: SignalFrames, pair: str = "", tier: str = "") -> SignalFrames:
    """The same choice in frames, for a ledger.

    Raises
    ------
    ValueError
        If there is no such pair.
    """
    if pair:
        _check(pair, [str(name) for name in frames.predictions["pair"].cat.categories])
        frames = replace(
            frames,
            **{
                name: table[table["pair"] == pair].assign(
                    # A category that is left over would be shown as a pair without rows.
                    pair=lambda rows: rows["pair"].astype("category").cat.set_categories([pair])
                )
                for name in ("predictions", "outcomes", "signals")
                for table in (getattr(frames, name),)
            },
            trades=frames.trades[frames.trades["pair"] == pair].reset_index(drop=True),
        )
    if not tier:
        return frames
    settings = SignalSettings.model_validate(frames.facts["settings"])
    confidence = frames.predictions["confidence"].to_numpy(np.float64)
    mine = strengths(confidence, settings.decision) == Strength[tier.upper()]
    kept = frames.predictions.index[mine]
    return replace(
        frames,
        facts={**frames.facts, "tier": tier},
        predictions=frames.predictions.loc[kept],
        outcomes=frames.outcomes.loc[frames.outcomes.index.intersection(kept)],
        signals=frames.signals.loc[frames.signals.index.intersection(kept)],
    )


def _check(pair: str, known: list[str]) -> None:
    if pair not in known:
        raise ValueError(f"--pair {pair}: there are {', '.join(known) or 'none'}; name one of them")

"""A day of one bot in a few words, and how good it has been lately."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import pandas as pd

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.live.health import Level
from freqai_signals.metrics import candle_means, mean_test

_DAY: Final = 86_400
_WEEK: Final = 7


def skill_with_error(scored: pd.DataFrame) -> tuple[float, float]:
    """Live skill against the class prior and its standard error, fractions; NaN without rows.

    The error allows for serial dependence (:func:`~freqai_signals.metrics.mean_test`); it is
    infinite where the rows cover too few days to know.

    Parameters
    ----------
    scored
        Rows of :meth:`~freqai_signals.ledger.ledger.Ledger.scored`.
    """
    if scored.empty:
        return float("nan"), float("nan")
    gain = (scored["prior_loss"] - scored["loss"]).to_numpy(np.float64)
    candle = scored["candle"].to_numpy(np.int64)
    prior = float(scored["prior_loss"].astype(float).mean())
    test = mean_test(candle_means(candle, gain), float(np.ptp(candle)) / _DAY)
    return test.mean / prior, test.standard_error / prior


def skill_text(scored: pd.DataFrame) -> str:
    """The same for people."""
    if scored.empty:
        return "no live row is scored yet"
    skill, error = skill_with_error(scored)
    about = f" ± {100 * error:.1f} %" if np.isfinite(error) else " (too few days for its error)"
    return f"{100 * skill:+.1f} %{about} on {len(scored)} live rows"


def daily_summary(
    ledger: Ledger, bot: str, day: int, levels: Mapping[str, Level], serving: Collection[str]
) -> str:
    """A day's signals and outcomes, the week's skill, levels and what serves, as one message.

    Parameters
    ----------
    ledger
        Of the bot.
    bot
        Its name there.
    day
        Days since 1970, UTC.
    levels
        Pair to its level now.
    serving
        Versions that serve now.
    """
    start = day * _DAY
    signals, found = ledger.signals(), ledger.scored(start - (_WEEK - 1) * _DAY)
    signals = signals[(signals["bot"] == bot) & (signals["candle"] // _DAY == day)]
    kinds = Counter(signals["signal"])
    week = found[found["bot"] == bot]
    counts = Counter(str(level) for level in levels.values())
    shown = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    return (
        f"daily summary of {pd.Timestamp(start, unit='s'):%Y-%m-%d}: {kinds['buy']} buy and "
        f"{kinds['sell']} sell signals; skill of the last {_WEEK} days {skill_text(week)}; "
        f"levels: {shown or 'none'}; serving: {', '.join(sorted(serving)) or 'no model'}"
    )

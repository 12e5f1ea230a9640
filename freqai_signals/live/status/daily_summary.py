"""A day of one bot in a few words, and how good it has been lately."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import pandas as pd

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.questions import loss_sums, signal_counts
from freqai_signals.live.health import Level
from freqai_signals.metrics import mean_test

_DAY: Final = 86_400
_WEEK: Final = 7


def skill_with_error(sums: pd.DataFrame) -> tuple[float, float]:
    """Live skill against the class prior and its standard error, fractions; NaN without rows.

    The error allows for serial dependence (:func:`~freqai_signals.metrics.mean_test`); it is
    infinite where the rows cover too few days to know.

    Parameters
    ----------
    sums
        Of :func:`~freqai_signals.ledger.questions.loss_sums`.
    """
    if sums.empty:
        return float("nan"), float("nan")
    rows, loss, prior = (sums[n].to_numpy(np.float64) for n in ("rows", "loss", "prior_loss"))
    # By candle: pairs of one candle are not independent.
    test = mean_test((prior - loss) / rows, float(np.ptp(sums["candle"])) / _DAY)
    mean = float(prior.sum() / rows.sum())
    return test.mean / mean, test.standard_error / mean


def skill_text(sums: pd.DataFrame) -> str:
    """The same for people."""
    if sums.empty:
        return "no live row is scored yet"
    skill, error = skill_with_error(sums)
    about = f" ± {100 * error:.1f} %" if np.isfinite(error) else " (too few days for its error)"
    return f"{100 * skill:+.1f} %{about} on {sums['rows'].sum()} live rows"


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
    kinds = Counter(signal_counts(ledger, bot, start, start + _DAY))
    week = loss_sums(ledger, start - (_WEEK - 1) * _DAY, bot)
    counts = Counter(str(level) for level in levels.values())
    shown = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    return (
        f"daily summary of {pd.Timestamp(start, unit='s'):%Y-%m-%d}: {kinds['buy']} buy and "
        f"{kinds['sell']} sell signals; skill of the last {_WEEK} days {skill_text(week)}; "
        f"levels: {shown or 'none'}; serving: {', '.join(sorted(serving)) or 'no model'}"
    )

"""All sections of the page, in its order."""

import logging
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.report.data.frames import SignalFrames
from freqai_signals.report.model_usage import RunModels
from freqai_signals.report.page.page_data import PageData
from freqai_signals.report.page.parts.decision_sections import (
    return_section,
    rule_section,
    tier_section,
)
from freqai_signals.report.page.parts.fee_section import fee_section
from freqai_signals.report.page.parts.model_sections import (
    drift_section,
    feature_section,
    gap_section,
    timeline_section,
)
from freqai_signals.report.page.parts.overview_sections import (
    facts_section,
    reproduce_section,
    verdict_section,
)
from freqai_signals.report.page.parts.page_section import Section
from freqai_signals.report.page.parts.reliability_sections import (
    class_reliability,
    class_section,
    direction_reliability,
    move_section,
)
from freqai_signals.report.page.parts.skill_section import skill_section
from freqai_signals.report.page.parts.trade_sections import luck_section, trade_section
from freqai_signals.report.page.uncalibrated import uncalibrated
from freqai_signals.settings import SignalSettings

logger = logging.getLogger(__name__)

_MAKERS: Final[tuple[Callable[[PageData], Section], ...]] = (
    direction_reliability,
    skill_section,
    tier_section,
    return_section,
    fee_section,
    rule_section,
    move_section,
    class_section,
    trade_section,
    feature_section,
    timeline_section,
    drift_section,
    luck_section,
    gap_section,
)


def page_sections(
    frames: SignalFrames, models: RunModels | None = None, command: str = ""
) -> list[Section]:
    """Compute every section; those without data say why.

    Parameters
    ----------
    frames
        A backtest's or a ledger's.
    models
        Where the models lie, to recover raw probabilities; None leaves these out.
    command
        What makes this page again.
    """
    data = PageData(
        frames,
        SignalSettings.model_validate(frames.facts["settings"]),
        float(frames.facts["round_trip_cost"]),
    )
    return [
        verdict_section(data),
        facts_section(data),
        class_reliability(data, raw_probabilities(data, models)),
        *(make(data) for make in _MAKERS),
        reproduce_section(data, command),
    ]


def raw_probabilities(data: PageData, models: RunModels | None) -> NDArray[np.float64] | None:
    """Before calibration, shape ``(n, 3)``; NaN rows where not known, None if none is."""
    if models is None or not len(data.rows):
        return None
    found = np.full_like(data.proba, np.nan)
    versions = data.rows["model_version"].cat
    codes = versions.codes.to_numpy()
    for code, version in enumerate(versions.categories):
        model = models.by_version(str(version))
        if model is None or model.fit is None:
            continue
        mine = codes == code
        raw = uncalibrated(model.fit.calibrator, data.proba[mine])
        if raw is not None:
            found[mine] = raw
    return found if np.isfinite(found).any() else None

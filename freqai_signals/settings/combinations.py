"""Invalid combinations of settings that are valid one by one."""

from freqai_signals.settings import SignalSettings, timeframe_seconds


def invalid_combinations(settings: SignalSettings) -> list[str]:
    """One line for every combination that cannot work; empty if all can.

    Parameters
    ----------
    settings
        Whose keys are valid one by one.
    """
    problems = []
    try:
        base = settings.candle_seconds
    except ValueError as error:
        # Nothing below can be computed without the length of a candle.
        return [f"timeframe: {error}"]
    if 86400 % base:
        problems.append(f"timeframe: must divide a day, got candles of {base} s")
    for name in settings.features.higher_timeframes:
        try:
            seconds = timeframe_seconds(name)
        except ValueError as error:
            problems.append(f"freqai.signals.features.higher_timeframes: {error}")
            continue
        # Only such candles can be made of base candles and begin at the same times every day.
        if seconds <= base or seconds % base or 86400 % seconds:
            problems.append(
                f"freqai.signals.features.higher_timeframes: {name} must be longer than "
                f"{settings.timeframe}, a multiple of it and a divisor of a day"
            )
    if settings.tuning.scheme == "combinatorial" and settings.tuning.folds < 3:
        problems.append(
            "freqai.signals.tuning.folds: the combinatorial scheme holds two folds out at once and "
            f"needs at least 3, got {settings.tuning.folds}"
        )
    return problems + _window_too_short(settings)


def _window_too_short(settings: SignalSettings) -> list[str]:
    """Settings for which the training window is too short."""
    problems = []
    window = settings.train_period_days * settings.candles_per_day
    horizon = settings.label_horizon_candles
    if horizon * 10 > window:
        problems.append(
            f"freqai.train_period_days: {settings.train_period_days} days are {window} candles, "
            f"fewer than ten label horizons of {horizon}"
        )
    rows = (window - horizon) // settings.row_step
    if settings.model.pool == "pair" and rows < settings.validation.min_rows:
        problems.append(
            f"freqai.train_period_days: {settings.train_period_days} days give {rows} rows a pair "
            f"(model.row_step is {settings.row_step}), fewer than freqai.signals.validation."
            f"min_rows {settings.validation.min_rows}; every window would abstain"
        )
    if settings.features.groups == ("higher_timeframes",) and not (
        settings.features.higher_timeframes
    ):
        problems.append("freqai.signals.features: higher_timeframes is the only group, but empty")
    return problems

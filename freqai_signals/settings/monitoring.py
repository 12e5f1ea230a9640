"""Settings of live operation: gate, registry, storage, ledger, drift, alerts."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, field_validator

from freqai_signals.settings.ledger_url import url_problem
from freqai_signals.settings.section import Effect, Section

_FEWEST_DETAIL_DAYS: Final = 30


class GateSettings(Section):
    """Whether a new model may replace the serving one; see ``registry.gate``.

    ``where``: applied in live retraining, in backtests as well (``always``), or never. A challenger
    is refused if its log loss (nats) exceeds the champion's by more than ``tolerance`` at
    ``significance``, or does not beat the class prior at ``prior_significance`` and by
    ``minimum_skill``: of models fitted to shuffled labels, 7 % would pass at 0.05, 0.2 % at 0.001.
    """

    affects: ClassVar[Effect] = "predictions"

    where: Literal["live", "always", "never"] = "live"
    """Applied in live retraining, in backtests as well (`always`), or never."""
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Level at which a challenger that is worse than the champion is refused."""
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.002
    """Log loss by which it may be worse [nats]."""
    prior_significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.001
    """Level at which it must beat the class shares."""
    minimum_skill: Annotated[float, Field(ge=0, lt=1)] = 0.005
    """And by how much."""
    minimum_days: Annotated[float, Field(ge=1, le=10_000)] = 3.0
    """Held-out days that a comparison needs [days]."""


class RegistrySettings(Section):
    """Versions of models in ``folder`` ("": ``signals/registry`` in the user's data folder).

    The newest ``keep`` are kept, and also those that are serving, pinned or were served last.
    ``sign``: model files are signed with a key in the user's data; others are tried out in a
    process of their own before they are loaded (registry), or trained again (model store).
    """

    affects: ClassVar[Effect] = "nothing"

    folder: str = ""
    """Where versions are kept; empty: `signals/registry` in the user's data."""
    keep: Annotated[int, Field(ge=2, le=10_000)] = 20
    """Versions that are kept, beside those in use."""
    sign: bool = True
    """Whether model files are signed with a key in the user's data."""


class StorageSettings(Section):
    """How much of what can be made again is kept in user_data; the least recently used goes first.

    ``models``: files in ``signals/models``. ``prediction_megabytes``: cached predictions of the
    identifier's backtests, ``report_megabytes``: records of backtests in ``signals/reports``, both
    looked at when a backtest starts.
    """

    affects: ClassVar[Effect] = "nothing"

    models: Annotated[int, Field(ge=10, le=1_000_000)] = 200
    """Files in `signals/models`; the least recently used ones beyond them are deleted."""
    prediction_megabytes: Annotated[int, Field(ge=10, le=10_000_000)] = 2_000
    """Cached predictions of an identifier's backtests [megabytes]."""
    report_megabytes: Annotated[int, Field(ge=10, le=10_000_000)] = 2_000
    """Records of backtests in `signals/reports` [megabytes]."""


class LedgerSettings(Section):
    """Where predictions and outcomes are stored: a SQLAlchemy URL, "" for SQLite in user_data.

    Up to ``queue_rows`` are queued while the database is unavailable; a message waits at most
    ``wait_seconds`` for its row to be written. Rows are kept for ``detail_days`` after they were
    written, then as sums over days; 0 keeps all.
    """

    affects: ClassVar[Effect] = "nothing"

    enabled: bool = True
    """Whether predictions and outcomes are stored."""
    url: str = ""
    """SQLAlchemy's URL; empty for a SQLite file in the user's data."""
    queue_rows: Annotated[int, Field(ge=100, le=10_000_000)] = 50_000
    """Rows that wait while the database is away, at most [rows]."""
    wait_seconds: Annotated[float, Field(ge=0, le=30)] = 2.0
    """A message waits so long for its row, at most [seconds]."""
    detail_days: Annotated[int, Field(ge=0, le=36_500)] = 400
    """Rows are kept so long, then as sums over days; 0 keeps all [days]."""

    @field_validator("detail_days")
    @classmethod
    def _covers_what_is_judged(cls, days: int) -> int:
        if 0 < days < _FEWEST_DETAIL_DAYS:
            raise ValueError(
                f"{days} days; live quality and drift look back further, use 0 (keep all) or "
                f"{_FEWEST_DETAIL_DAYS} and more"
            )
        return days

    @field_validator("url")
    @classmethod
    def _can_work(cls, url: str) -> str:
        if url and (problem := url_problem(url)):
            raise ValueError(problem)
        return url


class DriftSettings(Section):
    """Health levels of a pair and their consequences; see ``live.health``.

    A pair improves a level after ``resume_candles`` without a reason.
    """

    affects: ClassVar[Effect] = "nothing"

    enabled: bool = True
    """Whether live data and quality are monitored."""
    stale_candles: Annotated[int, Field(ge=1, le=100_000)] = 3
    """Candles of silence that are a reason for concern [candles]."""
    retrain_from: Literal["warning", "drift", "halted", "never"] = "drift"
    """Level from which the bot trains before the schedule."""
    block_entries_from: Literal["warning", "drift", "halted", "never"] = "halted"
    """Level from which nothing is entered."""
    resume_candles: Annotated[int, Field(ge=1, le=1_000_000)] = 144
    """Candles without a reason after which a level improves [candles]."""


class AlertSettings(Section):
    """How often a message is sent: a repeat after ``cooldown_candles`` at the earliest.

    ``every_signal`` sends each emitted signal too, ``daily_summary`` the past day at the first loop
    after midnight (UTC), from the ledger.
    """

    affects: ClassVar[Effect] = "nothing"

    enabled: bool = True
    """Whether messages are sent."""
    cooldown_candles: Annotated[int, Field(ge=0, le=1_000_000)] = 72
    """Candles before the same message is repeated [candles]."""
    every_signal: bool = False
    """Whether each emitted signal is sent too."""
    daily_summary: bool = False
    """Whether the first loop of a day (UTC) sends a summary of the day before."""

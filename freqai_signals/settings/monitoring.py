"""Settings of live operation: gate, registry, ledger, drift, alerts."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, field_validator

from freqai_signals.settings.ledger_url import url_problem
from freqai_signals.settings.section import Effect, Fraction, Section

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
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.002
    prior_significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.001
    minimum_skill: Annotated[float, Field(ge=0, lt=1)] = 0.005
    minimum_days: Annotated[float, Field(ge=1, le=10_000)] = 3.0


class RegistrySettings(Section):
    """Versions of models in ``folder`` ("": ``signals/registry`` in the user's data folder).

    The newest ``keep`` are kept, and also those that are serving, pinned or were served last.
    ``sign``: model files are signed with a key in the user's data; others are tried out in a
    process of their own before they are loaded (registry), or trained again (model store).
    """

    affects: ClassVar[Effect] = "nothing"

    folder: str = ""
    keep: Annotated[int, Field(ge=2, le=10_000)] = 20
    sign: bool = True


class LedgerSettings(Section):
    """Where predictions and outcomes are stored: a SQLAlchemy URL, "" for SQLite in user_data.

    Up to ``queue_rows`` are queued while the database is unavailable; a message waits at most
    ``wait_seconds`` for its row to be written. Rows are kept for ``detail_days`` after they were
    written, then as sums over days; 0 keeps all.
    """

    affects: ClassVar[Effect] = "nothing"

    enabled: bool = True
    url: str = ""
    queue_rows: Annotated[int, Field(ge=100, le=10_000_000)] = 50_000
    wait_seconds: Annotated[float, Field(ge=0, le=30)] = 2.0
    detail_days: Annotated[int, Field(ge=0, le=36_500)] = 400

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

    ``live_skill_floor`` applies from ``live_skill_rows`` scored rows on. From ``warning`` on
    ``confidence_step`` is added to the confidence that a signal needs. A pair is halted after
    ``halt_after_candles`` of drift, and improves a level after ``resume_candles`` without a reason.
    """

    affects: ClassVar[Effect] = "nothing"

    enabled: bool = True
    live_skill_floor: Annotated[float, Field(ge=-10, lt=1)] = -0.05
    live_skill_rows: Annotated[int, Field(ge=50, le=1_000_000)] = 500
    stale_candles: Annotated[int, Field(ge=1, le=100_000)] = 3
    retrain_from: Literal["warning", "drift", "halted", "never"] = "drift"
    block_entries_from: Literal["warning", "drift", "halted", "never"] = "halted"
    confidence_step: Fraction = 0.02
    # At 5m three days to a halt, and twelve hours for each level back.
    halt_after_candles: Annotated[int, Field(ge=1, le=1_000_000)] = 864
    resume_candles: Annotated[int, Field(ge=1, le=1_000_000)] = 144


class AlertSettings(Section):
    """How often a message is sent: a repeat after ``cooldown_candles`` at the earliest.

    ``summarise_from`` pairs or more with the same alert become one message. ``every_signal`` sends
    each emitted signal too.
    """

    affects: ClassVar[Effect] = "nothing"

    enabled: bool = True
    # At 5m six hours.
    cooldown_candles: Annotated[int, Field(ge=0, le=1_000_000)] = 72
    summarise_from: Annotated[int, Field(ge=2, le=10_000)] = 3
    every_signal: bool = False

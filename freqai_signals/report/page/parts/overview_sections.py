"""The verdict in plain words, what it is about, and how to make it again."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import norm

from freqai_signals import __version__
from freqai_signals.provenance import library_versions
from freqai_signals.report.page.day_blocks import FEWEST_BLOCKS, Interval
from freqai_signals.report.page.page_data import (
    PageData,
    as_basis_points,
    as_percent,
    as_range,
    counted,
    listed,
)
from freqai_signals.report.page.parts.page_section import Section
from freqai_signals.report.page.parts.reliability_sections import calibration_error
from freqai_signals.report.page.parts.skill_section import total_skill
from freqai_signals.settings import SignalSettings

SMALL_ERROR: Final = 0.02
"""Calibration error that matters little in use, even where it is significant."""

_SURE: Final = 1.96

_MUCH_NOISE: Final = 0.05
"""Noise of a calibration error within which nothing can be said of it."""
YES, NO, UNKNOWN = "yes", "no", "unknown"


@dataclass(frozen=True)
class Edge:
    """What acting earned after costs.

    Attributes
    ----------
    what
        ``trade`` or ``signal``.
    count
        How many.
    mean, error
        Net return each, a fraction, and its standard error.
    days
        Days of the record.
    """

    what: str
    count: int
    mean: float
    error: float
    days: float

    @property
    def days_needed(self) -> float:
        """Days after which a mean of this size differs from 0 with 95 %; NaN if unknown."""
        if not (self.error > 0 and self.mean != 0):
            return float("nan")
        return self.days * (_SURE * self.error / abs(self.mean)) ** 2

    @property
    def answer(self) -> str:
        """Whether there is an edge: yes, no, or unknown."""
        if not math.isfinite(self.error):
            return UNKNOWN
        if self.mean - _SURE * self.error > 0:
            return YES
        return NO if self.mean + _SURE * self.error < 0 else UNKNOWN


def edge_of(data: PageData) -> Edge:
    """Of freqtrade's trades, or of the emitted signals where there are none."""
    trades = data.frames.trades
    if len(trades):
        net, dates, what = trades["net_return"], trades["close_date"], "trade"
    else:
        net, dates, what = data.signals["net_return"], data.signals["date"], "signal"
    if not len(net):
        return Edge(what, 0, float("nan"), float("nan"), data.days)
    found: Interval = data.blocks_of(dates).ratio(net, np.ones(len(net)))
    return Edge(what, len(net), float(found.value[0]), float(found.error[0]), data.days)


def verdict_section(data: PageData) -> Section:
    """Section 1: five questions, each with a plain answer."""
    edge = _edge_cards(edge_of(data))
    if data.frames.facts.get("hyperopts"):
        unknown = "Not known, as hyperopt has searched this span"
        edge = [c | {"state": UNKNOWN, "answer": unknown} for c in edge]
    cards = [_calibrated(data), _informed(data), *edge]
    finding = " ".join(f"{card['answer']}." for card in cards[:3])
    method = (
        "Probabilities hold if their calibration error is within the noise of so few "
        f"days, and hold nearly if it is below {as_percent(SMALL_ERROR, 0)}. The error is that of "
        "the top probability in 20 bins. An edge is a mean net return whose 95 % interval lies "
        "above 0; days needed are those after which a mean of this size would be significant. "
        + data.blocks_text
    )
    tables = {"Verdict": pd.DataFrame(cards)}
    return Section("verdict", "Verdict", finding, method, tables)


def verdict_text(section: Section) -> list[str]:
    """The cards as sentences, for a terminal."""
    cards = section.tables["Verdict"].to_dict("records")
    sentences = [f"{card['answer']} ({_lowered(card['detail'])})." for card in cards[:3]]
    days = cards[4]
    return [*sentences, f"Days needed to know: {days['answer']} ({_lowered(days['detail'])})."]


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _card(question: str, state: str, answer: str, detail: str) -> dict[str, str]:
    return {"question": question, "state": state, "answer": answer, "detail": detail}


def _calibrated(data: PageData) -> dict[str, str]:
    question = "Do the probabilities hold?"
    if not len(data.rows):
        return _card(question, UNKNOWN, "No outcome is known yet", "Nothing could be scored")
    top = data.proba.max(axis=1)
    hit = data.proba.argmax(axis=1) == data.labels
    error, noise, chance = calibration_error(top, hit, data.blocks)
    too_few = "Too few days to know whether the probabilities hold"
    if not math.isfinite(noise):
        text = f"Off by {as_percent(error)} on average, over fewer than {FEWEST_BLOCKS} blocks"
        return _card(question, UNKNOWN, too_few, text)
    detail = (
        f"Off by {as_percent(error)} on average; noise alone gives {as_percent(noise)}, and as "
        f"much in {as_percent(chance, 0)} of cases; "
        f"{len(data.rows):,} rows on {data.days:.0f} days"
    )
    if chance >= 0.05:
        # Of few days even a useless forecast lies within the noise.
        known = noise < _MUCH_NOISE
        answer = "The probabilities hold" if known else too_few
        return _card(question, YES if known else UNKNOWN, answer, detail)
    if error < SMALL_ERROR:
        return _card(question, YES, "The probabilities nearly hold", detail)
    return _card(question, NO, "The probabilities do not hold", detail)


def _informed(data: PageData) -> dict[str, str]:
    question = "Do they know more than class shares?"
    if not len(data.rows):
        return _card(question, UNKNOWN, "What they know is not known", "Nothing could be scored")
    found = total_skill(data)
    value, low, high = found.value[0], found.low[0], found.high[0]
    if not math.isfinite(low):
        return _card(
            question, UNKNOWN, "Too few days to know what they know", f"Skill {as_percent(value)}"
        )
    detail = f"Skill {as_percent(value)}, {as_range(low, high)}"
    if low > 0:
        return _card(question, YES, "They know more than the class shares", detail)
    if high < 0:
        return _card(question, NO, "They know less than the class shares", detail)
    return _card(question, UNKNOWN, "They may know no more than the class shares", detail)


def _edge_cards(edge: Edge) -> list[dict[str, str]]:
    question, sure, needed = "Is there an edge after fees?", "How sure?", "Days needed to know?"
    if not edge.count:
        nothing = "Nothing was traded, so no edge is shown"
        return [
            _card(question, UNKNOWN, nothing, "No signal with a known outcome"),
            _card(sure, UNKNOWN, "Not at all", "There is nothing to judge"),
            _card(needed, UNKNOWN, "Unknown", "Without trades no number of days can be given"),
        ]
    number = counted(edge.count, edge.what)
    each = f"{as_basis_points(edge.mean, edge.error)} each after costs, {number}"
    answers = {
        YES: "There is an edge after fees here",
        NO: "After fees it loses",
        UNKNOWN: "No edge after fees is distinguishable from chance",
    }
    if not math.isfinite(edge.error):
        return [
            _card(question, UNKNOWN, "Too few days to know of an edge", each),
            _card(sure, UNKNOWN, "Not at all", f"Fewer than {FEWEST_BLOCKS} blocks with trades"),
            _card(needed, UNKNOWN, "Unknown", "The spread between days is not known yet"),
        ]
    ratio = edge.mean / edge.error if edge.error > 0 else float("nan")
    chance = float(norm.cdf(ratio))  # the normal posterior of a flat prior
    days = edge.days_needed
    enough = days <= edge.days
    return [
        _card(question, edge.answer, answers[edge.answer], each),
        _card(
            sure,
            edge.answer,
            f"{as_percent(chance, 0)} that the true mean is above 0",
            f"The mean is {ratio:+.1f} standard errors from 0; one market, one span",
        ),
        _card(
            needed,
            YES if enough else UNKNOWN,
            f"{days:,.0f} days" if math.isfinite(days) else "Unknown",
            f"{'Reached' if enough else 'Not reached'}: this record has {edge.days:,.0f} days",
        ),
    ]


def facts_section(data: PageData) -> Section:
    """Section 2: what the page is about."""
    facts, predictions = data.frames.facts, data.frames.predictions
    pairs = [str(name) for name in predictions["pair"].cat.categories] if len(predictions) else []
    dates = predictions["date"]
    span = f"{dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d} UTC" if len(dates) else "none"
    settings = data.settings
    missing = [pair for pair in facts.get("pairs", ()) if pair not in pairs]
    items: dict[str, str] = {
        "source": _source(facts),
        "span": f"{span} ({data.days:.0f} days)",
        "pairs": f"{len(pairs)}: {listed(pairs, 24)}",
        "candles": f"{settings.timeframe}, {len(predictions):,} predictions, "
        f"{len(data.rows):,} scored",
        "label": f"{settings.labels.kind}, horizon {settings.label_horizon_candles} candles",
        "round-trip cost": as_percent(data.cost, 2),
        "looks at this span": _looks(facts),
        "models": f"{data.frames.models['first_used'].notna().sum()}",
        "written": _minute(facts.get("at")),
    }
    if facts.get("fingerprint"):
        items["fingerprint"] = str(facts["fingerprint"])
    if facts.get("ignored"):
        items["ignored"] = "; ".join(facts["ignored"])
    if missing:
        items["not finished"] = f"no rows of {listed(missing, 24)}: the backtest ended before"
    finding = f"{counted(len(pairs), 'pair')} over {data.days:.0f} days, "
    finding += counted(len(data.rows), "scored prediction")
    finding += f"; {items['not finished']}." if missing else "."
    if (looks := facts.get("looks") or 0) > 1:
        finding += f" This span was looked at {looks} times, so the best of it is partly luck."
    if facts.get("hyperopts"):
        finding += " Hyperopt has searched it: backtest its parameters on a span after it."
    table = pd.DataFrame({"what": list(items), "value": list(items.values())})
    method = (
        "Looks are all backtests and hyperopt trials whose span overlaps this one, as written down "
        "in user_data/signals/looks; of those before this was kept, the ones whose result is still "
        "stored. The fingerprint covers settings, pairs, rows and models."
    )
    return Section("facts", "What this is about", finding, method, {"Facts": table})


def _looks(facts: Mapping[str, Any]) -> str:
    looks = facts.get("looks")
    if looks is None:
        return "not known"
    text = f"{looks:,}: {counted(facts.get('backtests', looks), 'backtest')}"
    searches = facts.get("hyperopts", 0)
    if searches:
        text += f", {counted(searches, 'hyperopt')} with {facts['hyperopt_trials']:,} trials"
    return text


def _source(facts: Mapping[str, Any]) -> str:
    if facts.get("source") == "ledger":
        return "live ledger"
    name = f"backtest {facts.get('identifier', '')}".strip()
    result = facts.get("result")
    return f"{name}, freqtrade's result {result}" if result else f"{name}, no freqtrade result"


def _minute(value: Any) -> str:
    return f"{pd.Timestamp(value):%Y-%m-%d %H:%M} UTC" if value else "not known"


def reproduce_section(data: PageData, command: str) -> Section:
    """Section 18: settings, versions and the command."""
    changed = pd.json_normalize(data.settings.model_dump(mode="json")).to_dict("records")[0]
    usual = pd.json_normalize(SignalSettings().model_dump(mode="json")).to_dict("records")[0]
    rows = [
        {"setting": name, "value": str(value), "default": str(usual.get(name, ""))}
        for name, value in changed.items()
    ]
    table = pd.DataFrame(rows)
    different = table[table["value"] != table["default"]]
    libraries = {"freqai-signals": __version__, **library_versions()}
    versions = pd.DataFrame({"package": list(libraries), "version": list(libraries.values())})
    commands = pd.DataFrame({"command": [command]})
    finding = (
        f"{len(different)} of {len(table)} settings differ from their defaults"
        + (f": {listed(different['setting'].tolist(), 6)}." if len(different) else ".")
        + f" Made by: {command}"
    )
    method = (
        "Settings are those of the run; for a ledger, which does not store them, those of the "
        "given config. Versions are those installed where the page was made."
    )
    tables = {"Command": commands, "Settings": table, "Versions": versions}
    return Section("reproduce", "How to make this again", finding, method, tables)

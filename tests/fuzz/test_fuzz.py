"""Whatever comes in: it works, or is refused in one message; ``make fuzz MINUTES=`` goes on longer.

Cases that once broke something stand as examples, and are tried first.
"""

import dataclasses
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given
from hypothesis import strategies as st

from freqai_signals.config import SettingsError, settings_from_config
from freqai_signals.dataset.barriers import LabelRule
from freqai_signals.dataset.candles import closed, extended
from freqai_signals.dataset.features import build_features
from freqai_signals.dataset.labels import make_labels
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.proof.verification import verify
from freqai_signals.ledger.writer import LedgerWriter
from freqai_signals.model import archive, artefact
from freqai_signals.model.artefact import ArtefactError
from freqai_signals.registry.inspection import verify as verify_registry
from freqai_signals.registry.registry import Registry
from freqai_signals.registry.versions import RegistryError
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.settings import SignalSettings
from freqai_signals.settings.ledger_url import url_problem
from tests.ledger.ledger_rows import prediction, sqlite_url
from tests.model.test_artefact import SMALL_FILE, members_of, refused_or_whole
from tests.registry.gate_rows import model_of
from tests.waiting import PATIENCE

odd_numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, -1, 10**9, 2**31, 2**63, 2**70, 1e308])
)
odd_values = st.recursive(
    st.one_of(st.none(), st.booleans(), odd_numbers, st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)

# Settings

SECTIONS = {
    name: sorted(value) if isinstance(value, dict) else []
    for name, value in SignalSettings().model_dump(mode="json").items()
}


@given(
    name=st.sampled_from(sorted(name for name, keys in SECTIONS.items() if keys)),
    place=st.integers(0, 50),
    value=odd_values,
)
@example(name="ledger", place=0, value={"url": "postgresql+psycopg://me@db:5432x/l"})
def test_any_value_of_any_setting_is_taken_or_refused_by_name(
    name: str, place: int, value: Any
) -> None:
    keys = SECTIONS[name]
    given_section = value if isinstance(value, dict) else {keys[place % len(keys)]: value}
    config = {"timeframe": "5m", "freqai": {"signals": {name: given_section}}}
    problems: tuple[str, ...] = ("freqai.",)
    try:
        settings_from_config(config)
    except SettingsError as error:
        problems = error.problems
    assert problems
    assert all(line.startswith(("freqai.", "timeframe")) for line in problems)


@given(st.one_of(st.text(), st.from_regex(r"(sqlite|postgresql(\+psycopg)?|mysql)://[^\n]{0,60}")))
@example("postgresql+psycopg://me@db:5432x/l")
@example("sqlite:///a\0b")
@example("postgresql+psycopg://[::1/l")
def test_any_ledger_url_is_judged(url: str) -> None:
    assert isinstance(url_problem(url), str)


# Candles

price = st.floats(allow_nan=True, allow_infinity=True, width=64)


@st.composite
def candles(draw: st.DrawFn) -> pd.DataFrame:
    """A walk of a day with some odd values and holes in it."""
    count = draw(st.integers(1, 300))
    close = 100 * np.exp(np.random.default_rng(0).normal(0, 0.002, count).cumsum())
    dates = pd.date_range("2024-03-01", periods=count, freq="5min", tz="UTC")
    frame = pd.DataFrame(
        {"date": dates, "open": close, "high": close, "low": close, "close": close, "volume": 1.0}
    )
    odd = st.tuples(
        st.integers(0, count - 1),
        st.sampled_from(["open", "high", "low", "close", "volume"]),
        price,
    )
    for row, column, value in draw(st.lists(odd, max_size=5)):
        frame.loc[row, column] = value
    return frame


@given(candles())
def test_odd_candles_give_rows_that_are_known_or_nan(frame: pd.DataFrame) -> None:
    settings = SignalSettings()
    with np.errstate(all="ignore"):
        features = build_features(frame, settings, None)
        labels = make_labels(frame, LabelRule(settings.labels, 12, 288, 0.002))
    assert len(features) == len(labels) == len(frame)
    assert np.isin(labels["&-signal"].dropna(), [0, 1, 2]).all()


@given(candles(), st.integers(-400, 400), st.integers(0, 600))
def test_candles_are_cut_and_joined_without_inventing_any(
    frame: pd.DataFrame, now: int, later: int
) -> None:
    clock = frame["date"].iloc[-1] + pd.Timedelta(minutes=5 * now)
    real = closed(frame, clock, 300)
    assert (real["date"] <= clock).all()
    recent = frame.assign(date=frame["date"] + pd.Timedelta(minutes=5 * later))
    whole = extended(frame, recent, 300)
    assert whole["date"].is_monotonic_increasing
    assert (whole["date"].diff().dropna() == pd.Timedelta(minutes=5)).all()


# Model files

member = st.sampled_from(sorted(members_of(SMALL_FILE)))


def refused_or_built(data: bytes) -> None:
    message = "BTC.model"
    try:
        built = artefact.from_bytes(data, "BTC.model")
    except ArtefactError as error:
        message = str(error)
    else:
        assert artefact.to_bytes(built), "what was taken in can be written again"
    assert "BTC.model" in message


@given(st.lists(st.tuples(st.integers(0, len(SMALL_FILE) - 1), st.binary(max_size=8)), max_size=4))
def test_a_file_with_other_bytes_in_it_is_refused_by_name(
    edits: list[tuple[int, bytes]],
) -> None:
    data = bytearray(SMALL_FILE)
    for place, new in edits:
        data[place : place + len(new)] = new
    refused_or_whole(bytes(data))


@given(name=st.sampled_from(["card.json", "model.json"]), key=st.integers(0, 60), value=odd_values)
@example(name="model.json", key=0, value=[[["multiclass", 10**12]]])
@example(name="model.json", key=4, value=None)
@example(name="model.json", key=4, value=[[]])
def test_a_description_with_an_odd_value_is_refused_or_built(
    name: str, key: int, value: Any
) -> None:
    members = members_of(SMALL_FILE)
    members.pop("manifest.json")
    content = json.loads(members[name])
    names = sorted(content)
    content[names[key % len(names)]] = value
    refused_or_built(archive.pack(members | {name: json.dumps(content).encode()}, artefact.FORMAT))


@given(st.data())
def test_arrays_with_other_bytes_are_refused_or_built(data: st.DataObject) -> None:
    members = members_of(SMALL_FILE)
    members.pop("manifest.json")
    arrays = members_of(members["arrays.npz"])
    name = data.draw(st.sampled_from(sorted(arrays)))
    content = bytearray(arrays[name])
    for place, new in data.draw(
        st.lists(st.tuples(st.integers(0, 127), st.binary(min_size=1, max_size=20)), max_size=3)
    ):
        content[place : place + len(new)] = new
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as written:
        for other, kept in (arrays | {name: bytes(content)}).items():
            written.writestr(other, kept)
    refused_or_built(archive.pack(members | {"arrays.npz": packed.getvalue()}, artefact.FORMAT))


# Registry folders


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


file_name = st.sampled_from(
    ["scope.json", "scope.previous.json", "x.model", ".x.model.tmp", ".hidden", "v9.model", "a"]
)
NAMED = dataclasses.replace(model_of(0), card=dataclasses.replace(model_of(0).card, version="v1"))


@given(
    st.dictionaries(
        file_name, st.one_of(st.none(), st.binary(max_size=60), st.just(b"[" * 5000)), max_size=5
    )
)
@example({"scope.json": b"[" * 5000, "scope.previous.json": b"7"})
@example({".hidden": None, "x.model": None})
def test_a_registry_with_anything_in_it_takes_the_next_model(
    scratch: Path, found: Mapping[str, bytes | None]
) -> None:
    registry = Registry(Path(tempfile.mkdtemp(dir=scratch)), lock_seconds=60)
    scope = registry.path("bot/pool")
    scope.mkdir(parents=True, exist_ok=True)
    for name, content in found.items():
        if content is None:
            (scope / name).mkdir(exist_ok=True)
        elif not (scope / name).is_dir():
            (scope / name).write_bytes(content)
    registry.scopes()
    verify_registry(registry)
    try:
        registry.register("bot/pool", NAMED, serve=True)
    except RegistryError:
        # Only a folder in the place of a file cannot be mended.
        assert any((scope / name).is_dir() for name in ("scope.json", "scope.previous.json"))
    else:
        assert registry.load("bot/pool").card.version == "v1"


# Ledger rows

column = st.sampled_from(sorted(prediction(1)))


@given(st.lists(st.tuples(column, odd_values), max_size=4))
@example([("candle", 2**70)])
@example([("pair", "x" * 65), ("proba_buy", float("nan"))])
@example([("reason", "\ud800")])
def test_any_row_is_kept_or_refused_and_holds_up_no_other(
    scratch: Path, changes: list[tuple[str, Any]]
) -> None:
    writer = LedgerWriter(lambda: Ledger(sqlite_url(scratch)), wait_seconds=PATIENCE)
    number = abs(hash(repr(changes))) % 10**9
    writer.record([Entry("predictions", [prediction(number, pair="ODD") | dict(changes)])])
    assert writer.record([Entry("predictions", [prediction(number, pair="PLAIN")])], wait=True)
    assert writer.close(PATIENCE)
    ledger = Ledger(sqlite_url(scratch))
    assert verify(ledger).problems == ()
    ledger.close()


# What an exchange is asked


@pytest.fixture(scope="module")
def exchange(folder: Path) -> TestClient:
    return TestClient(create_exchange(folder, Clock(), lambda line: None))


path = st.sampled_from(
    ["klines", "ticker/24hr", "ticker/price", "ticker/bookTicker", "depth", "exchangeInfo", "x%0a"]
)
parameter = st.sampled_from(["symbol", "symbols", "interval", "limit", "startTime", "endTime", "x"])
answer = st.one_of(
    st.text(max_size=20), odd_numbers.map(str), st.sampled_from(["BTCUSDT", "5m", '["BTCUSDT"]'])
)


@given(path, st.dictionaries(parameter, answer, max_size=4))
@example("ticker/24hr", {"symbols": "5"})
@example("ticker/24hr", {"symbols": "[[]]"})
@example("klines", {"symbol": "BTCUSDT", "interval": "5m", "startTime": "9" * 20})
def test_any_request_is_answered_or_refused(
    exchange: TestClient, name: str, query: dict[str, str]
) -> None:
    response = exchange.get(f"/api/v3/{name}", params=query)
    assert response.status_code in (200, 400, 404)

"""Kill -9 at any instant of a bot's work; what it promised is kept, and it goes on by itself."""

import contextlib
import multiprocessing
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.live.operation import LiveOperation
from freqai_signals.registry.inspection import verify
from freqai_signals.registry.registry import Registry
from freqai_signals.settings import SignalSettings
from freqai_signals.training.fit import Request
from freqai_signals.training.model_store import ModelStore
from tests.ledger.ledger_rows import sqlite_url
from tests.live.test_operation import BOT, FIRST, HOUR, PAIR, SCOPE, Bot, with_section
from tests.registry.gate_rows import model_of, window

FORK = multiprocessing.get_context("fork")
TRAINING, PROMOTING, LIVING = "training", "promoting", "living"
PHASES = (TRAINING, PROMOTING, LIVING)
CANDLES = 3


def settings() -> SignalSettings:
    return with_section("alerts", every_signal=True)


def live(folder: Path, turn: int, told: Connection, phase: Any) -> None:
    """What a bot does between two trainings, over and over, telling what it promised."""
    operation, store = LiveOperation(settings(), folder, BOT), ModelStore(folder / "models")
    serving = operation.model(PAIR, None)
    told.send(("serves", serving.card.version if serving else ""))
    for cycle in range(1000):
        phase.value = PHASES.index(TRAINING)
        rows = window(8, seed=1000 * turn + cycle)
        model = store.train(Request(rows, settings()))
        phase.value = PHASES.index(PROMOTING)
        operation.promote(PAIR, model, rows)
        told.send(("version", model.card.version))
        phase.value = PHASES.index(LIVING)
        bot = Bot(operation, folder, settles=False)
        for number in range(CANDLES):
            candle = FIRST + min(3 * turn + cycle, 650) * CANDLES + number
            bot.send_signals = lambda _text, candle=candle: told.send(("signal", candle))  # type: ignore[misc]
            bot.candle(candle, signal=2)


def all_told(told: Connection) -> list[tuple[str, Any]]:
    found = []
    with contextlib.suppress(EOFError):
        while True:
            found.append(told.recv())
    return found


def kill_at_random(folder: Path, kills: int) -> Counter[str]:
    """Kill a bot again and again; how often in which phase.

    After every kill what it told is there and whole, and the next one goes on from it.
    """
    model_of(0)
    rng = np.random.default_rng(kills)
    phase = FORK.Value("i", 0)
    hit: Counter[str] = Counter()
    signals: set[int] = set()
    versions = 0
    registry = Registry(folder / "signals" / "registry", keep=10_000)
    pace = 0.0
    for turn in range(kills + 1):
        before = registry.scope(SCOPE).serving
        here, there = FORK.Pipe(duplex=False)
        process = FORK.Process(target=live, args=(folder, turn, there, phase))
        process.start()
        there.close()
        begin = time.monotonic()
        assert here.poll(300), "it says nothing"
        told = [here.recv()]
        assert told == [("serves", before)], "it goes on with what served before the kill"
        if turn % 4 == 0:
            # As long as this machine needs now for a training and the candles after it.
            told += [here.recv() for _ in range(1 + CANDLES)]
            pace = 1.2 * (time.monotonic() - begin)
        time.sleep(float(rng.uniform(0, pace)))
        process.kill()
        process.join()
        hit[PHASES[phase.value]] += 1
        told += all_told(here)
        scope = registry.scope(SCOPE)
        if scope.serving:
            registry.load(SCOPE)
        promised = {what for kind, what in told if kind == "version"}
        assert promised <= {event.version for event in scope.history}
        versions += len(promised)
        signals |= {what for kind, what in told if kind == "signal"}
    ledger = Ledger(sqlite_url(folder / "signals"))
    written = ledger.rows("signals")
    assert {number * HOUR for number in signals} <= set(written["candle"])
    ledger.close()
    assert {item["problem"] for item in verify(registry)} == {""}
    assert versions > kills // 10
    assert len(signals) > kills // 10
    return hit


def test_a_killed_bot_goes_on_and_keeps_its_word(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 12)


@pytest.mark.slow
def test_two_hundred_kills_of_a_bot(tmp_path: Path) -> None:
    hit = kill_at_random(tmp_path, 200)
    assert set(hit) == set(PHASES), hit

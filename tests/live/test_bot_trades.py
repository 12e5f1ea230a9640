"""Trades of a bot, from a database that freqtrade itself has made."""

import datetime as dt
from pathlib import Path

import pytest
from freqtrade.persistence import Trade, init_db

from freqai_signals.live.bot_trades import bot_trades
from freqai_signals.report.data.frames import TRADE_COLUMNS

OPENED = dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC)


def trade(pair: str, *, is_open: bool) -> Trade:
    closed = None if is_open else OPENED + dt.timedelta(hours=2)
    return Trade(
        pair=pair, exchange="binance", amount=1.0, stake_amount=100.0, open_rate=100.0,
        fee_open=0.001, fee_close=0.001, open_date=OPENED, close_date=closed, is_open=is_open,
        is_short=True, enter_tag="sell_weak", exit_reason="horizon", leverage=1.0,
        close_profit=None if is_open else 0.012, close_profit_abs=None if is_open else 1.2,
    )  # fmt: skip


def test_closed_trades_are_read_and_open_ones_left_out(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'trades.sqlite'}"
    init_db(url)
    assert bot_trades(url).empty
    assert tuple(bot_trades(url).columns) == TRADE_COLUMNS
    for row in (trade("A/USDT", is_open=False), trade("B/USDT", is_open=True)):
        Trade.session.add(row)
    Trade.commit()
    (found,) = bot_trades(url).to_dict("records")
    assert (found["pair"], found["is_short"], found["enter_tag"]) == ("A/USDT", True, "sell_weak")
    assert found["close_date"] == OPENED + dt.timedelta(hours=2)
    assert (found["net_return"], found["profit"], found["cost"]) == (0.012, 1.2, 0.002)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    with pytest.raises(ValueError, match=f"there is no file {path}; start freqtrade once"):
        bot_trades(f"sqlite:///{path}")
    assert not path.exists()
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="trades cannot be read"):
        bot_trades(f"sqlite:///{path}")

"""How good the signals of a backtest were."""

"""What a backtest or a ledger left, as tidy frames."""

"""The loopback exchange: Binance's REST API over stored candles."""

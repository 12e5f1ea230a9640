"""What freqtrade loads as ``--strategy``; the class itself stands in the installed package.

freqtrade finds a class only where its file holds ``class NAME(``, hence a subclass.
"""

from freqai_signals.plugin import consumer


class SignalConsumerStrategy(consumer.SignalConsumerStrategy):
    """Trades on the columns of another bot, without a model."""

"""What freqtrade loads as ``--hyperopt-loss``; the class itself stands in the installed package.

freqtrade finds a class only where its file holds ``class NAME(``, hence a subclass.
"""

from freqai_signals.plugin import hyperopt_loss


class DeflatedSharpeHyperOptLoss(hyperopt_loss.DeflatedSharpeHyperOptLoss):
    """Minus the deflated Sharpe ratio of daily returns after fees, in standard errors."""

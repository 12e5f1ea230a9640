"""What freqtrade loads as ``--freqaimodel``; the class itself stands in the installed package.

freqtrade finds a class only where its file holds ``class NAME(``, hence a subclass.
"""

from freqai_signals.plugin import model


class LightGBMSignalClassifier(model.LightGBMSignalClassifier):
    """The model of freqai-signals."""

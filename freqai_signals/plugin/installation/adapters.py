"""The files that freqtrade loads from a user's folder: one template for all of them."""

from dataclasses import dataclass
from typing import Final

_TEMPLATE: Final = '''\
"""What freqtrade loads as ``{option}``; the class itself stands in the installed package.

freqtrade finds a class only where its file holds ``class NAME(``, hence a subclass.
"""

from freqai_signals.plugin import {module}


class {name}({module}.{name}):
    """{sentence}"""
'''


@dataclass(frozen=True)
class Adapter:
    """A file of ten lines that subclasses a class of the package.

    Attributes
    ----------
    name
        Of the class, and of the file.
    folder
        Where freqtrade looks for it in the user's folder.
    option
        freqtrade's option that selects it.
    module
        Of ``freqai_signals.plugin``, that holds the class.
    sentence
        The subclass's docstring.
    """

    name: str
    folder: str
    option: str
    module: str
    sentence: str

    @property
    def path(self) -> str:
        """File, relative to the user's folder."""
        return f"{self.folder}/{self.name}.py"

    @property
    def text(self) -> str:
        """The file's content."""
        return _TEMPLATE.format_map(vars(self))


MODEL: Final = Adapter(
    "LightGBMSignalClassifier", "freqaimodels", "--freqaimodel", "model",
    "The model of freqai-signals.",
)  # fmt: skip
STRATEGY: Final = Adapter(
    "LightGBMSignalStrategy", "strategies", "--strategy", "strategy",
    "The strategy of freqai-signals.",
)  # fmt: skip
CONSUMER: Final = Adapter(
    "SignalConsumerStrategy", "strategies", "--strategy", "consumer",
    "Trades on the columns of another bot, without a model.",
)  # fmt: skip
LOSS: Final = Adapter(
    "DeflatedSharpeHyperOptLoss", "hyperopts", "--hyperopt-loss", "hyperopt_loss",
    "Minus the deflated Sharpe ratio of daily returns after fees, in standard errors.",
)  # fmt: skip

ADAPTERS: Final = (MODEL, STRATEGY, CONSUMER, LOSS)


def adapter_files() -> dict[str, str]:
    """Path in the user's folder to content, for every adapter.

    Examples
    --------
    >>> sorted(adapter_files())[0]
    'freqaimodels/LightGBMSignalClassifier.py'
    """
    return {adapter.path: adapter.text for adapter in ADAPTERS}

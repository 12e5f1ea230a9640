"""The model of a large pool gets settings that are thinned for it."""

import pytest

from freqai_signals.config import settings_from_config
from freqai_signals.plugin.pool import SETTINGS_KEY, freqai_config, settled_config
from tests.preflight.situations import config_of


@pytest.mark.parametrize(("pairs", "step"), [(2, 7), (20, 7), (150, 11)])
def test_a_large_pool_is_thinned_before_freqai_sees_it(pairs: int, step: int) -> None:
    names = [f"C{number}/USDT" for number in range(pairs)]
    config = config_of(*names)
    settings = settings_from_config(config)
    # 60 days: 100 pairs have about as many rows as 17 of the shipped 360 days.
    assert settings.train_period_days == 60
    settled = freqai_config(config, settings, names)
    assert settled[SETTINGS_KEY].model.row_step == step
    # The same where another strategy than ours runs the model, and where it is settled again.
    assert settled_config(config)[SETTINGS_KEY] == settled[SETTINGS_KEY]
    assert settled_config(settled) is settled

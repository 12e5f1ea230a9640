"""A large pool's model gets the settings that are thinned for it."""

from freqai_signals.config import settings_from_config
from freqai_signals.plugin.pool import SETTINGS_KEY, freqai_config
from tests.plugin.configs import config_of

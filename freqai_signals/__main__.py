"""``python -m freqai_signals`` is the command ``freqai-signals``."""

import sys

from freqai_signals.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())

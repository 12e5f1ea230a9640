"""The command ``freqai-signals``: one module a subcommand."""

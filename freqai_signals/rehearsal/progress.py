"""One line that tells how far a rehearsal is."""

from datetime import UTC, datetime
from types import TracebackType

from rich import progress
from rich.console import Console

from freqai_signals.rehearsal.bot import Stage


class Progress:
    """A bar over market time; without a terminal nothing is drawn.

    Parameters
    ----------
    start_ms, stop_ms
        Market time of the rehearsal.
    """

    def __init__(self, start_ms: int, stop_ms: int) -> None:
        console = Console(stderr=True)
        self._start = start_ms
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=stop_ms - start_ms)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, stage: Stage, megabytes: float) -> None:
        """Show the stage as it is now."""
        if self._bar.disable:
            return
        now = stage.clock()
        rows = sum(1 for _ in stage.record.rows())
        date = datetime.fromtimestamp(now / 1000, UTC)
        text = f"{date:%m-%d %H:%M} · {rows} decisions · {len(stage.trades())} trades"
        text += f" · {megabytes:.0f} MB"
        self._bar.update(self._task, completed=now - self._start, description=text)

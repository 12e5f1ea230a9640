"""A track record that anybody can check: rows with their hashes, and what came of predictions."""

import csv
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
from jinja2 import Environment
from sqlalchemy import Connection, select

from freqai_signals.ledger.database import one_moment
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.live_quality import live_quality
from freqai_signals.ledger.proof.chain import DAY, link
from freqai_signals.ledger.proof.verification import links
from freqai_signals.ledger.sql_tables import CHAIN_HEADS, CHAIN_ROOTS, DAILY, KEY

CHAIN_FILE: Final = "chain.csv"
ROOTS_FILE: Final = "roots.csv"
DAILY_FILE: Final = "daily.csv"
_TIMES: Final = ("candle", "recorded", "event_end", "resolved")
_PAGE: Final = Environment(autoescape=True).from_string(
    """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Track record</title>
<style>body{font:16px sans-serif;max-width:60em;margin:2em auto}td,th{padding:.2em .8em;
text-align:left}code{word-break:break-all}</style>
<h1>Track record</h1>
<p>{{ rows }} predictions that were recorded when their candle closed, {{ scored }} of them with a
known outcome{% if scored %}, from {{ first }} to {{ last }} (UTC); skill against the class prior
{{ '%+.4f' % skill }}, mean return after costs {{ '%+.5f' % net }} a prediction{% endif %}.
Nothing here says what comes.</p>
<table><tr><th>bot<th>rows<th>hash of the newest row</tr>
{% for head in heads %}<tr><td>{{ head.bot }}<td>{{ head.number }}<td><code>{{ head.hash }}</code>
</tr>{% endfor %}</table>
<h2>Check it</h2>
<p><code>chain.csv</code> holds each row as it was written: <code>digest</code> is the SHA-256 of
<code>content</code>, <code>hash</code> that of the hash before (empty for
number 1; where older rows are gone, the root at the number before, in <code>roots.csv</code>) and
<code>digest</code>, bot by bot. <code>roots.csv</code> holds the last hash of each day: whoever
has kept one from that day knows that nothing before was rewritten; <code>daily.csv</code> holds
sums of the days whose rows are gone. The times in
<code>content</code> are seconds since 1970: a prediction counts if it was <code>recorded</code>
before its outcome's <code>event_end</code>.</p>
</html>
"""
)


def export(ledger: Ledger, folder: Path, kind: Literal["csv", "parquet"] = "csv") -> list[Path]:
    """Write the chain, the daily roots, the track record, the sums of old days, a page; the files.

    Parameters
    ----------
    ledger
        Open; it is only read.
    folder
        Made if need be.
    kind
        Of the track record: live predictions of all bots beside their outcomes, times in UTC. The
        chain is CSV either way, since a hash is about characters.

    Raises
    ------
    OSError
        If a file cannot be written.
    ValueError
        If somebody has put into a row what no row of ours holds.
    """
    try:
        return _written(ledger, folder, kind)
    except OSError:
        raise
    # An edit may leave anything in a row, and SQLite keeps it.
    except Exception as error:
        raise ValueError(
            f"the ledger was edited, its rows hold other kinds of values ({error}); "
            "freqai-signals ledger verify names them"
        ) from error


def _written(ledger: Ledger, folder: Path, kind: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    record = _record(ledger)
    target = folder / f"track_record.{kind}"
    if kind == "parquet":
        record.to_parquet(target, index=False)
    else:
        record.to_csv(target, index=False)
    # Rows of days that are gone live on in these sums.
    for table, name in ((CHAIN_ROOTS, ROOTS_FILE), (DAILY, DAILY_FILE)):
        rows = ledger.rows(table.name)
        days = _times(pd.to_numeric(rows["day"], errors="coerce") * DAY).dt.strftime("%Y-%m-%d")
        rows.assign(date=days).to_csv(folder / name, index=False)
    _write_chain(ledger, folder / CHAIN_FILE)
    page = folder / "index.html"
    page.write_text(_page(ledger, record))
    return [target, folder / ROOTS_FILE, folder / DAILY_FILE, folder / CHAIN_FILE, page]


def _record(ledger: Ledger) -> pd.DataFrame:
    predictions = ledger.rows("predictions")
    came = ledger.rows("outcomes").drop(columns=["bot", "number", "hash", "replaces"])
    joined = predictions[predictions["kind"] == "live"].merge(came, on=list(KEY), how="left")
    for name in _TIMES:
        joined[name] = _times(joined[name])
    return joined.sort_values(["recorded", "bot", "number"], kind="stable")


def _times(seconds: pd.Series) -> pd.Series:
    """UTC; NaT for what is no time that a calendar has, as a broken clock or an edit leaves."""
    return pd.to_datetime(seconds, unit="s", utc=True, errors="coerce")


def _write_chain(ledger: Ledger, path: Path) -> None:
    with (
        one_moment(ledger.engine) as connection,
        path.open("w", newline="") as file,
    ):
        written = csv.writer(file)
        written.writerow(("bot", "number", "hash", "digest", "content"))
        for head in connection.execute(select(CHAIN_HEADS)).mappings().fetchall():
            before = _hash_before(connection, head)
            for item in links(connection, str(head["bot"])):
                before = item.hash or link(before, item.digest)
                written.writerow((head["bot"], item.number, before, item.digest, item.text))


def _hash_before(connection: Connection, head: Any) -> str:
    """Of the first row that is kept: the root up to which older ones are gone."""
    roots = CHAIN_ROOTS.c
    query = select(roots.hash).where(roots.bot == head["bot"], roots.number == head["pruned"])
    return str(connection.execute(query).scalar() or "")


def _page(ledger: Ledger, record: pd.DataFrame) -> str:
    scored = ledger.scored()
    quality = live_quality(scored) if len(scored) else {}
    total = next((item for group in quality.values() for item in group if item.rows), None)
    dates = _times(scored["candle"].agg(["min", "max"])) if len(scored) else ["", ""]
    first, last = dates
    return _PAGE.render(
        rows=len(record),
        scored=len(scored),
        first=first,
        last=last,
        skill=1 - scored["loss"].sum() / scored["prior_loss"].sum() if len(scored) else 0.0,
        net=float(scored["net"].mean()) if total is not None else 0.0,
        heads=ledger.rows(CHAIN_HEADS.name).to_dict("records"),
    )

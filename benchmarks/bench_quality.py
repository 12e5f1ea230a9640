"""Our recipe against stock FreqAI and against its own ablations, walk-forward on later candles.

``make bench-quality`` or ``python -m benchmarks.bench_quality``. Without a data folder it runs on
the simulated market, whose best possible probabilities are known.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from rich.console import Console

from benchmarks.harness import RESULTS
from benchmarks.quality import tables as shown
from benchmarks.quality.attainable import Ceiling, captured
from benchmarks.quality.data import ROUND_TRIP_COST, Source, load, tables
from benchmarks.quality.measures import Outcomes, measure_all
from benchmarks.quality.picture import draw
from benchmarks.quality.variants import SHORT_LIST, Variant, changed, tried, variants
from benchmarks.quality.walk import Span, walk
from freqai_signals.config import settings_from_config

SIMULATED_TIMERANGE = "20240105-20240305"
RETRAIN_DAYS = 30


def main() -> None:
    arguments = _arguments()
    config = json.loads(Path("config.json").read_text())
    settings = changed(settings_from_config(config), {"booster": {"threads": arguments.threads}})
    pairs = arguments.pairs or config["exchange"]["pair_whitelist"]
    arguments.timerange = arguments.timerange or SIMULATED_TIMERANGE
    source = load(arguments.datadir, pairs, settings.timeframe)
    span = Span.of(arguments.timerange, settings, arguments.retrain_days)
    ceiling = Ceiling(source, settings, (span.first, span.stop)) if source.simulated else None

    known = variants(settings)
    chosen = arguments.variants or [name for name in SHORT_LIST if name in known]
    chosen = list(known) if chosen == ["all"] else chosen
    extra = {variant.name: variant for variant in (tried(settings, w) for w in arguments.tried)}
    if arguments.unseen is not None:
        left_out = _unseen(arguments.unseen, source.pairs)
        extra["ours, unseen pairs"] = Variant("ours, unseen pairs", settings, unseen=left_out)
    known, chosen = known | extra, [*chosen, *extra]
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise SystemExit(f"unknown variants {unknown}; there are: {'; '.join(known)}")
    work = (delayed(run)(known[name], source, span, ceiling) for name in chosen)
    made = Parallel(n_jobs=arguments.processes)(work)
    results = {name: result for name, (result, _) in zip(chosen, made, strict=True)}

    facts = {
        "source": source.name,
        "pairs": list(source.pairs),
        "timerange": arguments.timerange,
        "retrain_days": arguments.retrain_days,
        "round_trip_cost": ROUND_TRIP_COST,
        "settings": settings.model_dump(mode="json"),
    }
    name = arguments.name or f"quality-shipped-{source.name}"
    target = RESULTS / f"{name.replace(' ', '-')}.json"
    shown.write_json(target, facts, results)
    shown.show(results, Console(width=arguments.width))
    print(f"written to {target}")
    if "ours" in chosen:
        title = f"{source.name}, {len(source.pairs)} pairs, {arguments.timerange}"
        draw(target.with_suffix(".png"), title, results, made[chosen.index("ours")][1])
        print(f"written to {target.with_suffix('.png')}")


def run(
    variant: Variant, source: Source, span: Span, ceiling: Ceiling | None
) -> tuple[dict[str, Any], Outcomes]:
    """Walk one variant forward and measure it."""
    begin = time.perf_counter()
    walked = walk(variant, tables(source, variant.settings), span)
    rows = walked.outcomes
    tested = variant.unseen or source.pairs
    result = {
        "all": measure_all(rows, variant.tiers, ROUND_TRIP_COST),
        "pairs": {
            pair: measure_all(rows.take(rows.pair == i), variant.tiers, ROUND_TRIP_COST)
            for i, pair in enumerate(source.pairs)
            if pair in tested
        },
        "captured": captured(ceiling, rows, {p: source.pairs.index(p) for p in tested}),
        "seconds": walked.seconds,
        "trees": walked.trees,
        "models": walked.models,
        "trusted": walked.trusted,
    }
    print(f"{variant.name}: {time.perf_counter() - begin:.0f} s", flush=True)
    return result, rows


def _unseen(asked: list[str], pairs: tuple[str, ...]) -> tuple[str, ...]:
    missing = [pair for pair in asked if pair not in pairs]
    if missing or len(pairs) == 1:
        raise SystemExit(
            f"--unseen takes pairs of {', '.join(pairs)}, and others to train on, got {asked}"
        )
    return tuple(asked) or pairs


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path, help="freqtrade's candles; else simulated")
    parser.add_argument("--timerange", default="", help="YYYYMMDD-YYYYMMDD to test on")
    parser.add_argument("--pairs", nargs="*", help="default: the config's whitelist")
    parser.add_argument("--variants", nargs="*", help="names in the table, or all")
    parser.add_argument(
        "--try",
        dest="tried",
        action="append",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="also measure ours with other settings, such as direction.rounds=200",
    )
    parser.add_argument(
        "--unseen",
        nargs="*",
        metavar="PAIR",
        help="also test these pairs (default: each) with a model of all the others",
    )
    parser.add_argument("--retrain-days", type=int, default=RETRAIN_DAYS, help="default 30")
    parser.add_argument("--processes", type=int, default=2, help="variants at a time")
    parser.add_argument("--threads", type=int, default=1, help="of each training")
    parser.add_argument("--name", default="", help="of the files in benchmarks/results")
    parser.add_argument("--width", type=int, default=230, help="of the tables")
    arguments = parser.parse_args()
    if arguments.datadir is not None and not arguments.timerange:
        parser.error("--datadir needs --timerange, with a training window before it")
    return arguments


if __name__ == "__main__":
    main()

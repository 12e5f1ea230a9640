"""Our recipe against stock FreqAI, other learners and its own ablations, on later candles.

All variants are measured on the same rows against one prior, and each is compared row by row with
the first one named.

``make bench-quality`` or ``python -m benchmarks.bench_quality``. Without a data folder it runs on
the simulated market, whose best possible probabilities are known.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from rich.console import Console

from benchmarks.harness import RESULTS
from benchmarks.quality import tables as shown
from benchmarks.quality.attainable import Ceiling, captured
from benchmarks.quality.data import ROUND_TRIP_COST, Source, load, tables
from benchmarks.quality.learners import missing_package
from benchmarks.quality.measures import Outcomes, advantage, measure_all, on_common_rows
from benchmarks.quality.picture import draw
from benchmarks.quality.variants import SHORT_LIST, Variant, changed, tried, variants
from benchmarks.quality.walk import Span, Walked, common_prior, walk
from freqai_signals.config import settings_from_config
from freqai_signals.dataset.pair_tables import thinned
from freqai_signals.settings import SignalSettings
from freqai_signals.training.cluster import Cluster

SIMULATED_TIMERANGE = "20240105-20240305"
RETRAIN_DAYS = 30


def main() -> None:
    arguments = _arguments()
    config = json.loads(Path("config.json").read_text())
    settings = changed(settings_from_config(config), {"booster": {"threads": arguments.threads}})
    pairs = arguments.pairs or config["exchange"]["pair_whitelist"]
    settings = thinned(settings, len(pairs))
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
    chosen = [name for name in chosen if _installed(known[name])]
    work = (
        delayed(run)(known[name], source, span, settings, arguments.scheduler) for name in chosen
    )
    made = dict(zip(chosen, Parallel(n_jobs=arguments.processes)(work), strict=True))
    common = on_common_rows({name: walked.outcomes for name, walked in made.items()})
    results = {
        name: result(known[name], source, ceiling, walked, common) for name, walked in made.items()
    }

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
    shown.show(results, Console(width=arguments.width), chosen[0])
    print(f"written to {target}")
    if "ours" in chosen:
        title = f"{source.name}, {len(source.pairs)} pairs, {arguments.timerange}"
        draw(target.with_suffix(".png"), title, results, common.get("ours", made["ours"].outcomes))
        print(f"written to {target.with_suffix('.png')}")


def run(
    variant: Variant, source: Source, span: Span, base: SignalSettings, scheduler: str = ""
) -> Walked:
    """Walk one variant forward; its outcomes carry the prior that all variants share."""
    begin = time.perf_counter()
    made = tables(source, variant.settings)
    with Cluster("" if variant.stock or variant.learner else scheduler) as cluster:
        walked = walk(variant, made, span, source.candles, cluster)
    rows = common_prior(walked.outcomes, made, span, base)
    print(f"{variant.name}: {time.perf_counter() - begin:.0f} s", flush=True)
    return replace(walked, outcomes=rows)


def result(
    variant: Variant,
    source: Source,
    ceiling: Ceiling | None,
    walked: Walked,
    common: dict[str, Outcomes],
) -> dict[str, Any]:
    """What a variant's outcomes are worth, on the rows of all variants if it shares their label."""
    rows = common.get(variant.name, walked.outcomes)
    tested = variant.unseen or source.pairs
    first = next(iter(common.values()))
    return {
        "all": measure_all(rows, variant.tiers, ROUND_TRIP_COST),
        "pairs": {
            pair: measure_all(rows.take(rows.pair == i), variant.tiers, ROUND_TRIP_COST)
            for i, pair in enumerate(source.pairs)
            if pair in tested
        },
        "difference": advantage(rows, first) if variant.name in common else None,
        "captured": captured(ceiling, rows, {p: source.pairs.index(p) for p in tested}),
        "seconds": walked.seconds,
        "trees": walked.trees,
        "models": walked.models,
        "trusted": walked.trusted,
    }


def _installed(variant: Variant) -> bool:
    """Whether a variant can be measured here; says what lacks if not."""
    package = missing_package(variant.learner)
    if package:
        print(f"{variant.name}: not installed (pip install {package})", flush=True)
    return not package


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
    parser.add_argument(
        "--scheduler",
        default="",
        metavar="ADDRESS",
        help="of a Dask cluster that trains boosters of ours; their seconds are not known then",
    )
    parser.add_argument("--name", default="", help="of the files in benchmarks/results")
    parser.add_argument("--width", type=int, default=230, help="of the tables")
    arguments = parser.parse_args()
    if arguments.datadir is not None and not arguments.timerange:
        parser.error("--datadir needs --timerange, with a training window before it")
    return arguments


if __name__ == "__main__":
    main()

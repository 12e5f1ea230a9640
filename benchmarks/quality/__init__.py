"""The quality benchmark's parts; ``benchmarks/bench_quality.py`` puts them together."""

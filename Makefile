# Everything runs in .venv, which the first target creates. Needs only make, git and Python >= 3.11.

PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$name; break; }; done)

CONFIG ?= config.json
DATADIR ?=
PAIRS ?=
EDGE ?=
GIVEN_DAYS := $(DAYS)
DAYS ?= 500
SPEED ?= 60
EPOCHS ?= 50
SPACES ?= buy sell
LOSS ?= DeflatedSharpeHyperOptLoss
WORKERS ?= 2
ARGS ?=

# The simulated market has 430 days from 2023-01-01 on: a year to train on, then these two months.
GIVEN_TIMERANGE := $(TIMERANGE)
ifeq ($(DATADIR),)
TIMERANGE ?= 20240105-20240305
SPLIT ?= 20240205
else
SPLIT ?= $(error DATADIR= needs SPLIT=YYYYMMDD, the first day of the later span)
TIMERANGE ?= $(error DATADIR= needs TIMERANGE=YYYYMMDD-YYYYMMDD, with a year of candles before it)
endif

HYPEROPTS := user_data/hyperopts/DeflatedSharpeHyperOptLoss.py
PARAMETERS := strategies/LightGBMSignalStrategy.json

BIN := .venv/bin
INSTALLED := .venv/.installed
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
# Waiting threads of LightGBM would otherwise spin and starve the others on a busy machine.
export OMP_WAIT_POLICY ?= PASSIVE
# Where no bytecode is kept, every start of freqtrade compiles all its modules.
export PYTHONDONTWRITEBYTECODE :=

SANDBOX = $(RUN) freqai-signals sandbox $(if $(DATADIR),--datadir "$(DATADIR)") \
	$(if $(PAIRS),--pairs $(PAIRS)) $(if $(EDGE),--edge $(EDGE)) --
CONFIGS := $(foreach file,$(CONFIG),--config $(file))
STRATEGY := $(CONFIGS) --userdir user_data \
	--strategy LightGBMSignalStrategy --strategy-path strategies \
	--freqaimodel LightGBMSignalClassifier --freqaimodel-path freqai_models

.DEFAULT_GOAL := help
.PHONY: help install dist lock train backtest trade ui ui-check consume rehearse soak report tune hyperopt hyperopt-honest hyperopt-reset lookahead recursive download \
	test test-slow test-rehearsal test-live fuzz lint format bench bench-memory bench-quality clean

help: ## list the targets and their options
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo 'Options: DATADIR= (real candles instead of the simulated market; then TIMERANGE= as well),'
	@echo '  PAIRS="A/USDT B/USDT", TIMERANGE=YYYYMMDD-YYYYMMDD, EDGE= (of the simulated market; 0 = none),'
	@echo '  CONFIG="config.json more.json", ARGS="further options of the command", PYTHON= (to create .venv with);'
	@echo '  rehearse: DAYS=1 SPEED=$(SPEED); soak: HOURS=24 SEED=0 SPEED=120; download: DAYS=$(DAYS); hyperopt: EPOCHS=$(EPOCHS) SPACES="$(SPACES)" WORKERS=$(WORKERS)'
	@echo '  LOSS=$(LOSS); hyperopt-honest: SPLIT=YYYYMMDD'

# --no-compile: Python compiles what is used on first import, which takes less than compiling all.
$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo 'No Python >= 3.11 found; name one: make PYTHON=/path/to/python' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-compile -c constraints.txt -e '.[dev]'
	@touch $@

install: $(INSTALLED) ## create .venv with the tested versions (every other target does so too)

# What lies in build/ from an earlier tree would go into the wheel.
dist: $(INSTALLED) ## the wheel, in dist/; make test-slow installs it into a fresh environment
	rm -rf build dist
	$(BIN)/python -m pip wheel --disable-pip-version-check --quiet --no-deps --wheel-dir dist .
	rm -rf build
	@ls dist

# Newer versions are tested ones only after `make test test-slow` has passed with them.
lock: ## renew constraints.txt from a fresh environment (network)
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv "$$folder"; \
	"$$folder/bin/python" -m pip install --disable-pip-version-check --quiet --no-compile '.[dev]'; \
	grep '^#' constraints.txt > "$$folder/constraints.txt"; \
	"$$folder/bin/python" -m pip freeze --exclude freqai-signals >> "$$folder/constraints.txt"; \
	cp "$$folder/constraints.txt" constraints.txt

backtest: $(INSTALLED) ## freqtrade's backtest through our model and strategy, then the signal report and its page
	@started=$$(date +%s); \
	$(SANDBOX) freqtrade backtesting $(STRATEGY) --cache none --enable-protections \
		--timerange $(TIMERANGE) $(ARGS) && \
	$(RUN) freqai-signals report --since $$started --html

train: $(INSTALLED) ## what `make backtest` would train, on a Dask cluster with SCHEDULER=tcp://HOST:PORT
	$(SANDBOX) freqai-signals train $(STRATEGY) --timerange $(TIMERANGE) \
		$(if $(SCHEDULER),--scheduler "$(SCHEDULER)") $(ARGS)

trade: $(INSTALLED) ## the bot's dry run over history that is served as if it happened now
	@$(RUN) freqai-signals credentials --announce > /dev/null
	$(SANDBOX) freqtrade trade --dry-run $(STRATEGY) --config user_data/credentials.json $(ARGS)

ui: $(INSTALLED) ## freqtrade's web server over backtests, on 127.0.0.1 (FreqUI itself: freqtrade install-ui)
	@$(RUN) freqai-signals credentials --announce --port-file user_data/ui-port.json > /dev/null
	$(SANDBOX) freqtrade webserver $(CONFIGS) --config user_data/credentials.json \
		--config user_data/ui-port.json --userdir user_data $(ARGS)

# FREQUI= is FreqUI's public source (its repository beside freqtrade's), built there with npm; nothing of it comes in here.
ui-check: $(INSTALLED) ## pictures of FreqUI over a backtest in a real browser: FREQUI=DIR (needs npm and Chromium)
	@test -f "$(FREQUI)/package.json" || { echo 'FREQUI= must name a folder with the source of FreqUI' >&2; exit 2; }
	test -d "$(FREQUI)/dist" || (cd "$(FREQUI)" && npm install --no-audit --no-fund && npm run build)
	$(BIN)/python -m benchmarks.ui_check --dist "$(FREQUI)/dist" --timerange $(TIMERANGE) \
		$(if $(DATADIR),--datadir "$(DATADIR)") $(if $(PAIRS),--pairs $(PAIRS)) $(ARGS)

consume: $(INSTALLED) ## a second dry run that trades on the columns of `make trade`, without a model
	$(RUN) freqai-signals credentials
	$(SANDBOX) freqtrade trade --dry-run $(CONFIGS) --config config.consumer.json \
		--config user_data/credentials.consumer.json --userdir user_data \
		--strategy SignalConsumerStrategy --strategy-path strategies \
		--db-url sqlite:///user_data/sandbox/consumer.sqlite $(ARGS)

rehearse: $(INSTALLED) ## the bot on accelerated time, DAYS= at SPEED= (above 1 needs faketime); live against history
	$(RUN) freqai-signals rehearse --config $(CONFIG) --days $(if $(GIVEN_DAYS),$(GIVEN_DAYS),1) --speed $(SPEED) \
		$(if $(DATADIR),--datadir "$(DATADIR)") $(if $(PAIRS),--pairs $(PAIRS)) $(ARGS)

soak: $(INSTALLED) ## the bot left alone for HOURS= (24) of the market while all goes wrong that SEED= draws; needs faketime
	$(RUN) freqai-signals soak $(if $(filter file,$(origin CONFIG)),,--config $(CONFIG)) --hours $(or $(HOURS),24) $(if $(SEED),--seed $(SEED)) --speed $(if $(filter file,$(origin SPEED)),120,$(SPEED)) \
		$(if $(DATADIR),--datadir "$(DATADIR)") $(if $(PAIRS),--pairs $(PAIRS)) $(ARGS)

report: $(INSTALLED) ## the signal report of the last backtest
	$(RUN) freqai-signals report $(ARGS)

# Up to the first day of TIMERANGE=: a backtest of it may know what was found.
tune: $(INSTALLED) ## search for better LightGBM parameters on the days before TIMERANGE=; later trainings use what wins
	$(RUN) freqai-signals tune --config $(CONFIG) --until $(firstword $(subst -, ,$(TIMERANGE))) $(if $(SCHEDULER),--scheduler "$(SCHEDULER)") \
		$(if $(DATADIR),--datadir "$(DATADIR)") $(if $(PAIRS),--pairs $(PAIRS)) $(ARGS)

# The parameter file lies beside the strategy, where freqtrade writes and looks for it.
hyperopt: $(INSTALLED) ## freqtrade's hyperopt of SPACES= over EPOCHS= trials; later backtests use what it found
	$(SANDBOX) freqtrade hyperopt $(STRATEGY) --enable-protections --timerange $(TIMERANGE) --epochs $(EPOCHS) \
		--spaces $(SPACES) --hyperopt-path user_data/hyperopts --hyperopt-loss $(LOSS) \
		--job-workers $(WORKERS) $(ARGS)
	$(RUN) freqai-signals hyperopt

hyperopt-honest: ## hyperopt before the day SPLIT=, then a backtest from that day on
	rm -f $(PARAMETERS)
	$(MAKE) hyperopt TIMERANGE=$(firstword $(subst -, ,$(TIMERANGE)))-$(SPLIT)
	$(MAKE) backtest TIMERANGE=$(SPLIT)-$(lastword $(subst -, ,$(TIMERANGE))) ARGS=

hyperopt-reset: ## drop what hyperopt found: thresholds are those of CONFIG= again
	rm -f $(PARAMETERS)

# Both analyses delete the model folder of their identifier, hence one of their own.
lookahead: $(INSTALLED) ## freqtrade's lookahead-analysis of the strategy
	FREQTRADE__FREQAI__IDENTIFIER=lookahead-analysis $(SANDBOX) freqtrade lookahead-analysis \
		$(STRATEGY) --timerange $(TIMERANGE) $(ARGS)

recursive: $(INSTALLED) ## freqtrade's recursive-analysis of the strategy
	FREQTRADE__FREQAI__IDENTIFIER=recursive-analysis $(SANDBOX) freqtrade recursive-analysis \
		$(STRATEGY) --timerange $(TIMERANGE) $(ARGS)

download: $(INSTALLED) ## real candles into user_data/data/binance: DAYS= or TIMERANGE=, PAIRS= (network)
	$(RUN) freqtrade download-data $(CONFIGS) --userdir user_data --timeframes 5m \
		$(if $(GIVEN_TIMERANGE),--timerange $(GIVEN_TIMERANGE),--days $(DAYS)) \
		$(if $(PAIRS),--pairs $(PAIRS)) $(ARGS)

test: $(INSTALLED) ## unit, property and integration tests, doctests, examples of docs/reference.md
	$(RUN) pytest -n $(WORKERS) --dist loadfile $(ARGS)

test-slow: $(INSTALLED) ## the tests that train for longer or start freqtrade
	$(RUN) pytest -n $(WORKERS) --dist loadfile -m slow $(ARGS)

test-rehearsal: $(INSTALLED) ## hours of the real bot: live equals history whatever goes wrong, while pairs come and go
	$(RUN) pytest -m rehearsal $(ARGS)

test-live: $(INSTALLED) ## the other tests of the real bot; on fast time, so leave the machine idle
	$(RUN) pytest -m live $(ARGS)

fuzz: $(INSTALLED) ## odd settings, candles, files, rows and requests, new ones for MINUTES= (10)
	@end=$$(($$(date +%s) + 60 * $(or $(MINUTES),10))); while [ $$(date +%s) -lt $$end ]; do \
		HYPOTHESIS_PROFILE=fuzz $(RUN) pytest -q tests/fuzz $(ARGS) || exit 1; done

lint: $(INSTALLED) ## ruff (rules and layout) and strict mypy
	$(BIN)/ruff check . $(HYPEROPTS)
	$(BIN)/ruff format --check . $(HYPEROPTS)
	$(BIN)/mypy

format: $(INSTALLED) ## rewrite the sources as `make lint` wants them
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# No ARGS=: each has options of its own, python -m benchmarks.NAME --help lists them.
bench: $(INSTALLED) ## the benchmarks of speed, one after the other, hours; then a table and a picture of all
	@set -e; for name in $(sort $(filter-out bench_quality bench_value bench_memory,$(basename $(notdir $(wildcard benchmarks/bench_*.py))))) summary; do \
		echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

bench-memory: $(INSTALLED) ## memory for the training rows of 5, 20 and 50 pairs
	$(BIN)/python -m benchmarks.bench_memory $(ARGS)

bench-quality: $(INSTALLED) ## our recipe against stock FreqAI on later candles; SCHEDULER=tcp://HOST:PORT as with `make train`
	$(BIN)/python -m benchmarks.bench_quality --timerange $(TIMERANGE) $(if $(SCHEDULER),--scheduler "$(SCHEDULER)") \
		$(if $(DATADIR),--datadir "$(DATADIR)") $(if $(PAIRS),--pairs $(PAIRS)) $(ARGS)

clean: ## remove .venv and caches; user_data stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -path ./user_data -prune -o -name __pycache__ -prune -exec rm -rf {} +

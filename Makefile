PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# Images of containers often forbid to keep compiled modules; then each of the processes of a run, and of the hundreds
# that the tests start, would compile torch and all else again, for ten seconds.
export PYTHONDONTWRITEBYTECODE :=
# Versions of everything that is installed; `make install CONSTRAINTS=` takes the newest that are allowed.
CONSTRAINTS ?= --constraint constraints.txt
# Tests run on all cores: threads of torch's own would wait for each other by spinning. Where a test kills its process,
# pytest-xdist may wait for ever for another one: it ends instead, and says which test that was.
DISTRIBUTED := -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart 0
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(DISTRIBUTED)

.PHONY: install train test test-fast coverage bench bench-gpu docs lint types format check clean

install: $(INSTALLED)  ## a virtual environment with everything that development needs

train: $(INSTALLED)  ## the main job: ALP-GMM teaches PPO on Stump Tracks
	$(BIN)/chiron-train

test: $(INSTALLED)  ## all tests but those that take minutes (-m slow)
	$(PYTEST)

test-fast: $(INSTALLED)  ## tests without training, browser or Slurm, in 80 seconds
	$(PYTEST) -m fast

coverage: $(INSTALLED)  ## all tests, and a table of the lines that none of them runs
	rm -f .coverage .coverage.*
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest $(DISTRIBUTED)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: $(INSTALLED)  ## how fast everything is here, in about ten minutes; results/bench keeps the numbers
	$(BIN)/python -m benchmarks envs vector students teachers run comparison --quick --out results/bench

bench-gpu: $(INSTALLED)  ## what needs an NVIDIA GPU, in two minutes; the engine's part wants the extra `cuda`
	$(BIN)/python -m benchmarks gpu gpu_engine --out results/bench

docs: $(INSTALLED)  ## the documentation site, in build/site; it needs nothing from elsewhere
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

lint: $(INSTALLED)  ## style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED)  ## types
	mkdir -p $(VENV)/types && ln -sfn $(CURDIR) $(VENV)/types/chiron
	$(BIN)/mypy

format: $(INSTALLED)  ## put the code into the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: lint types test  ## everything that has to pass

clean:  ## remove the environment and all caches; results stay
	rm -rf $(VENV) build dist *.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache

# torch comes first: with it in place no other package's open range can pull in a build of several gigabytes.
$(INSTALLED): pyproject.toml constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile $(CONSTRAINTS) torch
	$(BIN)/pip install --quiet --no-compile $(CONSTRAINTS) --editable ".[dev]"
	touch $@

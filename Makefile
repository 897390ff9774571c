# The two commands a newcomer needs: `make run` and `make test`. Each makes .venv and installs from the lock first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --constraint requirements.lock
# Those that read no pixels: detecting text takes a second an image.
DEIDENTIFIERS = -m no-op -m blank-all -m drop-all -m deid -m dicognito -m dicom-anonymizer -m 'keyed-profile[pixels=False]'
SOURCES = $(shell find suite tasks baselines leaderboard -type f ! -name '*.pyc') pyproject.toml

.PHONY: run test lint bench clean

run: $(VENV)/with-all
	$(BIN)/fourfold run --task fair-credit --seeds 3 --results results
	$(BIN)/fourfold run --task dp-images --seeds 1 --epsilon 3 --results results
	$(BIN)/fourfold run --task driver-displacement --seeds 1 --epsilon 3 --results results
	$(BIN)/fourfold run --task dicom-deid --seeds 1 --results results $(DEIDENTIFIERS)
	$(BIN)/fourfold board --results results

test: $(VENV)/with-test
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/with-test
	$(BIN)/ruff check .
	$(BIN)/python -m mypy -p fourfold.suite -p fourfold.tasks -p fourfold.baselines -p fourfold.leaderboard

bench: $(VENV)/with-test
	$(PIP) ".[all,test,lint,peers]"
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The packages first, which is slow and rare; then fourfold itself as a wheel, again after each change of its sources.
$(VENV)/locked: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) ".[all]"
	touch $@

$(VENV)/with-all: $(VENV)/locked $(SOURCES)
	$(PIP) --no-deps --force-reinstall .
	touch $@

$(VENV)/with-test: $(VENV)/with-all
	$(PIP) ".[all,test,lint]"
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info

# Two commands do everything: `make train` and `make test`. Both set up .venv first, once.
PYTHON ?= python3
PY := .venv/bin/python
# Without a GPU, torch comes as the CPU build; where that index cannot be reached, as whatever pip finds.
CPU_INDEX := https://download.pytorch.org/whl/cpu
TORCH := $(shell grep '^torch==' requirements.lock)

.PHONY: setup train test test-slow check docs serve dashboard tracker clean

setup: .venv/ready

.venv/ready: requirements.lock
	$(PYTHON) -m venv .venv
	@command -v nvidia-smi >/dev/null || $(PY) -m pip install -q --retries 0 --extra-index-url $(CPU_INDEX) "$(TORCH)+cpu" \
		|| $(PY) -m pip install -q "$(TORCH)"
	$(PY) -m pip install -q -r requirements.lock
	@touch $@

train: setup
	$(PY) run.py --pipeline training --task breast_cancer

test: setup
	$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=90

test-slow: setup
	$(PY) -m pytest -m slow

check: setup docs
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m bandit -q -c pyproject.toml -r credence steps pipelines materializers stacks bentos run.py
	$(PY) run.py schema --check
	$(PY) -m pytest tests/house tests/docs

docs: setup
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet --strict

serve: setup
	$(PY) -m bentoml serve credence:latest --host 127.0.0.1

dashboard: setup
	$(PY) -m stacks.dashboard

tracker: setup
	$(PY) -m mlflow ui --host 127.0.0.1 --backend-store-uri "$$(ZENML_LOGGING_VERBOSITY=ERROR $(PY) -m stacks.tracker)"

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* mlruns site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

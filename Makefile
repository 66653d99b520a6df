# make demo and make test set up one .venv where there is none, then do their job.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/ready

# An interpreter with snntorch, norse, spikingjelly, nir and nirtorch; built here where none is given.
NIR_VENV := .venv-nir
NIR_PYTHON ?= $(NIR_VENV)/bin/python

.PHONY: demo test lint clean test-interop-nir

demo: $(READY)
	$(VENV)/bin/neurogen demo --out runs/demo

test: $(READY)
	$(VENV)/bin/python -m pytest

# Our .nir files in SpikingJelly, snnTorch and norse; NIR_PYTHON=/path/to/python takes an environment that exists.
test-interop-nir: $(READY) $(NIR_PYTHON)
	NEUROGEN_NIR_PYTHON="$(abspath $(NIR_PYTHON))" $(VENV)/bin/python -m pytest -s -m interop tests/export/test_nir_simulators.py

$(NIR_VENV)/bin/python:
	$(PYTHON) -m venv $(NIR_VENV)
	$(NIR_VENV)/bin/python -m pip install --quiet --disable-pip-version-check snntorch norse "spikingjelly>=2.0,<3" "nir>=1.0.7,<2" "nirtorch>=2.6,<2.7" \
		|| { rm -rf $(NIR_VENV); exit 1; }

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

$(READY): setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "neurogen needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; say make PYTHON=python3.11")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) $(NIR_VENV) build *.egg-info

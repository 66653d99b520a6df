# make demo and make test set up one .venv where there is none, then do their job.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/ready

# An interpreter with snntorch, norse, spikingjelly, nir and nirtorch; built here where none is given.
NIR_VENV := .venv-nir
NIR_PYTHON ?= $(NIR_VENV)/bin/python

# An interpreter with neurogen's needs and BrainCog; built here where none is given.
BRAINCOG_VENV := .venv-braincog
BRAINCOG_PYTHON ?= $(BRAINCOG_VENV)/bin/python

# An interpreter with tonic and other readers of event files; built here where none is given.
READERS_VENV := .venv-readers
READERS_PYTHON ?= $(READERS_VENV)/bin/python

# An interpreter of Python 3.10 with lava-dl; built here, from PYTHON310, where none is given.
PYTHON310 ?= python3.10
LAVA_VENV := .venv-lava
LAVA_PYTHON ?= $(LAVA_VENV)/bin/python

.PHONY: demo test lint clean test-interop test-interop-nir test-interop-snntorch test-interop-braincog test-interop-readers verify-lava

demo: $(READY)
	$(VENV)/bin/neurogen demo --out runs/demo

test: $(READY)
	$(VENV)/bin/python -m pytest

# Our .nir files in SpikingJelly, snnTorch and norse; NIR_PYTHON=/path/to/python takes an environment that exists.
test-interop-nir: $(READY) $(NIR_PYTHON)
	NEUROGEN_NIR_PYTHON="$(abspath $(NIR_PYTHON))" $(VENV)/bin/python -m pytest -s -m interop tests/export/test_nir_simulators.py tests/export/test_snntorch.py

$(NIR_VENV)/bin/python:
	$(PYTHON) -m venv $(NIR_VENV)
	$(NIR_VENV)/bin/python -m pip install --quiet --disable-pip-version-check snntorch norse "spikingjelly>=2.0,<3" "nir>=1.0.7,<2" "nirtorch>=2.6,<2.7" \
		|| { rm -rf $(NIR_VENV); exit 1; }

# The SAE's neuron against snnTorch's Leaky; NIR_PYTHON as above.
test-interop-snntorch: $(READY) $(NIR_PYTHON)
	NEUROGEN_NIR_PYTHON="$(abspath $(NIR_PYTHON))" $(VENV)/bin/python -m pytest -s -m interop tests/neurogen/neurons/test_snntorch_leaky.py

# Neurons, models and networks on BrainCog's own nodes; BRAINCOG_PYTHON=/path/to/python takes an environment that exists.
test-interop-braincog: $(READY) $(BRAINCOG_PYTHON)
	NEUROGEN_BRAINCOG_PYTHON="$(abspath $(BRAINCOG_PYTHON))" $(VENV)/bin/python -m pytest -s -m interop tests/neurogen/neurons/test_braincog.py

$(BRAINCOG_VENV)/bin/python:
	$(PYTHON) -m venv $(BRAINCOG_VENV)
	$(BRAINCOG_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable . braincog \
		|| { rm -rf $(BRAINCOG_VENV); exit 1; }

# Our event files in other readers; READERS_PYTHON=/path/to/python takes an environment that exists.
test-interop-readers: $(READY) $(READERS_PYTHON)
	NEUROGEN_READERS="$(abspath $(READERS_PYTHON))" $(VENV)/bin/python -m pytest -m interop tests/event_tools

$(READERS_VENV)/bin/python:
	$(PYTHON) -m venv $(READERS_VENV)
	$(READERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable . tonic torchaudio \
		|| { rm -rf $(READERS_VENV); exit 1; }

# Every partner's, one after the other.
test-interop: test-interop-nir test-interop-snntorch test-interop-braincog test-interop-readers verify-lava

# netx files in real lava, layer by layer beside the simulator: NET="a.net b.net", or the test networks without it.
verify-lava: $(READY) $(LAVA_PYTHON)
	$(VENV)/bin/python -m tests.export.verify_lava --python "$(abspath $(LAVA_PYTHON))" $(NET)

$(LAVA_VENV)/bin/python:
	$(PYTHON310) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10) and "lava-dl needs Python 3.10, this is " + sys.version.split()[0] + "; say make verify-lava PYTHON310=/path/to/python3.10")'
	$(PYTHON310) -m venv $(LAVA_VENV)
	$(LAVA_VENV)/bin/python -m pip install --quiet --disable-pip-version-check lava-nc==0.10.0 lava-dl==0.6.0 "numpy<2" \
		|| { rm -rf $(LAVA_VENV); exit 1; }

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

$(READY): setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "neurogen needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; say make PYTHON=python3.11")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) $(NIR_VENV) $(BRAINCOG_VENV) $(READERS_VENV) $(LAVA_VENV) build *.egg-info

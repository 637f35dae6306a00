# Two commands matter: `make demo` and `make test`. `make` alone lists all of them.
.DEFAULT_GOAL := help
.PHONY: configuration fields conformance clients fault soak load k8s-check dashboards rules help demo run test setup models model-tiny lint style types imports fmt migration lock image-locks images clean

PYTHON ?= python3
BIN := .venv/bin

##@ Start here
demo: setup models ## Set up, start a stack, stream a conversation through it, stop (first time: up to 8 minutes)
	@$(BIN)/drover demo

run: setup models ## Start a stack that stays; prints its URL, a key and a curl line; Ctrl-C stops it
	@$(BIN)/drover up

test: setup models lint clients ## Lint, types, import contracts, then every test on real servers
	$(BIN)/python -m pytest

##@ Break it
conformance: setup models clients ## The official clients, and 2,000 requests that Schemathesis makes of our OpenAPI page
	SCHEMATHESIS_EXAMPLES=60 SCHEMATHESIS_TIME_S=900 $(BIN)/python -m pytest tests/e2e/clients

fault: setup ## Fault tests, long form: make fault [TESTS="F1 F3"] [SEED=7] [ROUNDS=1] [TIMES=1.0] [KILLS=1000] [DOCS=1]
	$(BIN)/python -m tests.fault $(TESTS) --seed $(or $(SEED),7) --rounds $(or $(ROUNDS),1) --times $(or $(TIMES),1) $(if $(KILLS),--kills $(KILLS) --workers 5 --gateways 4) $(if $(DOCS),--docs)

soak: setup ## F1, F9 and F12 mixed, with memory, descriptors and keys watched: make soak MINUTES=30
	$(BIN)/python -m tests.fault F25 --seed $(or $(SEED),7) --minutes $(or $(MINUTES),30)

##@ Kubernetes
k8s-check: setup ## Render every overlay of k8s/ with kubectl, validate it, and compare it with the services' code
	@$(BIN)/python -m k8s.check

##@ Measure it
load: setup ## Load a server, write a report: make load URL=… KEY=… [SHAPE=spike] [USERS=16] [DURATION=60] [MIX=chat=8,session=3] [ARGS="--max-ttft-p95-ms 500"]
	@test -n "$(URL)" || { echo 'Say URL=http://… (and KEY=…); `make run` prints both for a stack of yours.'; exit 2; }
	$(BIN)/python -m tests.load --url $(URL) $(if $(KEY),--key $(KEY)) --shape $(or $(SHAPE),steady) --users $(or $(USERS),16) --mix $(or $(MIX),chat) $(if $(DURATION),--duration $(DURATION)) $(ARGS)

##@ Set-up
setup: ## Make .venv from the lock; does nothing when it is up to date
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) scripts/setup.py

clients: setup ## Install the official clients that the conformance tests run, apart from .venv
	@$(BIN)/python scripts/clients.py

models: setup ## Make the demo model that is not in the repository
	@test -f models/all-minilm-l6-v2.gguf || $(BIN)/python -m models.minilm.build

model-tiny: ## Train drover-tiny anew (40 minutes on an idle core), export it, examine it
	$(PYTHON) -m venv .build/tiny
	.build/tiny/bin/python -m pip install --quiet --requirement models/tiny/requirements.txt
	.build/tiny/bin/python -m models.tiny.train
	.build/tiny/bin/python -m models.tiny.export
	.build/tiny/bin/python -m models.tiny.evaluate
	@echo "Put into models/models.toml: sha256 = \"$$(sha256sum models/drover-tiny.gguf | cut -d' ' -f1)\""

##@ Images
IMAGES := gateway worker session_service embedding_service cli
TAG ?= dev
CUDA_IMAGE ?= nvidia/cuda:12.8.1-devel-ubuntu24.04
GPU_ARGS := $(if $(filter cuda,$(GPU)),--build-arg LLAMA_IMAGE=$(CUDA_IMAGE) --build-arg CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_CUDA=ON")
images: ## Build the images: make images [SERVICE=gateway] [TAG=dev] [REGISTRY=ghcr.io/you/] [GPU=cuda] [ARGS=…]
	set -e; for image in $(or $(SERVICE),$(IMAGES)); do docker build --file $$image/Dockerfile --tag $(REGISTRY)drover-$$(echo $$image | tr _ -):$(TAG) --build-arg VERSION=$(TAG) --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null) $(GPU_ARGS) $(ARGS) .; done

##@ Change it
lint: style types imports ## Check style, types and import contracts

style: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

fmt: setup ## Let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

migration: setup ## Write the next migration from tables.py, with `make run` up: make migration m="what changes"
	@test -n "$(m)" -a -f .drover/stack.json || { echo 'Say m="what changes", with `make run` up in another terminal.'; exit 1; }
	@DATABASE_URL=$$($(BIN)/drover status --json | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)["database_url"])') $(BIN)/python -m session_service.admin write-migration --message "$(m)"

configuration: setup ## Write docs/configuration.md and .env.example from the settings classes
	$(BIN)/python -m scripts.configuration

fields: setup ## Write docs/fields.md, what becomes of every field of OpenAI's and Anthropic's requests
	$(BIN)/python -m scripts.fields

dashboards: setup ## Write Grafana's dashboards from scripts/dashboards, and the table of metrics in docs/operations.md
	$(BIN)/python -m scripts.dashboards
	$(BIN)/python -m scripts.metrics_table

rules: ## Run the test cases of Prometheus' alert rules (needs promtool: Debian's package prometheus has it)
	promtool check rules deploy/monitoring/prometheus/rules/*.yml
	promtool test rules tests/unit/monitoring/alerts.promtool.yml

lock: ## Resolve the dependencies anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --all-extras pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --all-extras --group dev pyproject.toml -c requirements.lock -o requirements-dev.lock
	@$(MAKE) --no-print-directory image-locks

# One lock for each image, with the versions of requirements.lock; llama.cpp apart, because it is compiled with options.
COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -c requirements.lock
image-locks: ## Write requirements/*.lock, what each image installs, from requirements.lock (needs uv)
	for extra in gateway worker session embedding cli; do $(COMPILE) --extra $$extra --no-emit-package llama-cpp-python pyproject.toml -o requirements/$$extra.lock || exit 1; done
	$(COMPILE) requirements/models.in -o requirements/models.lock
	$(COMPILE) --no-deps requirements/llama.in -o requirements/llama.lock
	$(COMPILE) requirements/llama-build.in -o requirements/llama-build.lock

clean: ## Remove .venv, caches and built files; a stack's data in .drover stays
	rm -rf .venv .build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Help
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

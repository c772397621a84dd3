.DEFAULT_GOAL := help
SHELL := bash

# The first Python here that is new enough
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/ready
LIBRARY := .build/library
WHEEL := $(LIBRARY)/music_streams-0.1.0-py3-none-any.whl
# A worker for each core, but no more than there are long groups of tests (tests/workers.py)
WORKERS := -n logical --maxprocesses 4 -p tests.workers

##@ The two commands
.PHONY: demo
demo: setup ## The whole trip on this machine: sample files from S3 to metrics in DynamoDB, then stop
	export LOCAL_CLOUD_STATE=.local/demo; \
	trap './music-streams down' EXIT; \
	./music-streams up --fresh && ./music-streams demo

.PHONY: test
test: lint library ## Lint, types, template checks, unit and integration tests, the main end-to-end test
	$(BIN)/python -m pytest $(WORKERS) -m "not slow"

##@ Work on it
.PHONY: up
up: setup ## Start the local cloud and deploy the pipeline to it (FRESH=1: start empty)
	./music-streams up $(if $(FRESH),--fresh)

.PHONY: down
down: setup ## Stop the local cloud; no process stays behind
	./music-streams down

.PHONY: logs
logs: setup ## Follow the one log of the local cloud
	./music-streams logs --follow

.PHONY: lint
lint: setup ## Formatting, lint, types, template
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/cfn-lint template.yaml

.PHONY: test-all
test-all: lint library ## Everything, the slow tests too
	$(BIN)/python -m pytest $(WORKERS)

.PHONY: lock
lock: setup ## Compile the pinned, hashed requirements anew
	for file in requirements/uv requirements/dev functions/requirements; do \
	    $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	        $$file.in --output-file $$file.txt; \
	done

##@ Deploy to AWS
.PHONY: deploy
deploy: library ## Deploy with the SAM CLI (ARTIFACTS_BUCKET=a bucket of yours)
	$(if $(ARTIFACTS_BUCKET),,$(error say which bucket takes the artifacts: make deploy ARTIFACTS_BUCKET=my-artifacts))
	sam build
	aws s3 cp --recursive $(LIBRARY) s3://$(ARTIFACTS_BUCKET)/library/
	sam deploy --s3-bucket $(ARTIFACTS_BUCKET) --parameter-overrides ArtifactsBucket=$(ARTIFACTS_BUCKET)

##@ Parts of the above
.PHONY: setup
setup: $(READY) ## Install what the project needs into .venv

$(READY): requirements/uv.txt requirements/dev.txt
	$(if $(PYTHON),,$(error music-streams needs Python 3.11 or newer; set PYTHON=/path/to/python3.11))
	echo "Setting up .venv (once, about half a minute) ..."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	ln -sf ../../music-streams $(BIN)/music-streams
	touch $@

.PHONY: library
library: $(WHEEL) ## Build the package that the two Glue jobs import

$(WHEEL): pyproject.toml $(shell find music_streams -name '*.py' 2>/dev/null) | $(READY)
	$(BIN)/uv build --quiet --wheel --out-dir $(LIBRARY)
	cp $(WHEEL) $(LIBRARY)/music_streams.zip  # Spark takes .zip, Python Shell takes .whl: the same bytes

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.SILENT:

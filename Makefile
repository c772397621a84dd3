.DEFAULT_GOAL := help
SHELL := bash

# The first Python on the PATH that is new enough
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/ready
PACKAGE := .build/package
# One worker per core, but no more than there are long groups of tests (tests/workers.py)
WORKERS := -n logical --maxprocesses 4 -p tests.workers
TOOLS := .build/tools
SAM := $(TOOLS)/sam/bin/sam
GATE := .build/gate
# Files that codespell checks for misspellings, and for words that checks/words.txt replaces
PROSE := $(wildcard *.md) docs template.yaml statemachine samconfig.toml Makefile music_streams music_streams_cli plugins local \
    functions glue dags deploy checks benchmarks tests
STATE_MACHINES := $(wildcard statemachine/*.asl.yaml)
DASHBOARD_CHARTS := plugins/music_streams_airflow/dashboard/static/vendor/chart.umd.min.js

##@ First steps
.PHONY: demo
demo: setup ## Run the pipeline end to end on this machine: sample files from S3 to metrics in DynamoDB
	export LOCAL_CLOUD_STATE=.local/demo; \
	trap './music-streams down' EXIT; \
	./music-streams up --fresh && ./music-streams demo

.PHONY: test
test: lint package $(TOOLS)/airflow/ready ## Run lint, types, the gate, unit and integration tests, and the main end-to-end test
	$(BIN)/python -m pytest $(WORKERS) -m "not slow"

##@ Development
.PHONY: up
up: setup ## Start the local cloud and deploy the pipeline to it (FRESH=1: start empty)
	./music-streams up $(if $(FRESH),--fresh)

.PHONY: airflow
airflow: setup $(TOOLS)/airflow/ready $(DASHBOARD_CHARTS) ## Start the local cloud and Airflow, on http://127.0.0.1:8080 (AIRFLOW_PORT=another)
	./music-streams up
	$(BIN)/python -m local airflow --python $(TOOLS)/airflow/bin/python --dags dags --plugins plugins --pythonpath .

.PHONY: down
down: setup ## Stop the local cloud and Airflow, and check that no process is left
	./music-streams down

.PHONY: logs
logs: setup ## Follow the log of the local cloud
	./music-streams logs --follow

.PHONY: lint
lint: setup gate ## Check formatting, style, types, imports, wording, and run the gate
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	PYTHONPATH=plugins $(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/codespell -D - -D checks/words.txt $(PROSE)

.PHONY: gate
gate: $(GATE)/passed ## Check the template and the state machine as AWS receives them, if they have changed

$(GATE)/passed: template.yaml samconfig.toml $(STATE_MACHINES) $(wildcard checks/*) \
        $(TOOLS)/sam/ready $(TOOLS)/checkov/ready $(TOOLS)/asl-validator/ready | $(READY)
	$(BIN)/python -m checks.translate template.yaml $(GATE)/template.json
	$(BIN)/cfn-lint template.yaml $(GATE)/template.json
	SAM_CLI_TELEMETRY=0 $(SAM) validate --lint --template template.yaml --region us-east-1
	$(TOOLS)/checkov/bin/checkov --config-file checks/checkov.yaml --file $(GATE)/template.json
	PATH="$$PWD/$(TOOLS)/node/bin:$$PATH" $(TOOLS)/asl-validator/node_modules/.bin/asl-validator $(addprefix --yaml-path ,$(STATE_MACHINES))
	touch $@

.PHONY: test-all
test-all: lint package $(TOOLS)/airflow/ready $(TOOLS)/airflow-oldest/ready ## Run all tests, including the slow ones
	$(BIN)/python -m pytest $(WORKERS)

.PHONY: sam-local
sam-local: setup $(TOOLS)/sam/ready ## Run sam build, and each file of events/ through its function in a container (Linux on x86_64, as root)
	EVERY_EVENT=1 $(BIN)/python -m pytest -m slow tests/sam

.PHONY: bench
bench: setup ## Measure time, CPU and memory on local clouds: an hour, on an idle machine (PARTS="load validate": only those)
	$(BIN)/python -m benchmarks $(PARTS)

.PHONY: lock
lock: setup $(TOOLS)/node/ready ## Compile the pinned and hashed requirements
	for file in requirements/{uv,dev,sam,checkov,node,airflow,airflow-oldest} functions/requirements; do \
	    $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	        $$file.in --output-file $$file.txt; \
	done
	# For managed Airflow: the versions that are tested here, without the packages that its oldest image includes
	image=requirements/managed-airflow/3.0.6.txt; \
	grep -oE '^(duckdb|pyarrow|pyiceberg)==[^ ]+' requirements/airflow.txt > $(TOOLS)/tested.txt; \
	$(BIN)/uv pip compile --quiet --python-version 3.12 --python-platform x86_64-manylinux_2_28 --only-binary :all: \
	    --generate-hashes --no-header --no-annotate --constraint $$image --constraint $(TOOLS)/tested.txt \
	    $$(sed -nE 's/^([^#=]+)==.*/--no-emit-package \1/p' $$image) \
	    requirements/managed-airflow.in --output-file requirements/managed-airflow.txt
	# Without --omit-lockfile-registry-resolved, npm writes the registry of each package into the lock.
	PATH="$$PWD/$(TOOLS)/node/bin:$$PATH" npm install --silent --ignore-scripts --package-lock-only --omit-lockfile-registry-resolved --prefix requirements/asl-validator
	PATH="$$PWD/$(TOOLS)/node/bin:$$PATH" npm install --silent --ignore-scripts --package-lock-only --omit-lockfile-registry-resolved --prefix requirements/dashboard
	$(BIN)/python -m local.spark_jars

##@ Deploy to AWS
.PHONY: package
package: jobs $(DASHBOARD_CHARTS) ## Package the Glue jobs and the files for Airflow, in folders named by their content
	$(BIN)/python -m deploy.package airflow $(PACKAGE)

.PHONY: deployable
deployable: setup
	$(if $(SKIP_CHECKS),,$(BIN)/python -m deploy.check "$(ARTIFACTS_BUCKET)" $(PARAMETERS))

.PHONY: deploy
deploy: deployable package $(TOOLS)/sam/ready ## Check, package, upload and deploy (ARTIFACTS_BUCKET=my-artifacts; optional: PARAMETERS, OPTIONS of sam deploy)
	for part in jobs airflow; do \
	    version=$$(cat $(PACKAGE)/$$part/version) && \
	    echo "Uploading $$part $$version ..." && \
	    $(BIN)/python -m deploy.upload $(PACKAGE)/$$part/$$version s3://$(ARTIFACTS_BUCKET)/$$part/$$version \
	    || exit 1; \
	done
	echo "Building the functions ..."
	SAM_CLI_TELEMETRY=0 $(SAM) build
	echo "Deploying the stack ..."
	SAM_CLI_TELEMETRY=0 $(SAM) deploy --force-upload --s3-bucket $(ARTIFACTS_BUCKET) --s3-prefix functions \
	    --parameter-overrides ArtifactsBucket=$(ARTIFACTS_BUCKET) JobsVersion=$$(cat $(PACKAGE)/jobs/version) $(PARAMETERS) $(OPTIONS)

##@ Steps of the targets above
.PHONY: setup
setup: $(READY) ## Install the dependencies into .venv

$(READY): requirements/uv.txt requirements/dev.txt
	$(if $(PYTHON),,$(error music-streams needs Python 3.11 or newer; set PYTHON=/path/to/python3.11))
	echo "Setting up .venv (once, about half a minute) ..."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	ln -sf ../../music-streams $(BIN)/music-streams
	touch $@

.PHONY: jobs
jobs: setup ## Package the scripts and the library of the Glue jobs
	$(BIN)/python -m deploy.package jobs $(PACKAGE)

# Tools with separate environments, which are rebuilt when their lock changes
$(TOOLS)/%/ready: requirements/%.txt | $(READY)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python --require-hashes -r $<
	touch $@

$(TOOLS)/asl-validator/ready: requirements/asl-validator/package.json requirements/asl-validator/package-lock.json \
        $(TOOLS)/node/ready
	mkdir -p $(@D)
	cp requirements/asl-validator/package*.json $(@D)
	PATH="$$PWD/$(TOOLS)/node/bin:$$PATH" npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $(@D)
	touch $@

# The only file of Chart.js that the dashboard's pages use
$(DASHBOARD_CHARTS): requirements/dashboard/package.json requirements/dashboard/package-lock.json $(TOOLS)/node/ready
	mkdir -p $(TOOLS)/dashboard $(@D)
	cp requirements/dashboard/package*.json $(TOOLS)/dashboard
	PATH="$$PWD/$(TOOLS)/node/bin:$$PATH" npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $(TOOLS)/dashboard
	cp $(TOOLS)/dashboard/node_modules/chart.js/dist/chart.umd.min.js $@
	touch $@

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.SILENT:

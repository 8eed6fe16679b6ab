# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := $(CURDIR)/.venv/bin
LINK := .ansible/collections/ansible_collections/fedops/flower
BUILD := .cache/build
IMPORTER := .cache/importer
BUILDER := .cache/builder
NEWEST := .cache/newest
NVFLARE := .cache/nvflare
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock"

# Everything that runs, runs from the checkout: its tools, its collection, and no settings of the user's.
export PATH := $(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.ansible/collections
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible

# For tools that leave files in the home directory.
OWN_HOME := mkdir -p .cache/home && HOME="$(CURDIR)/.cache/home"

# The order is: what tells most in the least time, first.
GATES := generated lint units changelog docs importer environment sanity molecule

# Percent of lines and branches that the unit tests reach; what stands, and it may only be raised. Whoever is not root
# cannot run all of them.
FLOOR := $(if $(filter 0,$(shell id -u)),94,80)

# The scenarios of molecule, and those of them that are not for every day.
SCENARIOS := $(notdir $(patsubst %/molecule.yml,%,$(wildcard molecule/*/molecule.yml)))
LONG := backup delivery disk_full exact_resume first_boot gpus hostile mirror recovery recovery_long redeploy runner storage_vm supervisor trackers upgrade

.PHONY: help
help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: bootstrap
bootstrap: ## Install the missing system packages (Debian, Ubuntu; asks apt only when something is missing)
	@tools/bootstrap

.PHONY: venv
venv: .venv/.synced $(LINK) ## Make the virtual environment of the development tools

.venv/.synced: requirements/dev.txt tools/venv
	tools/venv .venv requirements/dev.txt

$(IMPORTER)/venv/.synced: requirements/importer.txt tools/venv | .venv/.synced
	mkdir -p $(IMPORTER)
	tools/venv $(IMPORTER)/venv requirements/importer.txt

$(BUILDER)/venv/.synced: requirements/builder.txt tools/venv | .venv/.synced
	mkdir -p $(BUILDER)
	tools/venv $(BUILDER)/venv requirements/builder.txt

$(NVFLARE)/venv/.synced: requirements/nvflare.txt tools/venv | .venv/.synced
	mkdir -p $(NVFLARE)
	tools/venv $(NVFLARE)/venv requirements/nvflare.txt

# Ansible finds a collection by its path; this one is reached through a link to the checkout.
$(LINK):
	mkdir -p $(@D)
	ln -sfn ../../../.. $@

.PHONY: lock
lock: venv ## Renew the hashed locks of the development tools, and of the libraries of trackers
	$(LOCK) --upgrade requirements/dev.in -o requirements/dev.txt
	$(LOCK) --upgrade requirements/importer.in -o requirements/importer.txt
	$(LOCK) --upgrade requirements/builder.in -o requirements/builder.txt
	$(LOCK) --upgrade requirements/nvflare.in -o requirements/nvflare.txt
	$(LOCK) --upgrade requirements/simulation.in -o roles/simulation/files/requirements.txt
	$(LOCK) --upgrade requirements/huggingface.in -o playbooks/files/huggingface.txt
	$(subst 3.11,3.12,$(LOCK)) --upgrade requirements/newest.in -o requirements/newest.txt
	for tracker in mlflow wandb tensorboard; do \
	  $(LOCK) --upgrade requirements/trackers/$$tracker.in -o roles/trackers/files/$$tracker.txt; done

.PHONY: generate
generate: venv ## Write the files that follow from the table of training variables
	python tools/generate.py

.PHONY: generated
generated: venv ## Gate: the generated files are those that the table gives
	python tools/generate.py --check

.PHONY: format
format: venv ## Format the Python code
	ruff format .
	ruff check --fix .

.PHONY: lint
lint: venv ## Gate: ruff, mypy, shellcheck, yamllint, ansible-lint (production profile)
	ruff check .
	ruff format --check .
	mypy
	tools/shellcheck
	yamllint --strict .
	ansible-lint --offline

.PHONY: units
units: venv ## Gate: unit tests of the plugins, the app and the repository itself, and how much of the code they reach
	pytest --numprocesses auto --dist worksteal --cov --cov-report=term --cov-fail-under=$(FLOOR) tests/unit

.PHONY: sanity
sanity: venv ## Gate: ansible-test sanity, with nothing ignored
	tools/ansible-test sanity

.PHONY: docs
docs: venv ## Gate: the documentation of modules, plugins and roles, and every reference in it
	$(OWN_HOME) antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=dependent --disallow-unknown-collection-refs .

.PHONY: changelog
changelog: venv ## Gate: the changelog fragments
	antsibull-changelog lint

.PHONY: build
build: venv ## Build the collection's archive in .cache/build
	rm -rf $(BUILD)
	python tools/tree.py $(BUILD)
	ansible-galaxy collection build --output-path $(BUILD) $(BUILD)/ansible_collections/fedops/flower

.PHONY: importer
importer: build $(IMPORTER)/venv/.synced ## Gate: Galaxy's own check of the built archive
	$(OWN_HOME) tools/importer $(IMPORTER)/venv $(BUILD)/fedops-flower-*.tar.gz

.PHONY: archive
archive: build ## Every playbook of the built archive, listed and rehearsed by the oldest and the newest ansible-core
	tools/archive .venv $(BUILD)/fedops-flower-*.tar.gz
	tools/newest $(NEWEST)/venv $(BUILD)/fedops-flower-*.tar.gz

.PHONY: environment
environment: build $(BUILDER)/venv/.synced ## Gate: ansible-builder reads the collection and makes the execution environment's context
	tools/environment $(BUILDER)/venv $(BUILD) $(BUILDER)/context

.PHONY: molecule
molecule: bootstrap venv ## Gate: the scenarios, on real systemd hosts in containers
	MOLECULE_COMMAND_BORDERS=false molecule test $(addprefix --scenario-name=,$(filter-out $(LONG),$(SCENARIOS)))

.PHONY: molecule-long
molecule-long: bootstrap venv ## Test what takes long or needs virtual machines: kills, full disks, reboots
	@tools/bootstrap testbed/vm/packages.txt
	EXACT_RESUME_KILLS=20 MOLECULE_COMMAND_BORDERS=false molecule test $(addprefix --scenario-name=,$(LONG))

.PHONY: contract
contract: venv ## Test what we rely on of Flower against a real SuperLink, before another release of Flower is taken
	pytest tests/contract

.PHONY: test-examples
test-examples: venv ## Test what needs more than the gates have: PyTorch, PEFT, pyarrow, dp-accounting
	tools/test-examples

.PHONY: test-simulation
test-simulation: venv ## Test simulated sites on Flower's simulation runtime, with Ray
	tools/test-simulation

.PHONY: test-trackers
test-trackers: venv ## Test what follows trainings and publishes models with the libraries of it, and the real server of MLflow
	tools/test-trackers

.PHONY: smoke-benchmarks
smoke-benchmarks: bootstrap venv $(NVFLARE)/venv/.synced ## Run every benchmark as briefly as it can be run (fifteen minutes, installs QEMU)
	@tools/bootstrap testbed/vm/packages.txt
	python benchmarks/smoke.py

.PHONY: test
test: bootstrap ## All gates, one after the other, up to the first that fails
	@tools/gates $(GATES)

.PHONY: test-all
test-all: bootstrap ## All gates, the contract with Flower, the tests of examples and trackers, and what takes long
	@tools/gates $(GATES) archive contract test-examples test-simulation test-trackers smoke-benchmarks molecule-long

SCHEDULE ?= linear_warmup total_iters=5 then cosine T_max=45
RATE ?= 0.1
ROUNDS ?= 50

.PHONY: schedule
schedule: venv ## Show the rate of each round: make schedule SCHEDULE='cosine T_max=50' RATE=0.1 ROUNDS=50
	@python tools/schedule.py '$(SCHEDULE)' --rate '$(RATE)' --rounds '$(ROUNDS)'

.PHONY: demo
demo: bootstrap venv ## Four hosts on this machine, a federation on them, a training, a plot, a report
	testbed/demo

.PHONY: demo-down
demo-down: venv ## Remove the hosts of the demo
	testbed/demo down

.PHONY: bench-checkpoint
bench-checkpoint: venv ## Saving a checkpoint against the disk's own speed (two minutes, 5 GB for that time)
	python benchmarks/checkpoint.py

.PHONY: bench-backends
bench-backends: bootstrap venv ## Saving on a disk and on NFS, on virtual machines (ten minutes); renews docs/storage.md
	@tools/bootstrap testbed/vm/packages.txt
	python benchmarks/backends.py
	python tools/generate.py

.PHONY: bench-deploy
bench-deploy: bootstrap venv ## Deploying 1 + 3 hosts against a script written by hand, and module executions (ten minutes)
	python benchmarks/deploy.py

.PHONY: bench-deploy-sizes
bench-deploy-sizes: bootstrap venv ## What deploying 1, 10 and 50 SuperNodes costs the controller (half an hour, 16 GB of memory)
	python benchmarks/deploy.py --sizes 1 10 50

.PHONY: bench-byzantine
bench-byzantine: venv ## Every strategy against sites that lie, on a simulated grid (five minutes); renews docs/robustness.md
	python benchmarks/byzantine.py
	python tools/generate.py

.PHONY: bench-liars
bench-liars: venv ## Robust strategies against liars that hide, on a simulated grid (hours); renews docs/robustness.md
	python benchmarks/liars.py
	python tools/generate.py

.PHONY: bench-normalization
bench-normalization: venv ## Every strategy with a batch normalization and with its twin that has no buffers (fifteen minutes)
	python benchmarks/normalization.py
	python tools/generate.py

.PHONY: bench-aggregation
bench-aggregation: venv ## What each strategy's arithmetic costs at 100 MB beside that of the first release (three minutes)
	python benchmarks/aggregation.py
	python tools/generate.py

.PHONY: bench-client-drift
bench-client-drift: venv ## FedProx beside FedAvg on very different sites, on a simulated grid (two minutes)
	python benchmarks/client_drift.py
	python tools/generate.py

.PHONY: bench-round
bench-round: bootstrap venv ## A round of the app against one of bare Flower, on test hosts (fifteen minutes)
	python benchmarks/round.py

.PHONY: bench-nvflare
bench-nvflare: bootstrap $(NVFLARE)/venv/.synced ## A round of several models beside NVFlare's and bare Flower's (forty minutes)
	python benchmarks/nvflare.py

.PHONY: bench-model-size
bench-model-size: bootstrap venv ## What a model of some size costs in time and memory, on test hosts (fifteen minutes); renews docs/sizing.md
	python benchmarks/model_size.py
	python tools/generate.py

.PHONY: bench-recovery
bench-recovery: bootstrap venv ## Kill what a training needs, one after another, on test hosts (half an hour); renews docs/recovery.md
	python benchmarks/recovery.py --slow
	python benchmarks/recovery.py --hosts
	python benchmarks/recovery.py --kills 20
	python tools/generate.py

.PHONY: bench-redeploy
bench-redeploy: bootstrap venv ## Destroy the SuperLink host in a training and build it anew around its disk (five minutes)
	python benchmarks/redeploy.py
	python tools/generate.py

.PHONY: clean
clean: ## Remove what the targets above have made, but for the running test bed
	rm -rf .cache .ansible .venv .hypothesis tests/output

PYTHON ?= python3
WORKERS ?= logical
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CHECKOV := .venv-checkov/bin/checkov
BENCH_INSTALLED := $(VENV)/.installed-bench

# If tests failed, and not pytest: those alone, of which five failures are enough.
ONCE_MORE := { [ $$? = 1 ] && $(BIN)/python -m pytest --last-failed --last-failed-no-failures=none --maxfail=5; }

.PHONY: serve test test-long chaos cluster-test fuzz audit lint bench proto deploy-tools deploy-check manifests image image-check clean

serve: $(INSTALLED)
	$(BIN)/tfaas serve --demo

# Each server and command of a test is a process of its own: without bytecode files it would compile
# all of TFaaS anew. AGAIN=1 runs what failed once more, alone.
test: export PYTHONDONTWRITEBYTECODE =
test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=10 -m 'not alone' $(if $(AGAIN),|| $(ONCE_MORE))
	$(BIN)/python -m pytest -m alone tests/core/engine $(if $(AGAIN),|| $(ONCE_MORE))

# Random inputs, programs and kills: ten times as many.
test-long: export TEST_LONG = 1
test-long: test

# Faults for a server under load; REPLAY=chaos-report.json has them strike again.
chaos: $(INSTALLED)
	$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),2) $(if $(SEED),--seed $(SEED)) \
		$(if $(STORAGES),--storages $(STORAGES)) $(if $(REPLAY),--replay $(REPLAY))

# Faults for hosts and servers on machines of their own; it takes root, or is left out. ENGINE=ray: Ray starts the hosts.
cluster-test: $(INSTALLED)
	$(BIN)/python -m tests.cluster --minutes $(or $(MINUTES),3) --engine $(or $(ENGINE),remote)

# MINUTES for all targets together; TARGETS="json http_head": those alone; SEED=1: the same inputs again;
# NEW_SINCE="1 day ago": what that day's code fails for, too, is told, but does not fail.
fuzz: $(INSTALLED)
	$(BIN)/python -m tests.fuzz.run --minutes $(or $(MINUTES),5) $(if $(SEED),--seed $(SEED)) \
		$(if $(NEW_SINCE),--new-since "$(NEW_SINCE)") $(TARGETS)

audit:
	$(PYTHON) .ci/audit

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(BENCH_INSTALLED)
	$(BIN)/python benchmarks/run.py

# After a change of a .proto file: writes plugins/tfaas_plugins/protocols/protos/descriptors.binpb anew.
proto:
	$(PYTHON) -m venv .venv-proto
	.venv-proto/bin/python -m pip install --quiet grpcio-tools==1.85.1
	cd plugins && ../.venv-proto/bin/python -m grpc_tools.protoc -I. --include_imports \
		--descriptor_set_out=tfaas_plugins/protocols/protos/descriptors.binpb \
		tfaas_plugins/protocols/protos/*.proto tfaas_plugins/codecs/protobuf/tfaas.proto
	rm -rf .venv-proto

# What the tests of deploy/ need beside what `make test` installs; they are skipped without.
deploy-tools: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[deploy]'

# All that checks deploy/; checkov, which takes other versions of much, has a venv of its own.
deploy-check: deploy-tools $(CHECKOV)
	$(BIN)/python -m pytest tests/deploy
	$(CHECKOV) --config-file deploy/checkov.yaml -f deploy/Dockerfile deploy/kubernetes/tfaas.yaml

manifests: deploy-tools
	$(BIN)/python deploy/kubernetes/render.py deploy/kubernetes/values.yaml > deploy/kubernetes/tfaas.yaml

# BUILDER=buildah, or another one; BASE, BUILD_BASE, EXTRAS, TENSORFLOW and PACKAGES: see deploy/Dockerfile.
image:
	$(or $(BUILDER),docker) build -f deploy/Dockerfile -t $(or $(TAG),tfaas) \
		$(foreach name,BASE BUILD_BASE EXTRAS TENSORFLOW PACKAGES,$(if $($(name)),--build-arg $(name)='$($(name))')) \
		$(BUILD_OPTIONS) .

# Builds it on Debian's own packages by buildah, starts it as a pod would, and asks it for a prediction; it takes root, or says that it is left out.
image-check: $(INSTALLED)
	$(BIN)/python -m tests.deploy.built

clean:
	rm -rf $(VENV) .venv-audit .venv-checkov .fuzz build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
	find plugins -name '*.abi3.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt hatch_build.py plugins/tfaas_plugins/codecs/json/_number_lists.c
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[test,lint]'
	touch $@

$(CHECKOV):
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check checkov==3.3.30

$(BENCH_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[bench]'
	touch $@

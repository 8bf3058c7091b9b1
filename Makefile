# Hearth. `make` says what there is to make.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The binaries are static; tests and lint are built the same way so that go's build cache serves them all.
export CGO_ENABLED := 0
# The version is stamped below, not taken from git, so that the same code gives the same binary.
export GOFLAGS ?= -buildvcs=false
# What `hearth --version` says, and what the metrics of build_info say.
VERSION ?= dev
LDFLAGS := -s -w -X main.version=$(VERSION)

# Tools are pinned in tools/go.mod and tools/lint/go.mod and built by go itself when they are first used.
export CONTROLLER_GEN := go tool -modfile=tools/go.mod controller-gen
export KUSTOMIZE := go tool -modfile=tools/go.mod kustomize
GOLANGCI_LINT = go tool -modfile=$(CURDIR)/tools/lint/go.mod golangci-lint run --config $(CURDIR)/.golangci.yaml --allow-parallel-runners

# hack/localcluster/kube is tested the way it is built, or Kubernetes would be compiled twice.
KUBE_GOFLAGS := -buildvcs=false -trimpath

# A cluster of yours: make TARGET KUBECONFIG=FILE IMG=IMAGE. Without KUBECONFIG a local one is used.
IMG ?=
export IMG
CLUSTER := $(if $(KUBECONFIG),,localcluster)
IMAGE := $(if $(KUBECONFIG),,build)

##@ Try it

.PHONY: up
up: $(CLUSTER) $(IMAGE) ## Start a local cluster (needs root), deploy Hearth and the samples, show what runs
	@hack/cluster.sh up

.PHONY: down
down: $(CLUSTER) ## Stop the local cluster and leave nothing behind (on your own: remove Hearth)
	@hack/cluster.sh down

##@ On any cluster (KUBECONFIG=FILE; without it, the local one)

.PHONY: install
install: $(CLUSTER) ## Add the three kinds only
	@hack/cluster.sh install

.PHONY: deploy
deploy: $(CLUSTER) $(IMAGE) ## Deploy the kinds and the operator (IMG=IMAGE on a cluster of yours)
	@hack/cluster.sh deploy

.PHONY: samples
samples: $(CLUSTER) ## Declare config/samples, and wait until all of it works
	@hack/cluster.sh samples

.PHONY: uninstall
uninstall: $(CLUSTER) ## Remove the operator and the kinds, unless objects of these kinds are left
	@hack/cluster.sh uninstall

##@ Change it

.PHONY: build
build: ## Build the three binaries and kubectl's plugin into bin/
	go build -ldflags "$(LDFLAGS)" -o bin/hearth .
	go build -ldflags "$(LDFLAGS)" -o bin/node_exporter ./exporter
	go build -ldflags "$(LDFLAGS)" -o bin/reloader ./reloader
	go build -ldflags "$(LDFLAGS)" -o bin/kubectl-hearth ./kubectl-hearth

.PHONY: generate
generate: ## Generate deep copies, CRDs, the operator's role and dist/install.yaml
	$(CONTROLLER_GEN) object paths=./api/...
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:artifacts:config=config/crd
	go run ./hack/shorten config/crd/monitoring.hearth.dev_*.yaml
	$(CONTROLLER_GEN) rbac:roleName=hearth paths=./controllers/... output:rbac:artifacts:config=config/rbac
	@$(MAKE) dist

.PHONY: dist
dist: ## Render config/default into dist/install.yaml
	@mkdir -p dist bin
	@echo "kustomize build config/default > dist/install.yaml"
	@{ echo '# All of Hearth: kubectl apply -f install.yaml. Generated from config/default by make generate.'; \
	  $(KUSTOMIZE) build config/default; } > bin/install.yaml
	@mv bin/install.yaml dist/install.yaml

.PHONY: lint
lint: ## Check the rooms, the budgets and the usual mistakes
	@failed=0; lint() { echo "golangci-lint $$*"; (cd "$$1" && shift && $(GOLANGCI_LINT) "$$@" ./...) || failed=1; }; \
	lint .; lint hack/localcluster; lint hack/localcluster/kube --fast-only; exit $$failed
# fast-only: what looks at the code alone. The others would look at all of Kubernetes, for minutes.

.PHONY: verify
verify: ## Regenerate everything, tidy, format, vet and lint; fails if that changes a file
	@hack/verify.sh

##@ Test it

# Runs a go test -json, shows how it gets on and keeps the counts: $(call gotest,PART,FLAGS OF GO) ARGUMENTS OF GO TEST
# Lint vets, and go test would do it again: with everything that is imported, all of Kubernetes too, which takes minutes.
gotest = bin/testsummary run bin/test $(1) go $(2) test -json -vet=off

.PHONY: test
test: testsummary ## Run every test; the last line counts them
	@MAKE="$(MAKE)" hack/test.sh unit conformance rules apiserver provisioner localcluster e2e

.PHONY: test-unit
test-unit: testsummary ## Unit and golden tests: everything that needs no API server
	@$(call gotest,unit) -timeout 10m $$(go list ./... | grep -v -e /controllers -e /test/e2e -e /test/conformance -e /test/rules -e /test/monitors -e /test/adopt -e /test/beside)

.PHONY: test-conformance
test-conformance: testsummary ## The exporter against node_exporter: its fixtures and golden output, and live on this host
	@$(call gotest,conformance) -count=1 -timeout 10m ./test/conformance

.PHONY: test-rules
test-rules: testsummary localcluster ## Checks and unit tests of rules: the same verdicts as promtool's
	@bin/localcluster build prometheus
	@$(call gotest,rules) -count=1 -timeout 10m ./test/rules

.PHONY: test-apiserver
test-apiserver: testsummary localcluster ## The controllers, and what monitors discover, against a real API server and etcd
	@bin/localcluster build kube
	@KUBEBUILDER_ASSETS=$(CURDIR)/bin/kube $(call gotest,apiserver) -count=1 -timeout 15m ./controllers/... ./test/monitors ./test/adopt

.PHONY: record-monitors
record-monitors: localcluster ## Record what prometheus-operator generates for the cases of test/monitors, and our targets
	@bin/localcluster build kube
	@go -C tools/prometheus-operator build -o ../../bin/prometheus-operator-config .
	@KUBEBUILDER_ASSETS=$(CURDIR)/bin/kube go test -count=1 ./test/monitors -record $(CURDIR)/bin/prometheus-operator-config -update

.PHONY: record-dashboards
record-dashboards: ## Record what Grafana's published types say of a dashboard, for the test of internal/dashboards (needs npm)
	@rm -rf bin/grafana-schema && cp -r tools/grafana-schema bin/
	@npm --prefix bin/grafana-schema ci --ignore-scripts --no-audit --no-fund
	@node bin/grafana-schema/record.mjs internal/dashboards/testdata

.PHONY: test-provisioner
test-provisioner: testsummary ## The local cluster's provisioner of volumes
	@GOFLAGS="$(KUBE_GOFLAGS)" $(call gotest,provisioner,-C hack/localcluster/kube) -timeout 10m ./...

.PHONY: test-localcluster
test-localcluster: testsummary localcluster ## The local cluster itself: up, down, nothing left behind (needs root)
	@bin/localcluster packages
	@bin/localcluster build
	@$(call gotest,localcluster,-C hack/localcluster) -count=1 -timeout 30m ./...

.PHONY: test-e2e
test-e2e: testsummary $(CLUSTER) $(IMAGE) ## Hearth on a real cluster, end to end (needs root, or KUBECONFIG and IMG)
	@hack/cluster.sh deploy
	@HEARTH_E2E_KUBECONFIG="$$(hack/cluster.sh kubeconfig)" $(call gotest,e2e) -count=1 -timeout 30m ./test/e2e/...

.PHONY: test-beside
test-beside: testsummary localcluster build peer ## Hearth beside a running prometheus-operator, which takes minutes to build: no part of make test (needs root)
	@hack/cluster.sh deploy
	@bin/localcluster load prometheus-config-reloader:v0.85.0=bin/peer/prometheus-config-reloader:/bin/prometheus-config-reloader
	@HEARTH_E2E_KUBECONFIG="$$(bin/localcluster kubeconfig)" HEARTH_PEER=$(CURDIR)/bin/peer/operator \
	  $(call gotest,beside) -count=1 -timeout 30m ./test/beside

##@ Parts of the above

.PHONY: localcluster
localcluster: ## Build the program that runs the local cluster
	@go -C hack/localcluster build -o ../../bin/localcluster .

.PHONY: kwok
kwok: ## Build kwok, whose nodes the nodes' bench measures with
	@go -C tools/kwok build -ldflags "-s -w" -o ../../bin/kwok sigs.k8s.io/kwok/cmd/kwok

.PHONY: peer
peer: ## Build prometheus-operator and the reloader of its Prometheus, which test-beside runs
	@go -C tools/prometheus-operator build -trimpath -ldflags "-s -w" -o ../../bin/peer/ \
	  github.com/prometheus-operator/prometheus-operator/cmd/operator github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader

.PHONY: testsummary
testsummary:
	@go build -o bin/testsummary ./hack/testsummary

.PHONY: help
help: ## Say what there is to make
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

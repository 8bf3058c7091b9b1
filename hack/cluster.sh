#!/usr/bin/env bash
# Puts Hearth on a cluster: the one of $KUBECONFIG if that is set, else a local one that it starts itself and gives the
# images to. Called by the Makefile, which builds what this uses: see make help.
#
#   hack/cluster.sh up | down | install | deploy | samples | uninstall | kubeconfig
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "==> $*"; }
die() { echo "$*" >&2; exit 1; }

local_cluster() { [[ -z ${KUBECONFIG:-} ]]; }

kube() {
  if local_cluster; then bin/localcluster kubectl "$@"; else kubectl "$@"; fi
}

# Before anything else: can this be done here?
check() {
  if local_cluster; then
    [[ $(id -u) == 0 ]] || die "The local cluster makes network namespaces, mounts and cgroups of its own, and only root may.
As root:                  sudo env PATH=\"\$PATH\" make $1
On a cluster of yours:    make $1 KUBECONFIG=FILE IMG=IMAGE"
    return
  fi
  command -v kubectl > /dev/null || die "KUBECONFIG is set, but there is no kubectl to talk to that cluster with. Install one."
  local context
  context=$(kubectl config current-context) || die "KUBECONFIG=$KUBECONFIG names no cluster to use."
  say "using the cluster of KUBECONFIG=$KUBECONFIG, context $context"
}

# On a cluster of somebody else's, the image has to be where its nodes can pull it, or on them.
need_image() {
  local_cluster || [[ -n ${IMG:-} ]] || die "This cluster needs an image of Hearth that its nodes can get. Build one, then say its name:
  docker build -t NAME:TAG .
  docker push NAME:TAG                  or, for kind:  kind load docker-image NAME:TAG
  make $1 KUBECONFIG=$KUBECONFIG IMG=NAME:TAG
Released images need no make: kubectl apply -f dist/install.yaml"
}

start() {
  bin/localcluster up
}

# The local cluster's image is named after what is in it: new code rolls out everywhere, the same code nowhere.
load() {
  local sum
  sum=$(cat bin/hearth bin/node_exporter bin/reloader | sha256sum | cut -c1-12)
  IMG=hearth:dev-$sum
  bin/localcluster load "$IMG=bin/hearth:/hearth,bin/node_exporter:/node_exporter,bin/reloader:/reloader" prometheus alertmanager
}

# config/default, with the image that is to run in the place of the released one.
render() {
  $KUSTOMIZE build config/default | sed -E "s|hearth-monitoring/hearth:[A-Za-z0-9._-]+|$IMG|"
}

established() {
  kube wait --for=condition=Established --timeout=60s -f config/crd/monitoring.hearth.dev_alertrules.yaml \
    -f config/crd/monitoring.hearth.dev_nodeexporters.yaml -f config/crd/monitoring.hearth.dev_prometheusservers.yaml > /dev/null
}

install() {
  say "adding the kinds"
  kube apply -k config/crd
  established
}

deploy() {
  local changes
  if local_cluster; then
    start
    load
  fi
  say "deploying the operator, image $IMG"
  changes=$(render | kube apply -f -)
  grep -v ' unchanged$' <<< "$changes" || echo "nothing changed"
  established
  kube -n hearth-system rollout status deployment/hearth --timeout=180s || explain
}

# await SECONDS NAMESPACE OBJECT CONDITION: what is waited for is printed, so that nobody wonders.
await() {
  say "waiting for $3 to be $4"
  kube -n "$2" wait --for="condition=$4" --timeout="$1s" "$3" > /dev/null || explain
}

# config/samples, with the image that runs in the place of the released one; without IMG, that of the operator.
samples_render() {
  local image=${IMG:-}
  if [[ -z $image ]]; then
    image=$(kube -n hearth-system get deployment hearth -o 'jsonpath={.spec.template.spec.containers[0].image}')
  fi
  $KUSTOMIZE build config/samples | sed -E "s|hearth-monitoring/hearth:[A-Za-z0-9._-]+|$image|"
}

samples() {
  local rule
  say "declaring config/samples"
  samples_render | kube apply -f -
  if kube get customresourcedefinition servicemonitors.monitoring.coreos.com > /dev/null 2>&1; then
    kube apply -f config/samples/servicemonitor.yaml
  fi
  await 300 node-exporter nodeexporter/node Ready
  await 300 monitoring prometheusserver/main Ready
  for rule in $(kube -n monitoring get alertrules -o name); do
    await 120 monitoring "$rule" Ready
  done
  await 120 shop deployment/till Available
  await 120 node-exporter nodeexporter/node Scraped
  await 120 monitoring prometheusserver/main RulesAccepted
  await 120 monitoring prometheusserver/main MonitorsAccepted
  await 120 monitoring prometheusserver/main GrafanaReady
  # A cluster of your own may have kubelets that sign their own certificates, or another DNS: that is told, and stops nothing.
  if local_cluster; then
    await 180 monitoring prometheusserver/main TargetsHealthy
  elif ! kube -n monitoring wait --for=condition=TargetsHealthy --timeout=60s prometheusserver/main > /dev/null 2>&1; then
    kube -n monitoring get prometheusserver main -o 'jsonpath={.status.conditions[?(@.type=="TargetsHealthy")].message}{"\n"}'
  fi
  # Hearth's own alert has gone all the way: from each server to each Alertmanager, and on.
  await 180 monitoring prometheusserver/main AlertPathHealthy
}

# What somebody needs to see who waited in vain.
explain() {
  {
    echo
    echo "That did not happen. What the cluster says:"
    kube get pods -A -o wide
    kube -n hearth-system describe deployment hearth | tail -n 20
    kube describe prometheusservers,nodeexporters,alertrules -A | grep -v -e '^API Version' -e 'UID:'
    kube get events -A --sort-by=.lastTimestamp | tail -n 30
    echo "The operator's last words:"
    kube -n hearth-system logs deployment/hearth --tail=50
  } >&2 || true
  exit 1
}

show() {
  local node service
  node=$(kube get nodes -o 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')
  echo
  kube get nodeexporters -A
  echo
  kube get prometheusservers -A
  echo
  kube get alertrules -A
  echo
  if local_cluster; then
    echo "Prometheus  http://$node:32021     stop with: ${HEARTH_CLUSTER:+HEARTH_CLUSTER=$HEARTH_CLUSTER }make down"
    echo "kubectl     ${HEARTH_CLUSTER:+HEARTH_CLUSTER=$HEARTH_CLUSTER }bin/localcluster kubectl get monitoring -A"
    return
  fi
  service=$(kube -n monitoring get services -o 'jsonpath={.items[?(@.spec.type=="NodePort")].metadata.name}')
  echo "Prometheus  http://$node:32021     remove with: make down KUBECONFIG=$KUBECONFIG"
  echo "If nodes can't be reached from here: kubectl -n monitoring port-forward service/${service%% *} 9090:80"
}

# The sample objects. Their namespaces stay, with whatever else is in them, and so do the claims with the samples.
remove_samples() {
  say "removing the sample objects"
  if kube get customresourcedefinition servicemonitors.monitoring.coreos.com > /dev/null 2>&1; then
    kube delete --ignore-not-found -f config/samples/servicemonitor.yaml
  fi
  kube delete --ignore-not-found -f config/samples/alertrule.yaml -f config/samples/prometheusserver.yaml \
    -f config/samples/nodeexporter.yaml -f config/samples/workload.yaml -k config/monitoring
}

# Removing a kind removes every object of it, which is for their owners to do.
uninstall() {
  local kind kinds left=""
  kinds=$(kube get customresourcedefinitions -o name --ignore-not-found \
    alertrules.monitoring.hearth.dev nodeexporters.monitoring.hearth.dev prometheusservers.monitoring.hearth.dev)
  for kind in $kinds; do
    left+=$(kube get "${kind#*/}" -A --no-headers -o custom-columns=KIND:.kind,NS:.metadata.namespace,NAME:.metadata.name)$'\n'
  done
  [[ ! $left =~ [^[:space:]] ]] || die "There are still objects of Hearth's kinds. Delete them first, then run this again:
$left"
  say "removing the operator and the kinds"
  IMG=none render | kube delete --ignore-not-found -f -
}

down() {
  if local_cluster; then
    bin/localcluster down
    return
  fi
  remove_samples
  uninstall
  echo "The namespaces monitoring, node-exporter and shop are left, and in the first of them the claims with the samples."
}

kubeconfig() {
  if local_cluster; then bin/localcluster kubeconfig; else echo "$KUBECONFIG"; fi
}

main() {
  case "${1:-}" in
  up)
    check up
    need_image up
    deploy
    samples
    show
    ;;
  down | uninstall)
    check "$1"
    "$1"
    ;;
  install | samples)
    check "$1"
    if local_cluster; then start; fi
    "$1"
    ;;
  deploy)
    check deploy
    need_image deploy
    deploy
    ;;
  kubeconfig)
    kubeconfig
    ;;
  *)
    die "usage: hack/cluster.sh up | down | install | deploy | samples | uninstall | kubeconfig"
    ;;
  esac
}

# On one line, so that the script may be edited while it runs.
main "$@"; exit

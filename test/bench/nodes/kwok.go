package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// leases is for how long a node's lease holds. A quarter of that is how often kwok renews it, and the node controller takes
// a node for dead after 50 s.
const leases = "120"

// parallelism: kwok is in less of a hurry by itself than the node controller's patience takes it to be.
const parallelism = `
---
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options: {podPlayStageParallelism: 32, nodePlayStageParallelism: 32, nodeLeaseParallelism: 32}
`

// What of kwok's own description of nodes and pods is another one here: pods have the address of the one that answers, nodes report
// as often as kubelets do, and a pod that runs becomes ready again. A machine that is this busy loses sight of a node for a moment,
// and then all pods of that node are called unready until its kubelet, if it had one, says otherwise.
var (
	begins     = regexp.MustCompile(`( +- )'Pending'\n`)
	podAddress = regexp.MustCompile(`\{\{ \$podIPs := .*? \}\}`)
	heartbeat  = regexp.MustCompile(`(durationMilliseconds|jitterDurationMilliseconds): 6[01]0000`)
)

// keepAlive runs kwok until stop is called.
func (b *bench) keepAlive(ctx context.Context) (stop func(), err error) {
	if _, err := os.Stat(b.o.kwok); err != nil {
		return nil, fmt.Errorf("%w: make kwok", err)
	}
	dir, err := os.MkdirTemp("", "bench-nodes")
	if err != nil {
		return nil, err
	}
	described, err := described(ctx, b.address)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "stages.yaml")
	if err := os.WriteFile(config, []byte(described), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	command := exec.CommandContext(ctx, b.o.kwok, "--kubeconfig="+b.o.kubeconfig, "--config="+config, //nolint:gosec // the one named by flag
		"--manage-nodes-with-label-selector="+fake+"=true", "--node-lease-duration-seconds="+leases, "--v=ERROR")
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		cancel()
		return nil, err
	}
	b.kwok = command.Process.Pid
	return func() {
		cancel()
		// It was killed, and what is left is in a directory for what is temporary.
		_, _, _ = command.Wait(), log.Close(), os.RemoveAll(dir)
	}, nil
}

// described is how kwok's nodes and pods come to life, as its module describes them, but for what the bench needs otherwise.
func described(ctx context.Context, address string) (string, error) {
	command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok")
	command.Dir = filepath.Join("tools", "kwok")
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("find kwok's module: %w", err)
	}
	var all []string
	for _, file := range []string{"node/fast/node-initialize", "node/heartbeat-with-lease/node-heartbeat-with-lease", "pod/fast/pod-ready", "pod/fast/pod-delete"} {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "kustomize", "stage", file+".yaml"))
		if err != nil {
			return "", err
		}
		all = append(all, string(text))
	}
	before := strings.Join(all, "\n---\n")
	after := podAddress.ReplaceAllString(before, `{{ $$podIPs := list "`+address+`" }}`)
	after = heartbeat.ReplaceAllString(after, "$1: 300000")
	after = begins.ReplaceAllString(after, "$0$1'Running'\n")
	if podAddress.FindString(before) == "" || heartbeat.FindString(before) == "" || len(begins.FindAllString(before, -1)) != 1 {
		return "", errors.New("kwok describes its nodes and pods in other words than this bench knows")
	}
	return after + parallelism, nil
}

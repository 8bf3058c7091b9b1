package stack

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// VariableShard is the environment variable in which the reloader beside each Prometheus finds the number of its shard: what
// the one configuration of all shards has in the place of it is $(SHARD).
const VariableShard = "SHARD"

// ShardNumber is what the reloader replaces by the number of its shard.
const ShardNumber = "$(" + VariableShard + ")"

// shardLabel tells apart what several shards send to the same receiver. Each of them evaluates every rule, over its own targets.
const shardLabel = "shard"

// Shard is one of the StatefulSets that a server's targets are distributed over.
type Shard struct {
	Number int32
	// Base is the name of its StatefulSet, its Service and its PodDisruptionBudget. Those of shard 0 have the server's own, so
	// that it stays what it is when others come and go.
	Base string
	// Selector are the labels by which its pods are found, and no others; they never change.
	Selector map[string]string
}

// ShardsOf is the number of shards that a server declares.
func ShardsOf(ps *v1alpha1.PrometheusServer) int32 { return max(1, valueOr(ps.Spec.Shards, 1)) }

// ShardBase is the name of what is made for one shard of the PrometheusServer of this name.
func ShardBase(server string, number int32) string {
	base := NamesOf(server).Base
	if number == 0 {
		return base
	}
	return fmt.Sprintf("%s%s%d", base, shardInfix, number)
}

// shardInfix is between the name of a server's shard 0 and the number of another.
const shardInfix = "-shard-"

// ShardOfPod is the number of the shard of a pod of this name, where base is the name of shard 0, and whether it is of one.
func ShardOfPod(base, pod string) (int32, bool) {
	rest, ok := strings.CutPrefix(pod, base)
	if !ok {
		return 0, false
	}
	shard := int64(0)
	if numbered, is := strings.CutPrefix(rest, shardInfix); is {
		number, ordinal, _ := strings.Cut(numbered, "-")
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < 1 {
			return 0, false
		}
		shard, rest = n, "-"+ordinal
	}
	ordinal, ok := strings.CutPrefix(rest, "-")
	if _, err := strconv.ParseUint(ordinal, 10, 31); !ok || err != nil {
		return 0, false
	}
	return int32(shard), true
}

// ShardOf is the number of the shard of a pod that has these labels.
func ShardOf(labels map[string]string) int32 {
	// A label that is none of Hearth's numbers is of no pod of Hearth's.
	n, _ := strconv.ParseInt(labels[LabelShard], 10, 32)
	return int32(n)
}

// AllShards are those of a server, by number.
func (s *Stack) AllShards() []Shard {
	var out []Shard
	for i := range s.Shards {
		out = append(out, Shard{Number: i, Base: ShardBase(s.Name, i), Selector: maps.Clone(s.Selector)})
		out[i].Selector[LabelShard] = strconv.Itoa(int(i))
	}
	return out
}

// spread is the number of shards over which targets are distributed now. What is on its way up gets its part once all of it is
// there: a shard that no node takes would otherwise keep its part of the targets from being pulled from. Shards that go give
// theirs back at once.
func spread(in Inputs, shards int32) int32 {
	published := in.Published.Manifest
	if published == nil {
		return shards // nothing is pulled from yet
	}
	now := max(1, published.Shards)
	for i := now; i < shards; i++ {
		if !slices.Contains(in.ShardsUp, i) {
			return now
		}
	}
	return shards
}

// maxShardedName is how long the name of a server with shards can be: the label that a StatefulSet puts on its pods with its own
// name and a hash has 63 characters.
const maxShardedName = 32

func checkShards(ps *v1alpha1.PrometheusServer, path *field.Path) field.ErrorList {
	if ShardsOf(ps) == 1 || len(ps.Name) <= maxShardedName {
		return nil
	}
	return field.ErrorList{field.Invalid(path, *ps.Spec.Shards, fmt.Sprintf(
		"the name of a server with shards can have at most %d characters, because the names of its pods are made from it: this has %d", maxShardedName, len(ps.Name)))}
}

package collector

import (
	"context"
	"errors"
	"flag"
	"log/slog"

	"github.com/hearth-monitoring/hearth/exporter/held"
	"github.com/hearth-monitoring/hearth/exporter/text"
)

type entropy struct {
	available, pool         *held.File
	availableBits, poolBits *text.Family
}

func declareEntropy(*flag.FlagSet) factory {
	return func(h Host, _ *slog.Logger) (Collector, error) {
		return &entropy{
			available: h.procFile("sys/kernel/random/entropy_avail"), pool: h.procFile("sys/kernel/random/poolsize"),
			availableBits: text.Gauge("node_entropy_available_bits", "Bits of available entropy."),
			poolBits:      text.Gauge("node_entropy_pool_size_bits", "Bits of entropy pool."),
		}, nil
	}
}

func (c *entropy) Families() []*text.Family { return []*text.Family{c.availableBits, c.poolBits} }

func (c *entropy) Update(context.Context) error {
	return errors.Join(addUint(c.available, c.availableBits), addUint(c.pool, c.poolBits))
}

func addUint(file *held.File, family *text.Family) error {
	v, err := file.Uint()
	if err != nil {
		return err
	}
	family.Add(float64(v))
	return nil
}

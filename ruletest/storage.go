package ruletest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

// memory is where a test keeps its samples: the head of Prometheus' own database, without the log and the blocks that
// would be on disk. It starts no goroutine. It needs a directory that can be written to, and writes to it only if a series
// has more samples than one chunk holds.
type memory struct {
	head *tsdb.Head
	dir  string
}

func newMemory(dir string) (*memory, error) {
	dir, err := os.MkdirTemp(dir, "test")
	if err != nil {
		return nil, err
	}
	options := tsdb.DefaultHeadOptions()
	options.ChunkDirRoot = dir
	// As in promtool, since it decides which samples are too old to be taken.
	options.ChunkRange = (24 * time.Hour).Milliseconds()
	// What is made for a server with millions of series would take longer to allocate than a test takes to run.
	options.StripeSize = 64
	options.ChunkWriteQueueSize = 0
	options.ChunkWriteBufferSize = chunks.MinWriteBufferSize
	options.IsolationDisabled = true
	options.WALReplayConcurrency = 1
	head, err := tsdb.NewHead(nil, nil, nil, nil, options, nil)
	if err == nil {
		err = head.Init(math.MinInt64)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &memory{head, dir}, nil
}

func (m *memory) close() error { return errors.Join(m.head.Close(), os.RemoveAll(m.dir)) }

// Querier reads what has been appended.
func (m *memory) Querier(mint, maxt int64) (storage.Querier, error) {
	if m.head.NumSeries() == 0 {
		return storage.NoopQuerier(), nil
	}
	return tsdb.NewBlockQuerier(tsdb.NewRangeHeadWithIsolationDisabled(m.head, mint, maxt), mint, maxt)
}

// Appender is for what recording rules and alerts write.
func (m *memory) Appender(ctx context.Context) storage.Appender { return m.head.Appender(ctx) }

// appendTill appends the samples up to a time and takes them out of the series.
func (m *memory) appendTill(ctx context.Context, series []inputSeries, till int64) error {
	app := m.head.Appender(ctx)
	for i := range series {
		s := &series[i]
		for len(s.samples) > 0 && s.samples[0].t <= till {
			next := s.samples[0]
			s.samples = s.samples[1:]
			var err error
			if next.h != nil {
				_, err = app.AppendHistogram(0, s.labels, next.t, nil, next.h)
			} else {
				_, err = app.Append(0, s.labels, next.t, next.f)
			}
			if err != nil {
				return errors.Join(fmt.Errorf("series %s: %w", s.labels, err), app.Rollback())
			}
		}
	}
	return app.Commit()
}

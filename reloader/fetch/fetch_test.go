package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hearth-monitoring/hearth/internal/bundle"
	"github.com/hearth-monitoring/hearth/reloader/fetch"
	"github.com/hearth-monitoring/hearth/reloader/fetchtest"
	"github.com/hearth-monitoring/hearth/reloader/tree"
)

func TestWatchAndParts(t *testing.T) {
	api := fetchtest.New(t)
	s, err := fetch.New(api.Config(), fetchtest.Namespace, bundle.ManifestName(fetchtest.Prefix))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	delivered, failed, done := make(chan tree.Revision, 100), make(chan error, 100), make(chan struct{})
	go func() {
		defer close(done)
		s.Watch(ctx, func(r tree.Revision) { delivered <- r }, func(err error) { failed <- err })
	}()
	defer func() { cancel(); <-done }()

	select {
	case err := <-failed:
		t.Log("before anything is published:", err)
	case <-time.After(time.Minute):
		t.Fatal("silent about a manifest that does not exist")
	}
	config := func(n int) map[string][]byte {
		return map[string][]byte{"prometheus.yml": fmt.Appendf(nil, "# %d", n)}
	}
	expect := func(want bundle.Manifest) {
		t.Helper()
		for deadline := time.After(time.Minute); ; {
			select {
			case r := <-delivered:
				if r.Manifest.Hash == want.Hash && r.Manifest.Revision == want.Revision && r.UID != "" {
					return
				}
			case <-deadline:
				t.Fatalf("revision %d did not arrive", want.Revision)
			}
		}
	}
	one := api.Publish(config(1), nil)
	expect(one)
	expect(api.Publish(config(2), nil))

	if _, err := s.Parts(ctx, one.Objects); !errors.Is(err, bundle.ErrMismatch) {
		t.Errorf("parts of an overwritten revision: %v", err)
	}
	three := api.Publish(config(3), nil)
	parts, err := s.Parts(ctx, three.Objects)
	if err != nil {
		t.Fatal(err)
	}
	if err := three.Verify(parts); err != nil {
		t.Error(err)
	}

	api.SetAway(true)
	time.Sleep(time.Second)
	api.SetAway(false)
	expect(api.Publish(config(4), nil))
	if _, err := s.Parts(ctx, []bundle.Object{{Name: "absent"}}); err == nil || errors.Is(err, bundle.ErrMismatch) {
		t.Errorf("an absent part: %v", err)
	}
}

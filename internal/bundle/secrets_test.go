package bundle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

func TestSecretsRoundTrip(t *testing.T) {
	want := []bundle.WantedSecret{{Namespace: "a", Name: "pager.duty", Keys: []string{"routing_key", "URL.txt"}}}
	text, err := bundle.MarshalSecrets(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := bundle.ParseSecrets(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := bundle.ParseSecrets(nil); err != nil || got != nil {
		t.Errorf("no text: %v, %v", got, err)
	}
}

func TestSecretsThatLeadElsewhere(t *testing.T) {
	for _, text := range []string{
		`[{"namespace":"a","name":"..","keys":["k"]}]`,
		`[{"namespace":"a/b","name":"s","keys":["k"]}]`,
		`[{"namespace":"","name":"s","keys":["k"]}]`,
		`[{"namespace":"a","name":"s/../../x","keys":["k"]}]`,
		`[{"namespace":"a","name":"s?watch=1","keys":["k"]}]`,
		`[{"namespace":"a","name":"s","keys":["../k"]}]`,
		`[{"namespace":"a","name":"s","keys":["..data"]}]`,
		`[{"namespace":"a","name":"s","keys":[""]}]`,
		`[{"namespace":"a","name":"s","keys":[]}]`,
		`{`,
	} {
		if got, err := bundle.ParseSecrets([]byte(text)); err == nil {
			t.Errorf("%s: taken as %v", text, got)
		}
	}
}

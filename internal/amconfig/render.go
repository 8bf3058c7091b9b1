// Package amconfig is the text of alertmanager.yml: it turns receivers and routes into what Alertmanager reads, has
// Alertmanager's own loader check it, and says which alert would go where.
package amconfig

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	_ "time/tzdata" // time intervals name zones, and the operator's image has no files of them

	"github.com/prometheus/alertmanager/config"
	amtemplate "github.com/prometheus/alertmanager/template"
	"go.yaml.in/yaml/v3"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/bundle"
)

const (
	// FileName is the name of the configuration at the root of the published tree.
	FileName = "alertmanager.yml"
	// TemplatesPrefix begins the names of the files of templates, at the root of the tree too.
	TemplatesPrefix = "template-"
	templatesSuffix = ".tmpl"

	// LabelAlertRule is on every alert of an AlertRule and has its namespace and name. Routes match it.
	LabelAlertRule = "hearth_alertrule"

	// Nobody is the receiver of what goes nowhere: it has no integrations.
	Nobody = "none"
)

// Routing is everything that alertmanager.yml says.
type Routing struct {
	// Receivers of the server and of namespaces. Nobody is added.
	Receivers []Receiver
	// Route is the server's.
	Route RootRoute
	// Rules have the routes of AlertRules, sorted by namespace and name.
	Rules []RuleRoute
	// InhibitRules of the server, as checked by NewInhibitRule.
	InhibitRules []InhibitRule
	// TimeIntervals and Templates of the server.
	TimeIntervals []v1alpha1.TimeInterval
	Templates     []v1alpha1.Template
	// Granted are the Secrets that the reloader has to read.
	Granted []bundle.WantedSecret
}

// Render makes the files of an Alertmanager: alertmanager.yml, its templates, and the list of Secrets to read.
func Render(r *Routing) (map[string][]byte, error) {
	c := configuration{
		Route:         r.Route.write(r.Rules),
		InhibitRules:  each(r.InhibitRules, func(i InhibitRule) inhibitRule { return i.config }),
		TimeIntervals: timeIntervals(r.TimeIntervals),
		Receivers:     append(each(r.Receivers, func(r Receiver) receiver { return r.config }), receiver{Name: Nobody}),
	}
	files := map[string][]byte{}
	for _, t := range r.Templates {
		files[TemplatesPrefix+t.Name+templatesSuffix] = []byte(t.Text)
	}
	if len(r.Templates) > 0 {
		c.Templates = []string{TemplatesPrefix + "*" + templatesSuffix}
	}
	text, err := c.text()
	if err != nil {
		return nil, err
	}
	if err := confined(text); err != nil {
		return nil, err
	}
	files[FileName] = text
	if len(r.Granted) > 0 {
		if files[bundle.SecretsName], err = bundle.MarshalSecrets(r.Granted); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// text is the file, as Alertmanager's own loader accepts it.
func (c configuration) text() ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(c); err != nil {
		return nil, fmt.Errorf("encode %s: %w", FileName, err)
	}
	if _, err := config.Load(out.String()); err != nil {
		return nil, fmt.Errorf("alertmanager refuses it: %s", oneLine(err))
	}
	return out.Bytes(), nil
}

// oneLine: a YAML error has a line for itself and one for each mistake.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// CheckTemplate parses a file of templates as Alertmanager does.
func CheckTemplate(t v1alpha1.Template) error {
	parsed, err := amtemplate.New()
	if err != nil {
		return err
	}
	return parsed.Parse(strings.NewReader(t.Text))
}

// CheckTimeInterval has Alertmanager's loader read a named time.
func CheckTimeInterval(t v1alpha1.TimeInterval) error {
	alone := configuration{
		Route:         route{Receiver: Nobody},
		Receivers:     []receiver{{Name: Nobody}},
		TimeIntervals: timeIntervals([]v1alpha1.TimeInterval{t}),
	}
	_, err := alone.text()
	return err
}

// dirs are where files of Secrets may be.
func dirs() []string { return []string{SecretsDir + "/", GrantedDir + "/"} }

// confined makes sure, over the final text and whoever wrote it, that Alertmanager is told to read no file but those of
// Secrets that were named for it. A key that names a file ends in _file; below keys that hold what users send elsewhere
// (details, headers and so on) it doesn't.
func confined(text []byte) error {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return err
	}
	var outside []string
	scalars(&node, "", func(at, value string) {
		if !namesFile(at) {
			return
		}
		if slices.ContainsFunc(dirs(), func(dir string) bool { return strings.HasPrefix(value, dir) }) && !strings.Contains(value, "..") {
			return
		}
		outside = append(outside, at+" is "+value)
	})
	if len(outside) > 0 {
		return fmt.Errorf("%s names files that are not Hearth's: %s", FileName, strings.Join(outside, ", "))
	}
	return nil
}

// namesFile says whether the value at a path of alertmanager.yml is the name of a file to read.
func namesFile(at string) bool {
	for _, free := range []string{".details.", ".headers.", ".custom_fields.", ".attributes.", "].fields."} {
		if strings.Contains(at, free) {
			return false
		}
	}
	return strings.HasSuffix(at, "_file")
}

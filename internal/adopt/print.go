package adopt

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"sigs.k8s.io/yaml"
)

// Table writes the report for people.
func (r *Report) Table(out io.Writer) {
	if len(r.Servers) == 0 {
		fmt.Fprintln(out, "There is no Prometheus or PrometheusAgent of monitoring.coreos.com.")
	}
	for i := range r.Servers {
		r.Servers[i].table(out)
	}
	if len(r.Objects) > 0 {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "KIND\tNAMESPACE\tNAME\tVERDICT\tBY\tNOTE")
		for _, o := range r.Objects {
			notes := o.Notes
			if o.Verdict == NotRead {
				notes = []string{Advice(o.Kind)}
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", o.Kind, o.Namespace, o.Name, o.Verdict, dash(strings.Join(o.Servers, ", ")), dash(oneLine(notes)))
		}
		_ = w.Flush() // to a terminal or a buffer
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out, r.summary())
}

func (s *Server) table(out io.Writer) {
	fmt.Fprintf(out, "%s %s/%s -> PrometheusServer %s/%s\n", s.Kind, s.Namespace, s.Name, s.Declared.Namespace, s.Declared.Name)
	if s.Problem != "" {
		fmt.Fprintf(out, "  refused: %s\n", oneLine([]string{s.Problem}))
	}
	w := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  FIELD\tVERDICT\tBECOMES\tNOTE")
	for _, f := range s.Fields {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", f.Path, f.Verdict, dash(f.Becomes), dash(f.Note))
	}
	_ = w.Flush() // to a terminal or a buffer
	for _, c := range s.Commands {
		fmt.Fprintf(out, "  needs: %s\n", c)
	}
	fmt.Fprintln(out)
}

// summary is the last line.
func (r *Report) summary() string {
	counts := r.Counts()
	var out []string
	for _, verdict := range []string{Taken, Differs, Refused, Unselected, NotRead} {
		out = append(out, fmt.Sprintf("%d %s", counts[verdict], verdict))
	}
	agents := 0
	for i := range r.Servers {
		if r.Servers[i].Kind == monitoringv1alpha1.PrometheusAgentsKind {
			agents++
		}
	}
	return fmt.Sprintf("%d Prometheuses and %d PrometheusAgents; of %d objects %s. Nothing was changed.", len(r.Servers)-agents, agents, len(r.Objects), strings.Join(out, ", "))
}

// YAML writes the PrometheusServers for kubectl apply; what has no counterpart is in comments above each.
func (r *Report) YAML(out io.Writer) error {
	for i := range r.Servers {
		s := &r.Servers[i]
		text, err := s.declaration()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "---\n# %s %s/%s\n", s.Kind, s.Namespace, s.Name)
		if s.Problem != "" {
			fmt.Fprintf(out, "# refused: %s\n", oneLine([]string{s.Problem}))
		}
		for _, f := range s.Fields {
			if f.Verdict != Same {
				fmt.Fprintf(out, "# %s: %s: %s\n", f.Path, f.Verdict, dash(f.Note))
			}
		}
		for _, c := range s.Commands {
			fmt.Fprintf(out, "# needs: %s\n", c)
		}
		fmt.Fprint(out, text)
	}
	for _, o := range r.Objects {
		if o.Verdict == Refused || o.Verdict == Differs {
			fmt.Fprintf(out, "# %s %s/%s: %s: %s\n", o.Kind, o.Namespace, o.Name, o.Verdict, oneLine(o.Notes))
		}
	}
	fmt.Fprintf(out, "# %s\n", r.summary())
	return nil
}

// declaration is the PrometheusServer without its status.
func (s *Server) declaration() (string, error) {
	text, err := yaml.Marshal(s.Declared)
	if err != nil {
		return "", fmt.Errorf("write PrometheusServer %s/%s: %w", s.Declared.Namespace, s.Declared.Name, err)
	}
	var object map[string]any
	if err := yaml.Unmarshal(text, &object); err != nil {
		return "", fmt.Errorf("write PrometheusServer %s/%s: %w", s.Declared.Namespace, s.Declared.Name, err)
	}
	delete(object, "status")
	if text, err = yaml.Marshal(object); err != nil {
		return "", fmt.Errorf("write PrometheusServer %s/%s: %w", s.Declared.Namespace, s.Declared.Name, err)
	}
	return string(text), nil
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// oneLine has no line breaks, which a table cannot have.
func oneLine(texts []string) string {
	texts = slices.Clone(texts)
	for i := range texts {
		texts[i] = strings.Join(strings.Fields(texts[i]), " ")
	}
	return strings.Join(texts, "; ")
}

package stack

// The Service of the operator's own metrics and the port in it, as in config/manager, and the job by which servers pull from it.
const (
	OperatorService = "hearth-metrics"
	OperatorPort    = "metrics"
	JobOperator     = "hearth"
)

// Operator is what has to be known of the operator to pull from it.
type Operator struct {
	Namespace string
	// ServerName is in its certificate, and Authorities, in PEM, are who may have signed that. Empty while it has none.
	ServerName  string
	Authorities []byte
}

// operator is the operator where a server pulls from it, nil elsewhere. A server shows it the token of its ServiceAccount, and
// so only to one whose certificate it can check.
func operator(in Inputs, reach *reach) *Operator {
	if in.Server.Spec.Targets == nil || in.Server.Spec.Targets.Operator == nil {
		return nil
	}
	const path = "spec.targets.operator"
	if len(in.Operator.Authorities) == 0 {
		reach.withheld = append(reach.withheld, Withheld{Field: path, Why: "is left out: the operator has no certificate that a server could check, which it makes for its webhook: start it without --webhook=false"})
		return nil
	}
	if !reach.allow(path, Binding{Role: RoleDiscovery, Namespace: in.Operator.Namespace}, Binding{Role: RoleMetrics}) {
		return nil
	}
	out := in.Operator
	return &out
}

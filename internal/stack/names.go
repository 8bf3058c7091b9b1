package stack

// Labels and annotations that Hearth puts on what it makes. The names are part of the contract with users who select by
// them, so they do not change.
const (
	// LabelManagedBy with the value ManagedBy is on every object Hearth makes; the operator's caches hold nothing else.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy and the name of Hearth's field owner.
	ManagedBy = "hearth"
	// LabelOwnerUID holds the UID of the object that declared this one; pruning selects by it.
	LabelOwnerUID = "monitoring.hearth.dev/owner-uid"
	// LabelServer holds the name of the PrometheusServer a pod, claim or Service belongs to.
	LabelServer = "monitoring.hearth.dev/server"
	// LabelNodeExporter holds the name of the NodeExporter a pod or Service belongs to.
	LabelNodeExporter = "monitoring.hearth.dev/node-exporter"
	// LabelPool holds the name of the pool of nodes a pod belongs to.
	LabelPool = "monitoring.hearth.dev/pool"
	// AnnotationApplied holds a hash of what was last applied to an object, so that an unchanged one is not sent again.
	AnnotationApplied = "monitoring.hearth.dev/applied"

	labelName      = "app.kubernetes.io/name"
	labelInstance  = "app.kubernetes.io/instance"
	labelComponent = "app.kubernetes.io/component"
)

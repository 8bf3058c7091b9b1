package v1alpha1

// AlertmanagerStatus says what of the server's Alertmanager is loaded and running.
type AlertmanagerStatus struct {
	// ready is "ready replicas / wanted replicas".
	Ready string `json:"ready"`
	// version of Alertmanager that the replicas say they run.
	// +optional
	Version string `json:"version,omitempty"`
	// configuration says which revision of its configuration is published and which one is loaded.
	// +optional
	Configuration ConfigurationStatus `json:"configuration,omitzero"`
	// alerts that it has; absent while no replica answers.
	// +optional
	Alerts *AlertmanagerAlerts `json:"alerts,omitempty"`
	// failing are the receivers that could not be notified when it was last tried; at most 20. The Alertmanager's log has
	// the errors.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Failing []FailingReceiver `json:"failing,omitempty"`
}

// AlertmanagerAlerts counts the alerts that an Alertmanager has.
type AlertmanagerAlerts struct {
	// active is the number of alerts that somebody is, or will be, notified of.
	Active int32 `json:"active"`
	// suppressed is the number of alerts that are silenced or inhibited.
	Suppressed int32 `json:"suppressed"`
}

// FailingReceiver is a receiver that could not be notified.
type FailingReceiver struct {
	// receiver is its name; that of an AlertRule's begins with the namespace.
	Receiver string `json:"receiver"`
	// integration is the way that failed, such as webhook.
	Integration string `json:"integration"`
	// reason is Alertmanager's word for it, such as clientError.
	Reason string `json:"reason"`
}

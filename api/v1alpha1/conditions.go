package v1alpha1

// Condition types. Ready is always present. Reconciling and Stalled follow kstatus: they are present only while true.
const (
	// ConditionReady is True when everything declared is running and loaded.
	ConditionReady = "Ready"
	// ConditionReconciling is True while Hearth waits for something that will change by itself (pods starting, a
	// revision being loaded) or retries after an error.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when nothing will change until somebody edits the object or what it names.
	ConditionStalled = "Stalled"
	// ConditionLoaded (PrometheusServer, AlertRule) is True when every replica's Prometheus has said that it runs the
	// published configuration.
	ConditionLoaded = "Loaded"
	// ConditionTargetsHealthy (PrometheusServer) is False when a scrape job has targets that are down, or none
	// although it should, or when targets are left out.
	ConditionTargetsHealthy = "TargetsHealthy"
	// ConditionRulesAccepted (PrometheusServer) is False when a selected AlertRule was rejected.
	ConditionRulesAccepted = "RulesAccepted"
	// ConditionMonitorsAccepted (PrometheusServer, where monitors are selected) is False when one of them was rejected.
	ConditionMonitorsAccepted = "MonitorsAccepted"
	// ConditionAlertmanagerReady (PrometheusServer) is True when the server's own Alertmanager runs as it is declared.
	ConditionAlertmanagerReady = "AlertmanagerReady"
	// ConditionGrafanaReady (PrometheusServer, with grafana) is True when every Grafana that is declared has what it should. Ready
	// does not depend on it: a server serves without anybody looking at it.
	ConditionGrafanaReady = "GrafanaReady"
	// ConditionValid (AlertRule) is True when Prometheus' own parser accepts every rule.
	ConditionValid = "Valid"
	// ConditionTested (AlertRule) is True when every unit test in spec.tests passed. Rules whose tests fail are not loaded.
	ConditionTested = "Tested"
	// ConditionEvaluationFailing (AlertRule) is True while a server that has loaded the rules can't evaluate one of them. It
	// is present only while true.
	ConditionEvaluationFailing = "EvaluationFailing"
	// ConditionMetricsMissing (AlertRule) is True while a rule can't return anything on a server that has loaded it, because
	// a metric that it needs has no series there. It is advice: it is present only while true and Ready doesn't depend on it.
	ConditionMetricsMissing = "MetricsMissing"
	// ConditionAlertPathHealthy (PrometheusServer) is True while the server's Watchdog fires, is sent and arrives at the
	// Alertmanager, and the receivers can be notified. It is present where alerts are sent somewhere.
	ConditionAlertPathHealthy = "AlertPathHealthy"
	// ConditionRemoteWriteHealthy (PrometheusServer, with remoteWrite) is True while samples arrive wherever they are sent. Ready
	// does not depend on it: what is sent can wait.
	ConditionRemoteWriteHealthy = "RemoteWriteHealthy"
	// ConditionRouted (AlertRule) is True when everything in receivers and notify is in force. Present only with one of them.
	ConditionRouted = "Routed"
	// ConditionScraped (NodeExporter) is True when a server pulls from every ready exporter.
	ConditionScraped = "Scraped"
	// ConditionCovered (NodeExporter) is False when there are nodes that no pool takes.
	ConditionCovered = "Covered"
)

// Reasons, shared by the conditions above.
const (
	ReasonReady                   = "Ready"
	ReasonProgressing             = "Progressing"
	ReasonRetrying                = "Retrying"
	ReasonInvalidSpec             = "InvalidSpec"
	ReasonNameConflict            = "NameConflict"
	ReasonClaimCannotGrow         = "ClaimCannotGrow"
	ReasonNoNodes                 = "NoNodes"
	ReasonLoaded                  = "Loaded"
	ReasonLoading                 = "Loading"
	ReasonLoadFailed              = "LoadFailed"
	ReasonAllUp                   = "AllUp"
	ReasonTargetsDown             = "TargetsDown"
	ReasonNoTargets               = "NoTargets"
	ReasonNotAllowed              = "NotAllowed"
	ReasonUnknown                 = "Unknown"
	ReasonAllAccepted             = "AllAccepted"
	ReasonRulesRejected           = "RulesRejected"
	ReasonMonitorsRejected        = "MonitorsRejected"
	ReasonSecretsMissing          = "SecretsMissing"
	ReasonValid                   = "Valid"
	ReasonInvalidRules            = "InvalidRules"
	ReasonTestsPassed             = "TestsPassed"
	ReasonTestsFailed             = "TestsFailed"
	ReasonTestsRunning            = "TestsRunning"
	ReasonNotSelected             = "NotSelected"
	ReasonLastGoodLoaded          = "LastGoodLoaded"
	ReasonEvaluationError         = "EvaluationError"
	ReasonNoSeries                = "NoSeries"
	ReasonArriving                = "Arriving"
	ReasonWatchdogSilent          = "WatchdogSilent"
	ReasonWatchdogMissing         = "WatchdogMissing"
	ReasonNoAlertmanager          = "NoAlertmanager"
	ReasonAlertmanagerUnreachable = "AlertmanagerUnreachable"
	ReasonNotificationsFail       = "NotificationsFail"
	ReasonScraped                 = "Scraped"
	ReasonNotScraped              = "NotScraped"
	ReasonScaledToZero            = "ScaledToZero"

	ReasonCovered         = "Covered"
	ReasonNodesUnassigned = "NodesUnassigned"
	ReasonRouted          = "Routed"
	ReasonNotRouted       = "NotRouted"

	ReasonAlertmanagerNotReady = "AlertmanagerNotReady"
	ReasonAlertmanagerMissing  = "AlertmanagerMissing"

	// What can be the matter with samples that are sent.
	ReasonNotTaken      = "NotTaken"
	ReasonSendingFails  = "SendingFails"
	ReasonSendingBehind = "SendingBehind"
	ReasonSamplesLost   = "SamplesLost"

	ReasonGrafanaNotReady = "GrafanaNotReady"
	ReasonKindsMissing    = "KindsMissing"
	// What can be the matter with an existing Grafana.
	ReasonUnreachable  = "Unreachable"
	ReasonUnauthorized = "Unauthorized"
	ReasonNotGranted   = "NotGranted"
	ReasonConflict     = "Conflict"
	ReasonRefused      = "Refused"
)

package v1alpha1

import apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

// PagerDutyReceiver triggers an incident.
//
// +kubebuilder:validation:XValidation:rule="has(self.routingKey) != has(self.serviceKey)",message="PagerDuty needs either routingKey (Events API v2) or serviceKey (Prometheus integration): set exactly one of them"
type PagerDutyReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: yes.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// routingKey of an integration of type Events API v2, in a Secret.
	// +optional
	RoutingKey *SecretKey `json:"routingKey,omitempty"`
	// serviceKey of an integration of type Prometheus, in a Secret.
	// +optional
	ServiceKey *SecretKey `json:"serviceKey,omitempty"`
	// url of the API. Left out: https://events.pagerduty.com/v2/enqueue.
	// +optional
	URL URL `json:"url,omitempty"`
	// client shown.
	// +optional
	Client string `json:"client,omitempty"`
	// clientURL shown.
	// +optional
	ClientURL string `json:"clientURL,omitempty"`
	// description of the incident.
	// +optional
	Description string `json:"description,omitempty"`
	// severity of the incident.
	// +optional
	Severity string `json:"severity,omitempty"`
	// source of the incident. Left out: client.
	// +optional
	Source string `json:"source,omitempty"`
	// class of the incident.
	// +optional
	Class string `json:"class,omitempty"`
	// component that is broken.
	// +optional
	Component string `json:"component,omitempty"`
	// group of sources.
	// +optional
	Group string `json:"group,omitempty"`
	// details of the incident.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Details map[string]string `json:"details,omitempty"`
	// images to attach.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Images []PagerDutyImage `json:"images,omitempty"`
	// links to attach.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Links []PagerDutyLink `json:"links,omitempty"`
	// timeout of the request.
	// +optional
	Timeout RuleDuration `json:"timeout,omitempty"`
	// httpConfig of the request.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

// PagerDutyImage is an image.
type PagerDutyImage struct {
	// src of the image.
	// +required
	Src string `json:"src"`
	// alt is its text.
	// +optional
	Alt string `json:"alt,omitempty"`
	// href it links to.
	// +optional
	Href string `json:"href,omitempty"`
}

// PagerDutyLink is a link.
type PagerDutyLink struct {
	// href it links to.
	// +required
	Href string `json:"href"`
	// text of it.
	// +optional
	Text string `json:"text,omitempty"`
}

// EmailReceiver sends mail.
type EmailReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: no.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// to whom, separated by commas.
	// +required
	// +kubebuilder:validation:MinLength=1
	To string `json:"to"`
	// from whom.
	// +required
	// +kubebuilder:validation:MinLength=1
	From string `json:"from"`
	// smarthost is the mail server and its port, such as mail.example.org:587.
	// +required
	// +kubebuilder:validation:Pattern=`^.+:.+$`
	Smarthost string `json:"smarthost"`
	// hello is how Alertmanager calls itself. Left out: localhost.
	// +optional
	Hello string `json:"hello,omitempty"`
	// authUsername for LOGIN, PLAIN and CRAM-MD5.
	// +optional
	AuthUsername string `json:"authUsername,omitempty"`
	// authPassword for LOGIN and PLAIN, in a Secret.
	// +optional
	AuthPassword *SecretKey `json:"authPassword,omitempty"`
	// authSecret for CRAM-MD5, in a Secret.
	// +optional
	AuthSecret *SecretKey `json:"authSecret,omitempty"`
	// authIdentity for PLAIN.
	// +optional
	AuthIdentity string `json:"authIdentity,omitempty"`
	// headers to set, such as Subject.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Headers map[string]string `json:"headers,omitempty"`
	// html body.
	// +optional
	HTML string `json:"html,omitempty"`
	// text body.
	// +optional
	Text string `json:"text,omitempty"`
	// requireTLS unless it is false: nothing is sent to a server without STARTTLS.
	// +optional
	RequireTLS *bool `json:"requireTLS,omitempty"`
	// forceImplicitTLS: true speaks TLS from the beginning, false uses STARTTLS. Left out: TLS from the beginning on port
	// 465 only.
	// +optional
	ForceImplicitTLS *bool `json:"forceImplicitTLS,omitempty"`
	// tls for the mail server.
	// +optional
	TLS *ClientTLS `json:"tls,omitempty"`
	// threadByDate makes threads of the mails about a group: daily makes a new one each day, none does not. Left out: no
	// threads.
	// +optional
	// +kubebuilder:validation:Enum=none;daily
	ThreadByDate string `json:"threadByDate,omitempty"`
}

// OpsgenieReceiver creates an Opsgenie alert.
type OpsgenieReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: yes.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// apiKey in a Secret.
	// +required
	APIKey SecretKey `json:"apiKey"`
	// apiURL of the API. Left out: https://api.opsgenie.com/.
	// +optional
	APIURL URL `json:"apiURL,omitempty"`
	// message of the alert.
	// +optional
	Message string `json:"message,omitempty"`
	// description of the alert.
	// +optional
	Description string `json:"description,omitempty"`
	// source of the alert.
	// +optional
	Source string `json:"source,omitempty"`
	// details of the alert.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Details map[string]string `json:"details,omitempty"`
	// responders of the alert.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Responders []OpsgenieResponder `json:"responders,omitempty"`
	// tags of the alert, separated by commas.
	// +optional
	Tags string `json:"tags,omitempty"`
	// actions of the alert, separated by commas.
	// +optional
	Actions string `json:"actions,omitempty"`
	// note of the alert.
	// +optional
	Note string `json:"note,omitempty"`
	// entity that the alert is about.
	// +optional
	Entity string `json:"entity,omitempty"`
	// priority of the alert: P1 to P5.
	// +optional
	Priority string `json:"priority,omitempty"`
	// updateAlerts updates message and description of an alert that exists.
	// +optional
	UpdateAlerts bool `json:"updateAlerts,omitempty"`
	// httpConfig of the request.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

// OpsgenieResponder is named by id, name or username.
type OpsgenieResponder struct {
	// type: team, teams, user, escalation or schedule.
	// +required
	// +kubebuilder:validation:MinLength=1
	Type string `json:"type"`
	// id of the responder.
	// +optional
	ID string `json:"id,omitempty"`
	// name of the responder.
	// +optional
	Name string `json:"name,omitempty"`
	// username of the responder.
	// +optional
	Username string `json:"username,omitempty"`
}

// PushoverReceiver sends a Pushover notification.
type PushoverReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: yes.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// userKey of the recipient, in a Secret.
	// +required
	UserKey SecretKey `json:"userKey"`
	// token of the application, in a Secret.
	// +required
	Token SecretKey `json:"token"`
	// title of the notification.
	// +optional
	Title string `json:"title,omitempty"`
	// message of the notification.
	// +optional
	Message string `json:"message,omitempty"`
	// url to show.
	// +optional
	URL string `json:"url,omitempty"`
	// urlTitle to show for it.
	// +optional
	URLTitle string `json:"urlTitle,omitempty"`
	// device to notify. Left out: all.
	// +optional
	Device string `json:"device,omitempty"`
	// sound to play.
	// +optional
	Sound string `json:"sound,omitempty"`
	// priority of the notification, -2 to 2.
	// +optional
	Priority string `json:"priority,omitempty"`
	// retry is how often an emergency is repeated, 30s or more.
	// +optional
	Retry RuleDuration `json:"retry,omitempty"`
	// expire is how long an emergency is repeated.
	// +optional
	Expire RuleDuration `json:"expire,omitempty"`
	// ttl after which the notification is removed.
	// +optional
	TTL RuleDuration `json:"ttl,omitempty"`
	// html says that message is HTML.
	// +optional
	HTML bool `json:"html,omitempty"`
	// monospace shows message in a monospace font.
	// +optional
	Monospace bool `json:"monospace,omitempty"`
	// httpConfig of the request.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

// VictorOpsReceiver creates a VictorOps (Splunk On-Call) incident.
type VictorOpsReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: yes.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// apiKey in a Secret.
	// +required
	APIKey SecretKey `json:"apiKey"`
	// apiURL of the API. Left out: VictorOps' own.
	// +optional
	APIURL URL `json:"apiURL,omitempty"`
	// routingKey of the team; it is not a secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	RoutingKey string `json:"routingKey"`
	// messageType: CRITICAL, WARNING or INFO. Left out: CRITICAL.
	// +optional
	MessageType string `json:"messageType,omitempty"`
	// stateMessage is the long text.
	// +optional
	StateMessage string `json:"stateMessage,omitempty"`
	// entityDisplayName is the short text.
	// +optional
	EntityDisplayName string `json:"entityDisplayName,omitempty"`
	// monitoringTool shown.
	// +optional
	MonitoringTool string `json:"monitoringTool,omitempty"`
	// customFields of the incident.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	CustomFields map[string]string `json:"customFields,omitempty"`
	// httpConfig of the request.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

// SNSReceiver publishes to Amazon SNS. Alertmanager takes no keys from files, so the identity is that of its pod.
//
// +kubebuilder:validation:XValidation:rule="[has(self.topicARN), has(self.targetARN), has(self.phoneNumber)].filter(x, x).size() == 1",message="SNS needs a topicARN, a targetARN or a phoneNumber: set exactly one of them"
type SNSReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: yes.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// topicARN to publish to.
	// +optional
	TopicARN string `json:"topicARN,omitempty"`
	// targetARN to publish to.
	// +optional
	TargetARN string `json:"targetARN,omitempty"`
	// phoneNumber to send to.
	// +optional
	PhoneNumber string `json:"phoneNumber,omitempty"`
	// region of AWS. Left out: that of the pod's environment.
	// +optional
	Region string `json:"region,omitempty"`
	// roleARN to assume.
	// +optional
	RoleARN string `json:"roleARN,omitempty"`
	// apiURL of the API. Left out: that of the region.
	// +optional
	APIURL URL `json:"apiURL,omitempty"`
	// subject of the message.
	// +optional
	Subject string `json:"subject,omitempty"`
	// message to publish.
	// +optional
	Message string `json:"message,omitempty"`
	// attributes of the message.
	// +optional
	// +kubebuilder:validation:MaxProperties=10
	Attributes map[string]string `json:"attributes,omitempty"`
	// httpConfig of the request.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

// JiraReceiver creates a Jira issue.
type JiraReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: yes.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// apiURL of the API with its version, such as https://example.atlassian.net/rest/api/2/.
	// +required
	APIURL URL `json:"apiURL"`
	// apiType: auto, cloud or datacenter. Left out: auto.
	// +optional
	// +kubebuilder:validation:Enum=auto;cloud;datacenter
	APIType string `json:"apiType,omitempty"`
	// project key.
	// +required
	// +kubebuilder:validation:MinLength=1
	Project string `json:"project"`
	// issueType, such as Bug.
	// +required
	// +kubebuilder:validation:MinLength=1
	IssueType string `json:"issueType"`
	// summary of the issue.
	// +optional
	Summary string `json:"summary,omitempty"`
	// description of the issue.
	// +optional
	Description string `json:"description,omitempty"`
	// labels of the issue.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Labels []string `json:"labels,omitempty"`
	// priority of the issue.
	// +optional
	Priority string `json:"priority,omitempty"`
	// reopenTransition by which a resolved issue is opened again.
	// +optional
	ReopenTransition string `json:"reopenTransition,omitempty"`
	// resolveTransition by which an issue is resolved.
	// +optional
	ResolveTransition string `json:"resolveTransition,omitempty"`
	// wontFixResolution marks issues that are not opened again.
	// +optional
	WontFixResolution string `json:"wontFixResolution,omitempty"`
	// reopenDuration in which a resolved issue is opened again instead of a new one made.
	// +optional
	ReopenDuration RuleDuration `json:"reopenDuration,omitempty"`
	// fields are other fields of the issue, as Jira's API takes them.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Fields map[string]apiextensionsv1.JSON `json:"fields,omitempty"`
	// httpConfig of the request, with basicAuth or authorization.
	// +required
	HTTPConfig HTTPConfig `json:"httpConfig"`
}

package v1alpha1

// Receiver is what is notified, in all the ways it lists. Their fields are Alertmanager's own
// (https://prometheus.io/docs/alerting/latest/configuration/#receiver-integration-settings); what is left out has
// Alertmanager's own default.
type Receiver struct {
	// name of the receiver.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[^/]+$`
	Name string `json:"name"`
	// webhook sends a request with the alerts as JSON.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Webhook []WebhookReceiver `json:"webhook,omitempty"`
	// slack posts to a Slack channel.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Slack []SlackReceiver `json:"slack,omitempty"`
	// pagerDuty triggers a PagerDuty incident.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	PagerDuty []PagerDutyReceiver `json:"pagerDuty,omitempty"`
	// email sends mail.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Email []EmailReceiver `json:"email,omitempty"`
	// opsgenie creates an Opsgenie alert.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Opsgenie []OpsgenieReceiver `json:"opsgenie,omitempty"`
	// telegram sends a Telegram message.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Telegram []TelegramReceiver `json:"telegram,omitempty"`
	// msTeams posts to Microsoft Teams through a workflow's webhook (Alertmanager's msteamsv2).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	MSTeams []MSTeamsReceiver `json:"msTeams,omitempty"`
	// discord posts to a Discord channel.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Discord []DiscordReceiver `json:"discord,omitempty"`
	// pushover sends a Pushover notification.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Pushover []PushoverReceiver `json:"pushover,omitempty"`
	// victorOps creates a VictorOps (Splunk On-Call) incident.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	VictorOps []VictorOpsReceiver `json:"victorOps,omitempty"`
	// sns publishes to Amazon SNS with the identity of the Alertmanager's pod; only a PrometheusServer's receivers may.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	SNS []SNSReceiver `json:"sns,omitempty"`
	// webex posts to a Webex room.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Webex []WebexReceiver `json:"webex,omitempty"`
	// rocketChat posts to a Rocket.Chat channel.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	RocketChat []RocketChatReceiver `json:"rocketChat,omitempty"`
	// jira creates a Jira issue.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Jira []JiraReceiver `json:"jira,omitempty"`
}

// SecretKey names a key of a Secret in this object's own namespace. It is mounted as a file; the operator does not read it.
//
// It has no patterns: it is in the schema some eighty times, and internal/amconfig checks it.
type SecretKey struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// key in the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	Key string `json:"key"`
}

// URL is a full http or https address without a user name or password in it.
//
// +kubebuilder:validation:MaxLength=2048
// +kubebuilder:validation:Pattern=`^https?://[^/?#@]+([/?#].*)?$`
type URL string

// HTTPConfig says how requests are made.
type HTTPConfig struct {
	// tls for https.
	// +optional
	TLS *ClientTLS `json:"tls,omitempty"`
	// basicAuth to send.
	// +optional
	BasicAuth *ClientBasicAuth `json:"basicAuth,omitempty"`
	// authorization header to send.
	// +optional
	Authorization *Authorization `json:"authorization,omitempty"`
	// proxyURL of an HTTP proxy; only a PrometheusServer's receivers may name one.
	// +optional
	ProxyURL URL `json:"proxyURL,omitempty"`
	// followRedirects unless it is false.
	// +optional
	FollowRedirects *bool `json:"followRedirects,omitempty"`
}

// ClientTLS says whom to trust and who we are.
type ClientTLS struct {
	// ca with which the server's certificate is checked. Left out: those that the image trusts.
	// +optional
	CA *SecretKey `json:"ca,omitempty"`
	// cert to show to the server, with key.
	// +optional
	Cert *SecretKey `json:"cert,omitempty"`
	// key of cert.
	// +optional
	Key *SecretKey `json:"key,omitempty"`
	// serverName that the certificate must have, if it is not the address's.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`
	// insecureSkipVerify takes any certificate.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// ClientBasicAuth is a user name and a password.
type ClientBasicAuth struct {
	// username in plain.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Username string `json:"username"`
	// password in a Secret.
	// +required
	Password SecretKey `json:"password"`
}

// Authorization is the header of that name.
type Authorization struct {
	// type of the credentials. Left out: Bearer.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Type string `json:"type,omitempty"`
	// credentials in a Secret.
	// +required
	Credentials SecretKey `json:"credentials"`
}

// WebhookReceiver sends a request with the alerts as JSON
// (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
//
// +kubebuilder:validation:XValidation:rule="has(self.url) != has(self.urlSecret)",message="a webhook has either url or urlSecret: set exactly one of them"
type WebhookReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: yes.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// url of the webhook, where nothing in it is secret.
	// +optional
	URL URL `json:"url,omitempty"`
	// urlSecret has the url in a Secret.
	// +optional
	URLSecret *SecretKey `json:"urlSecret,omitempty"`
	// maxAlerts of one request; the others are left out. 0 is no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxAlerts int32 `json:"maxAlerts,omitempty"`
	// timeout of the request.
	// +optional
	Timeout RuleDuration `json:"timeout,omitempty"`
	// httpConfig of the request.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

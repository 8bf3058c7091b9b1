package amconfig

import (
	"encoding/json"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

type webhookConfig struct {
	SendResolved *bool        `yaml:"send_resolved,omitempty"`
	URL          v1alpha1.URL `yaml:"url,omitempty"`
	URLFile      string       `yaml:"url_file,omitempty"`
	MaxAlerts    int32        `yaml:"max_alerts,omitempty"`
	Timeout      string       `yaml:"timeout,omitempty"`
	HTTPConfig   *httpConfig  `yaml:"http_config,omitempty"`
}

func (w *writer) webhook(r v1alpha1.WebhookReceiver) webhookConfig {
	if (r.URL == "") == (r.URLSecret == nil) {
		w.fail("needs either url or urlSecret")
	}
	return webhookConfig{
		SendResolved: r.SendResolved,
		URL:          r.URL,
		URLFile:      w.file(r.URLSecret),
		MaxAlerts:    r.MaxAlerts,
		Timeout:      w.duration("timeout", r.Timeout),
		HTTPConfig:   w.http(r.HTTPConfig),
	}
}

type pagerDutyConfig struct {
	SendResolved   *bool             `yaml:"send_resolved,omitempty"`
	RoutingKeyFile string            `yaml:"routing_key_file,omitempty"`
	ServiceKeyFile string            `yaml:"service_key_file,omitempty"`
	URL            v1alpha1.URL      `yaml:"url,omitempty"`
	Client         string            `yaml:"client,omitempty"`
	ClientURL      string            `yaml:"client_url,omitempty"`
	Description    string            `yaml:"description,omitempty"`
	Severity       string            `yaml:"severity,omitempty"`
	Source         string            `yaml:"source,omitempty"`
	Class          string            `yaml:"class,omitempty"`
	Component      string            `yaml:"component,omitempty"`
	Group          string            `yaml:"group,omitempty"`
	Details        map[string]string `yaml:"details,omitempty"`
	Images         []pagerDutyImage  `yaml:"images,omitempty"`
	Links          []pagerDutyLink   `yaml:"links,omitempty"`
	Timeout        string            `yaml:"timeout,omitempty"`
	HTTPConfig     *httpConfig       `yaml:"http_config,omitempty"`
}

type pagerDutyImage struct {
	Src  string `yaml:"src"`
	Alt  string `yaml:"alt,omitempty"`
	Href string `yaml:"href,omitempty"`
}

type pagerDutyLink struct {
	Href string `yaml:"href"`
	Text string `yaml:"text,omitempty"`
}

func (w *writer) pagerDuty(r v1alpha1.PagerDutyReceiver) pagerDutyConfig {
	if (r.RoutingKey == nil) == (r.ServiceKey == nil) {
		w.fail("needs either routingKey (Events API v2) or serviceKey (Prometheus integration)")
	}
	return pagerDutyConfig{
		SendResolved:   r.SendResolved,
		RoutingKeyFile: w.file(r.RoutingKey),
		ServiceKeyFile: w.file(r.ServiceKey),
		URL:            r.URL,
		Client:         r.Client,
		ClientURL:      r.ClientURL,
		Description:    r.Description,
		Severity:       r.Severity,
		Source:         r.Source,
		Class:          r.Class,
		Component:      r.Component,
		Group:          r.Group,
		Details:        r.Details,
		Images:         each(r.Images, func(i v1alpha1.PagerDutyImage) pagerDutyImage { return pagerDutyImage(i) }),
		Links:          each(r.Links, func(l v1alpha1.PagerDutyLink) pagerDutyLink { return pagerDutyLink(l) }),
		Timeout:        w.duration("timeout", r.Timeout),
		HTTPConfig:     w.http(r.HTTPConfig),
	}
}

type emailConfig struct {
	SendResolved     *bool             `yaml:"send_resolved,omitempty"`
	To               string            `yaml:"to"`
	From             string            `yaml:"from"`
	Smarthost        string            `yaml:"smarthost"`
	Hello            string            `yaml:"hello,omitempty"`
	AuthUsername     string            `yaml:"auth_username,omitempty"`
	AuthPasswordFile string            `yaml:"auth_password_file,omitempty"`
	AuthSecretFile   string            `yaml:"auth_secret_file,omitempty"`
	AuthIdentity     string            `yaml:"auth_identity,omitempty"`
	Headers          map[string]string `yaml:"headers,omitempty"`
	HTML             string            `yaml:"html,omitempty"`
	Text             string            `yaml:"text,omitempty"`
	RequireTLS       *bool             `yaml:"require_tls,omitempty"`
	ForceImplicitTLS *bool             `yaml:"force_implicit_tls,omitempty"`
	TLSConfig        *tlsConfig        `yaml:"tls_config,omitempty"`
	Threading        *threading        `yaml:"threading,omitempty"`
}

type threading struct {
	Enabled      bool   `yaml:"enabled"`
	ThreadByDate string `yaml:"thread_by_date"`
}

func (w *writer) email(r v1alpha1.EmailReceiver) emailConfig {
	out := emailConfig{
		SendResolved:     r.SendResolved,
		To:               r.To,
		From:             r.From,
		Smarthost:        r.Smarthost,
		Hello:            r.Hello,
		AuthUsername:     r.AuthUsername,
		AuthPasswordFile: w.file(r.AuthPassword),
		AuthSecretFile:   w.file(r.AuthSecret),
		AuthIdentity:     r.AuthIdentity,
		Headers:          r.Headers,
		HTML:             r.HTML,
		Text:             r.Text,
		RequireTLS:       r.RequireTLS,
		ForceImplicitTLS: r.ForceImplicitTLS,
		TLSConfig:        w.tls(r.TLS),
	}
	if r.ThreadByDate != "" {
		out.Threading = &threading{Enabled: true, ThreadByDate: r.ThreadByDate}
	}
	return out
}

type opsgenieConfig struct {
	SendResolved *bool               `yaml:"send_resolved,omitempty"`
	APIKeyFile   string              `yaml:"api_key_file"`
	APIURL       v1alpha1.URL        `yaml:"api_url,omitempty"`
	Message      string              `yaml:"message,omitempty"`
	Description  string              `yaml:"description,omitempty"`
	Source       string              `yaml:"source,omitempty"`
	Details      map[string]string   `yaml:"details,omitempty"`
	Responders   []opsgenieResponder `yaml:"responders,omitempty"`
	Tags         string              `yaml:"tags,omitempty"`
	Actions      string              `yaml:"actions,omitempty"`
	Note         string              `yaml:"note,omitempty"`
	Entity       string              `yaml:"entity,omitempty"`
	Priority     string              `yaml:"priority,omitempty"`
	UpdateAlerts bool                `yaml:"update_alerts,omitempty"`
	HTTPConfig   *httpConfig         `yaml:"http_config,omitempty"`
}

type opsgenieResponder struct {
	Type     string `yaml:"type"`
	ID       string `yaml:"id,omitempty"`
	Name     string `yaml:"name,omitempty"`
	Username string `yaml:"username,omitempty"`
}

func (w *writer) opsgenie(r v1alpha1.OpsgenieReceiver) opsgenieConfig {
	return opsgenieConfig{
		SendResolved: r.SendResolved,
		APIKeyFile:   w.file(&r.APIKey),
		APIURL:       r.APIURL,
		Message:      r.Message,
		Description:  r.Description,
		Source:       r.Source,
		Details:      r.Details,
		Responders:   each(r.Responders, func(p v1alpha1.OpsgenieResponder) opsgenieResponder { return opsgenieResponder(p) }),
		Tags:         r.Tags,
		Actions:      r.Actions,
		Note:         r.Note,
		Entity:       r.Entity,
		Priority:     r.Priority,
		UpdateAlerts: r.UpdateAlerts,
		HTTPConfig:   w.http(r.HTTPConfig),
	}
}

type pushoverConfig struct {
	SendResolved *bool       `yaml:"send_resolved,omitempty"`
	UserKeyFile  string      `yaml:"user_key_file"`
	TokenFile    string      `yaml:"token_file"`
	Title        string      `yaml:"title,omitempty"`
	Message      string      `yaml:"message,omitempty"`
	URL          string      `yaml:"url,omitempty"`
	URLTitle     string      `yaml:"url_title,omitempty"`
	Device       string      `yaml:"device,omitempty"`
	Sound        string      `yaml:"sound,omitempty"`
	Priority     string      `yaml:"priority,omitempty"`
	Retry        string      `yaml:"retry,omitempty"`
	Expire       string      `yaml:"expire,omitempty"`
	TTL          string      `yaml:"ttl,omitempty"`
	HTML         bool        `yaml:"html,omitempty"`
	Monospace    bool        `yaml:"monospace,omitempty"`
	HTTPConfig   *httpConfig `yaml:"http_config,omitempty"`
}

func (w *writer) pushover(r v1alpha1.PushoverReceiver) pushoverConfig {
	return pushoverConfig{
		SendResolved: r.SendResolved,
		UserKeyFile:  w.file(&r.UserKey),
		TokenFile:    w.file(&r.Token),
		Title:        r.Title,
		Message:      r.Message,
		URL:          r.URL,
		URLTitle:     r.URLTitle,
		Device:       r.Device,
		Sound:        r.Sound,
		Priority:     r.Priority,
		Retry:        w.duration("retry", r.Retry),
		Expire:       w.duration("expire", r.Expire),
		TTL:          w.duration("ttl", r.TTL),
		HTML:         r.HTML,
		Monospace:    r.Monospace,
		HTTPConfig:   w.http(r.HTTPConfig),
	}
}

type victorOpsConfig struct {
	SendResolved      *bool             `yaml:"send_resolved,omitempty"`
	APIKeyFile        string            `yaml:"api_key_file"`
	APIURL            v1alpha1.URL      `yaml:"api_url,omitempty"`
	RoutingKey        string            `yaml:"routing_key"`
	MessageType       string            `yaml:"message_type,omitempty"`
	StateMessage      string            `yaml:"state_message,omitempty"`
	EntityDisplayName string            `yaml:"entity_display_name,omitempty"`
	MonitoringTool    string            `yaml:"monitoring_tool,omitempty"`
	CustomFields      map[string]string `yaml:"custom_fields,omitempty"`
	HTTPConfig        *httpConfig       `yaml:"http_config,omitempty"`
}

func (w *writer) victorOps(r v1alpha1.VictorOpsReceiver) victorOpsConfig {
	return victorOpsConfig{
		SendResolved:      r.SendResolved,
		APIKeyFile:        w.file(&r.APIKey),
		APIURL:            r.APIURL,
		RoutingKey:        r.RoutingKey,
		MessageType:       r.MessageType,
		StateMessage:      r.StateMessage,
		EntityDisplayName: r.EntityDisplayName,
		MonitoringTool:    r.MonitoringTool,
		CustomFields:      r.CustomFields,
		HTTPConfig:        w.http(r.HTTPConfig),
	}
}

type snsConfig struct {
	SendResolved *bool             `yaml:"send_resolved,omitempty"`
	APIURL       v1alpha1.URL      `yaml:"api_url,omitempty"`
	SigV4        sigV4             `yaml:"sigv4"`
	TopicARN     string            `yaml:"topic_arn,omitempty"`
	TargetARN    string            `yaml:"target_arn,omitempty"`
	PhoneNumber  string            `yaml:"phone_number,omitempty"`
	Subject      string            `yaml:"subject,omitempty"`
	Message      string            `yaml:"message,omitempty"`
	Attributes   map[string]string `yaml:"attributes,omitempty"`
	HTTPConfig   *httpConfig       `yaml:"http_config,omitempty"`
}

type sigV4 struct {
	Region  string `yaml:"region,omitempty"`
	RoleARN string `yaml:"role_arn,omitempty"`
}

func (w *writer) sns(r v1alpha1.SNSReceiver) snsConfig {
	if w.tenant {
		// It would act with whatever identity the Alertmanager's pod has, which is not the tenant's.
		w.fail("a receiver of an AlertRule cannot publish to SNS, because it would do so as the Alertmanager's pod: ask who runs the PrometheusServer for a receiver")
	}
	return snsConfig{
		SendResolved: r.SendResolved,
		APIURL:       r.APIURL,
		SigV4:        sigV4{Region: r.Region, RoleARN: r.RoleARN},
		TopicARN:     r.TopicARN,
		TargetARN:    r.TargetARN,
		PhoneNumber:  r.PhoneNumber,
		Subject:      r.Subject,
		Message:      r.Message,
		Attributes:   r.Attributes,
		HTTPConfig:   w.http(r.HTTPConfig),
	}
}

type jiraConfig struct {
	SendResolved      *bool                 `yaml:"send_resolved,omitempty"`
	APIURL            v1alpha1.URL          `yaml:"api_url"`
	APIType           string                `yaml:"api_type,omitempty"`
	Project           string                `yaml:"project"`
	IssueType         string                `yaml:"issue_type"`
	Summary           string                `yaml:"summary,omitempty"`
	Description       string                `yaml:"description,omitempty"`
	Labels            []string              `yaml:"labels,omitempty"`
	Priority          string                `yaml:"priority,omitempty"`
	ReopenTransition  string                `yaml:"reopen_transition,omitempty"`
	ResolveTransition string                `yaml:"resolve_transition,omitempty"`
	WontFixResolution string                `yaml:"wont_fix_resolution,omitempty"`
	ReopenDuration    v1alpha1.RuleDuration `yaml:"reopen_duration,omitempty"`
	// Fields are whatever Jira's API takes.
	Fields     map[string]any `yaml:"fields,omitempty"`
	HTTPConfig *httpConfig    `yaml:"http_config"`
}

func (w *writer) jira(r v1alpha1.JiraReceiver) jiraConfig {
	if r.HTTPConfig.BasicAuth == nil && r.HTTPConfig.Authorization == nil {
		w.fail("httpConfig: Jira needs basicAuth (Cloud: an address and an API token) or authorization (Data Center: a personal access token)")
	}
	return jiraConfig{
		SendResolved:      r.SendResolved,
		APIURL:            r.APIURL,
		APIType:           r.APIType,
		Project:           r.Project,
		IssueType:         r.IssueType,
		Summary:           r.Summary,
		Description:       r.Description,
		Labels:            r.Labels,
		Priority:          r.Priority,
		ReopenTransition:  r.ReopenTransition,
		ResolveTransition: r.ResolveTransition,
		WontFixResolution: r.WontFixResolution,
		ReopenDuration:    r.ReopenDuration,
		Fields:            w.jiraFields(r),
		HTTPConfig:        w.http(&r.HTTPConfig),
	}
}

func (w *writer) jiraFields(r v1alpha1.JiraReceiver) map[string]any {
	if len(r.Fields) == 0 {
		return nil
	}
	out := make(map[string]any, len(r.Fields))
	for name, raw := range r.Fields {
		var value any
		if err := json.Unmarshal(raw.Raw, &value); err != nil {
			w.fail("fields[%s]: %w", name, err)
		}
		out[name] = value
	}
	return out
}

package amconfig

import (
	"github.com/hearth-monitoring/hearth/api/v1alpha1"
)

// The structs below are the parts of alertmanager.yml that Hearth writes, with Alertmanager's own field names
// (https://prometheus.io/docs/alerting/latest/configuration/). Alertmanager's own structs can't be used for writing: they
// print secrets as <secret> and fill in defaults.

type configuration struct {
	Route         route          `yaml:"route"`
	InhibitRules  []inhibitRule  `yaml:"inhibit_rules,omitempty"`
	Receivers     []receiver     `yaml:"receivers"`
	Templates     []string       `yaml:"templates,omitempty"`
	TimeIntervals []timeInterval `yaml:"time_intervals,omitempty"`
}

type route struct {
	Receiver            string                `yaml:"receiver,omitempty"`
	Matchers            []string              `yaml:"matchers,omitempty"`
	GroupBy             []string              `yaml:"group_by,omitempty"`
	GroupWait           v1alpha1.RuleDuration `yaml:"group_wait,omitempty"`
	GroupInterval       v1alpha1.RuleDuration `yaml:"group_interval,omitempty"`
	RepeatInterval      v1alpha1.RuleDuration `yaml:"repeat_interval,omitempty"`
	MuteTimeIntervals   []string              `yaml:"mute_time_intervals,omitempty"`
	ActiveTimeIntervals []string              `yaml:"active_time_intervals,omitempty"`
	Continue            bool                  `yaml:"continue,omitempty"`
	Routes              []route               `yaml:"routes,omitempty"`
}

type inhibitRule struct {
	SourceMatchers []string `yaml:"source_matchers"`
	TargetMatchers []string `yaml:"target_matchers"`
	Equal          []string `yaml:"equal,omitempty"`
}

type timeInterval struct {
	Name          string       `yaml:"name"`
	TimeIntervals []timePeriod `yaml:"time_intervals"`
}

type timePeriod struct {
	Times       []timeOfDay `yaml:"times,omitempty"`
	Weekdays    []string    `yaml:"weekdays,omitempty"`
	DaysOfMonth []string    `yaml:"days_of_month,omitempty"`
	Months      []string    `yaml:"months,omitempty"`
	Years       []string    `yaml:"years,omitempty"`
	Location    string      `yaml:"location,omitempty"`
}

type timeOfDay struct {
	StartTime string `yaml:"start_time"`
	EndTime   string `yaml:"end_time"`
}

type receiver struct {
	Name       string             `yaml:"name"`
	Webhook    []webhookConfig    `yaml:"webhook_configs,omitempty"`
	Slack      []slackConfig      `yaml:"slack_configs,omitempty"`
	PagerDuty  []pagerDutyConfig  `yaml:"pagerduty_configs,omitempty"`
	Email      []emailConfig      `yaml:"email_configs,omitempty"`
	Opsgenie   []opsgenieConfig   `yaml:"opsgenie_configs,omitempty"`
	Telegram   []telegramConfig   `yaml:"telegram_configs,omitempty"`
	MSTeams    []msTeamsConfig    `yaml:"msteamsv2_configs,omitempty"`
	Discord    []discordConfig    `yaml:"discord_configs,omitempty"`
	Pushover   []pushoverConfig   `yaml:"pushover_configs,omitempty"`
	VictorOps  []victorOpsConfig  `yaml:"victorops_configs,omitempty"`
	SNS        []snsConfig        `yaml:"sns_configs,omitempty"`
	Webex      []webexConfig      `yaml:"webex_configs,omitempty"`
	RocketChat []rocketChatConfig `yaml:"rocketchat_configs,omitempty"`
	Jira       []jiraConfig       `yaml:"jira_configs,omitempty"`
}

// timeIntervals are the named times of a server.
func timeIntervals(of []v1alpha1.TimeInterval) []timeInterval {
	return each(of, func(t v1alpha1.TimeInterval) timeInterval {
		return timeInterval{Name: t.Name, TimeIntervals: each(t.TimeIntervals, func(p v1alpha1.TimePeriod) timePeriod {
			return timePeriod{
				Times:       each(p.Times, func(o v1alpha1.TimeOfDay) timeOfDay { return timeOfDay(o) }),
				Weekdays:    p.Weekdays,
				DaysOfMonth: p.DaysOfMonth,
				Months:      p.Months,
				Years:       p.Years,
				Location:    p.Location,
			}
		})}
	})
}

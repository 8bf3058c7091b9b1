package amconfig

import "github.com/hearth-monitoring/hearth/api/v1alpha1"

type slackConfig struct {
	SendResolved *bool         `yaml:"send_resolved,omitempty"`
	APIURLFile   string        `yaml:"api_url_file,omitempty"`
	AppTokenFile string        `yaml:"app_token_file,omitempty"`
	AppURL       v1alpha1.URL  `yaml:"app_url,omitempty"`
	Channel      string        `yaml:"channel,omitempty"`
	Username     string        `yaml:"username,omitempty"`
	Color        string        `yaml:"color,omitempty"`
	Title        string        `yaml:"title,omitempty"`
	TitleLink    string        `yaml:"title_link,omitempty"`
	Pretext      string        `yaml:"pretext,omitempty"`
	Text         string        `yaml:"text,omitempty"`
	MessageText  string        `yaml:"message_text,omitempty"`
	Fields       []chatField   `yaml:"fields,omitempty"`
	ShortFields  bool          `yaml:"short_fields,omitempty"`
	Footer       string        `yaml:"footer,omitempty"`
	Fallback     string        `yaml:"fallback,omitempty"`
	CallbackID   string        `yaml:"callback_id,omitempty"`
	IconEmoji    string        `yaml:"icon_emoji,omitempty"`
	IconURL      string        `yaml:"icon_url,omitempty"`
	ImageURL     string        `yaml:"image_url,omitempty"`
	ThumbURL     string        `yaml:"thumb_url,omitempty"`
	LinkNames    bool          `yaml:"link_names,omitempty"`
	MrkdwnIn     []string      `yaml:"mrkdwn_in,omitempty"`
	Actions      []slackAction `yaml:"actions,omitempty"`
	Timeout      string        `yaml:"timeout,omitempty"`
	HTTPConfig   *httpConfig   `yaml:"http_config,omitempty"`
}

type chatField struct {
	Title string `yaml:"title"`
	Value string `yaml:"value"`
	Short *bool  `yaml:"short,omitempty"`
}

type slackAction struct {
	Type  string `yaml:"type"`
	Text  string `yaml:"text"`
	URL   string `yaml:"url,omitempty"`
	Style string `yaml:"style,omitempty"`
	Name  string `yaml:"name,omitempty"`
	Value string `yaml:"value,omitempty"`
}

func (w *writer) slack(r v1alpha1.SlackReceiver) slackConfig {
	if (r.APIURL == nil) == (r.AppToken == nil) {
		w.fail("needs either apiURL (an incoming webhook) or appToken (a bot's token)")
	}
	return slackConfig{
		SendResolved: r.SendResolved,
		APIURLFile:   w.file(r.APIURL),
		AppTokenFile: w.file(r.AppToken),
		AppURL:       r.AppURL,
		Channel:      r.Channel,
		Username:     r.Username,
		Color:        r.Color,
		Title:        r.Title,
		TitleLink:    r.TitleLink,
		Pretext:      r.Pretext,
		Text:         r.Text,
		MessageText:  r.MessageText,
		Fields:       fields(r.Fields),
		ShortFields:  r.ShortFields,
		Footer:       r.Footer,
		Fallback:     r.Fallback,
		CallbackID:   r.CallbackID,
		IconEmoji:    r.IconEmoji,
		IconURL:      r.IconURL,
		ImageURL:     r.ImageURL,
		ThumbURL:     r.ThumbURL,
		LinkNames:    r.LinkNames,
		MrkdwnIn:     r.MrkdwnIn,
		Actions:      each(r.Actions, func(a v1alpha1.SlackAction) slackAction { return slackAction(a) }),
		Timeout:      w.duration("timeout", r.Timeout),
		HTTPConfig:   w.http(r.HTTPConfig),
	}
}

func fields(of []v1alpha1.ChatField) []chatField {
	return each(of, func(f v1alpha1.ChatField) chatField { return chatField(f) })
}

type discordConfig struct {
	SendResolved   *bool       `yaml:"send_resolved,omitempty"`
	WebhookURLFile string      `yaml:"webhook_url_file"`
	Content        string      `yaml:"content,omitempty"`
	Title          string      `yaml:"title,omitempty"`
	Message        string      `yaml:"message,omitempty"`
	Username       string      `yaml:"username,omitempty"`
	AvatarURL      string      `yaml:"avatar_url,omitempty"`
	HTTPConfig     *httpConfig `yaml:"http_config,omitempty"`
}

func (w *writer) discord(r v1alpha1.DiscordReceiver) discordConfig {
	return discordConfig{
		SendResolved:   r.SendResolved,
		WebhookURLFile: w.file(&r.WebhookURL),
		Content:        r.Content,
		Title:          r.Title,
		Message:        r.Message,
		Username:       r.Username,
		AvatarURL:      r.AvatarURL,
		HTTPConfig:     w.http(r.HTTPConfig),
	}
}

type msTeamsConfig struct {
	SendResolved   *bool       `yaml:"send_resolved,omitempty"`
	WebhookURLFile string      `yaml:"webhook_url_file"`
	Title          string      `yaml:"title,omitempty"`
	Text           string      `yaml:"text,omitempty"`
	HTTPConfig     *httpConfig `yaml:"http_config,omitempty"`
}

func (w *writer) msTeams(r v1alpha1.MSTeamsReceiver) msTeamsConfig {
	return msTeamsConfig{
		SendResolved:   r.SendResolved,
		WebhookURLFile: w.file(&r.WebhookURL),
		Title:          r.Title,
		Text:           r.Text,
		HTTPConfig:     w.http(r.HTTPConfig),
	}
}

type telegramConfig struct {
	SendResolved         *bool        `yaml:"send_resolved,omitempty"`
	BotTokenFile         string       `yaml:"bot_token_file"`
	ChatID               int64        `yaml:"chat_id"`
	MessageThreadID      int32        `yaml:"message_thread_id,omitempty"`
	Message              string       `yaml:"message,omitempty"`
	ParseMode            string       `yaml:"parse_mode,omitempty"`
	DisableNotifications bool         `yaml:"disable_notifications,omitempty"`
	APIURL               v1alpha1.URL `yaml:"api_url,omitempty"`
	HTTPConfig           *httpConfig  `yaml:"http_config,omitempty"`
}

func (w *writer) telegram(r v1alpha1.TelegramReceiver) telegramConfig {
	return telegramConfig{
		SendResolved:         r.SendResolved,
		BotTokenFile:         w.file(&r.BotToken),
		ChatID:               r.ChatID,
		MessageThreadID:      r.MessageThreadID,
		Message:              r.Message,
		ParseMode:            r.ParseMode,
		DisableNotifications: r.DisableNotifications,
		APIURL:               r.APIURL,
		HTTPConfig:           w.http(r.HTTPConfig),
	}
}

type webexConfig struct {
	SendResolved *bool        `yaml:"send_resolved,omitempty"`
	RoomID       string       `yaml:"room_id"`
	Message      string       `yaml:"message,omitempty"`
	APIURL       v1alpha1.URL `yaml:"api_url,omitempty"`
	HTTPConfig   *httpConfig  `yaml:"http_config"`
}

func (w *writer) webex(r v1alpha1.WebexReceiver) webexConfig {
	http := w.http(r.HTTPConfig)
	if http == nil {
		http = &httpConfig{}
	}
	if http.Authorization != nil || http.BasicAuth != nil {
		w.fail("httpConfig: the authorization header is botToken's: remove authorization and basicAuth")
	}
	http.Authorization = &authorization{CredentialsFile: w.file(&r.BotToken)}
	return webexConfig{
		SendResolved: r.SendResolved,
		RoomID:       r.RoomID,
		Message:      r.Message,
		APIURL:       r.APIURL,
		HTTPConfig:   http,
	}
}

type rocketChatConfig struct {
	SendResolved *bool        `yaml:"send_resolved,omitempty"`
	APIURL       v1alpha1.URL `yaml:"api_url,omitempty"`
	TokenIDFile  string       `yaml:"token_id_file"`
	TokenFile    string       `yaml:"token_file"`
	Channel      string       `yaml:"channel,omitempty"`
	Color        string       `yaml:"color,omitempty"`
	Title        string       `yaml:"title,omitempty"`
	TitleLink    string       `yaml:"title_link,omitempty"`
	Text         string       `yaml:"text,omitempty"`
	Fields       []chatField  `yaml:"fields,omitempty"`
	ShortFields  bool         `yaml:"short_fields,omitempty"`
	Emoji        string       `yaml:"emoji,omitempty"`
	IconURL      string       `yaml:"icon_url,omitempty"`
	ImageURL     string       `yaml:"image_url,omitempty"`
	ThumbURL     string       `yaml:"thumb_url,omitempty"`
	LinkNames    bool         `yaml:"link_names,omitempty"`
	HTTPConfig   *httpConfig  `yaml:"http_config,omitempty"`
}

func (w *writer) rocketChat(r v1alpha1.RocketChatReceiver) rocketChatConfig {
	return rocketChatConfig{
		SendResolved: r.SendResolved,
		APIURL:       r.APIURL,
		TokenIDFile:  w.file(&r.TokenID),
		TokenFile:    w.file(&r.Token),
		Channel:      r.Channel,
		Color:        r.Color,
		Title:        r.Title,
		TitleLink:    r.TitleLink,
		Text:         r.Text,
		Fields:       fields(r.Fields),
		ShortFields:  r.ShortFields,
		Emoji:        r.Emoji,
		IconURL:      r.IconURL,
		ImageURL:     r.ImageURL,
		ThumbURL:     r.ThumbURL,
		LinkNames:    r.LinkNames,
		HTTPConfig:   w.http(r.HTTPConfig),
	}
}

// each converts the items of a list; no items are no list.
func each[A, B any](of []A, convert func(A) B) []B {
	if len(of) == 0 {
		return nil
	}
	out := make([]B, len(of))
	for i := range of {
		out[i] = convert(of[i])
	}
	return out
}

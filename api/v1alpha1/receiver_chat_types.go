package v1alpha1

// SlackReceiver posts to Slack.
//
// +kubebuilder:validation:XValidation:rule="has(self.apiURL) != has(self.appToken)",message="Slack needs either apiURL (an incoming webhook) or appToken (a bot's token): set exactly one of them"
type SlackReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: no.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// apiURL of the incoming webhook, in a Secret.
	// +optional
	APIURL *SecretKey `json:"apiURL,omitempty"`
	// appToken of a bot, in a Secret.
	// +optional
	AppToken *SecretKey `json:"appToken,omitempty"`
	// appURL to which messages go with appToken. Left out: https://slack.com/api/chat.postMessage.
	// +optional
	AppURL URL `json:"appURL,omitempty"`
	// channel or user, such as #alerts or @somebody.
	// +optional
	Channel string `json:"channel,omitempty"`
	// username shown.
	// +optional
	Username string `json:"username,omitempty"`
	// color of the attachment.
	// +optional
	Color string `json:"color,omitempty"`
	// title of the attachment.
	// +optional
	Title string `json:"title,omitempty"`
	// titleLink of the attachment.
	// +optional
	TitleLink string `json:"titleLink,omitempty"`
	// pretext above the attachment.
	// +optional
	Pretext string `json:"pretext,omitempty"`
	// text of the attachment.
	// +optional
	Text string `json:"text,omitempty"`
	// messageText is the plain message above the attachment.
	// +optional
	MessageText string `json:"messageText,omitempty"`
	// fields of the attachment.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Fields []ChatField `json:"fields,omitempty"`
	// shortFields shows fields beside each other.
	// +optional
	ShortFields bool `json:"shortFields,omitempty"`
	// footer of the attachment.
	// +optional
	Footer string `json:"footer,omitempty"`
	// fallback for clients without attachments.
	// +optional
	Fallback string `json:"fallback,omitempty"`
	// callbackID of the attachment.
	// +optional
	CallbackID string `json:"callbackID,omitempty"`
	// iconEmoji shown.
	// +optional
	IconEmoji string `json:"iconEmoji,omitempty"`
	// iconURL shown.
	// +optional
	IconURL string `json:"iconURL,omitempty"`
	// imageURL of the attachment.
	// +optional
	ImageURL string `json:"imageURL,omitempty"`
	// thumbURL of the attachment.
	// +optional
	ThumbURL string `json:"thumbURL,omitempty"`
	// linkNames makes links of names and channels.
	// +optional
	LinkNames bool `json:"linkNames,omitempty"`
	// mrkdwnIn are the fields in which Slack's markup counts.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	MrkdwnIn []string `json:"mrkdwnIn,omitempty"`
	// actions are buttons.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Actions []SlackAction `json:"actions,omitempty"`
	// timeout of the request.
	// +optional
	Timeout RuleDuration `json:"timeout,omitempty"`
	// httpConfig of the request.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

// ChatField is a title and a value.
type ChatField struct {
	// title of the field.
	// +required
	// +kubebuilder:validation:MinLength=1
	Title string `json:"title"`
	// value of the field.
	// +required
	// +kubebuilder:validation:MinLength=1
	Value string `json:"value"`
	// short says whether it can be shown beside another one.
	// +optional
	Short *bool `json:"short,omitempty"`
}

// SlackAction is a button.
type SlackAction struct {
	// type of the action, such as button.
	// +required
	// +kubebuilder:validation:MinLength=1
	Type string `json:"type"`
	// text on it.
	// +required
	// +kubebuilder:validation:MinLength=1
	Text string `json:"text"`
	// url it opens.
	// +optional
	URL string `json:"url,omitempty"`
	// style of it: default, primary or danger.
	// +optional
	Style string `json:"style,omitempty"`
	// name of it, where it has no url.
	// +optional
	Name string `json:"name,omitempty"`
	// value of it, where it has no url.
	// +optional
	Value string `json:"value,omitempty"`
}

// DiscordReceiver posts to Discord.
type DiscordReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: yes.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// webhookURL in a Secret.
	// +required
	WebhookURL SecretKey `json:"webhookURL"`
	// content above the message.
	// +optional
	Content string `json:"content,omitempty"`
	// title of the message.
	// +optional
	Title string `json:"title,omitempty"`
	// message to post.
	// +optional
	Message string `json:"message,omitempty"`
	// username shown.
	// +optional
	Username string `json:"username,omitempty"`
	// avatarURL shown.
	// +optional
	AvatarURL string `json:"avatarURL,omitempty"`
	// httpConfig of the request.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

// MSTeamsReceiver posts to Microsoft Teams.
type MSTeamsReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: yes.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// webhookURL of the workflow, in a Secret.
	// +required
	WebhookURL SecretKey `json:"webhookURL"`
	// title of the card.
	// +optional
	Title string `json:"title,omitempty"`
	// text of the card.
	// +optional
	Text string `json:"text,omitempty"`
	// httpConfig of the request.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

// TelegramReceiver sends a Telegram message.
type TelegramReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: yes.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// botToken in a Secret.
	// +required
	BotToken SecretKey `json:"botToken"`
	// chatID to write to, never 0; that of a group is negative.
	// +required
	// +kubebuilder:validation:XValidation:rule="self != 0",message="chatID cannot be 0: it is the number of a chat, negative for a group"
	ChatID int64 `json:"chatID"`
	// messageThreadID is the topic in the chat.
	// +optional
	MessageThreadID int32 `json:"messageThreadID,omitempty"`
	// message to send.
	// +optional
	Message string `json:"message,omitempty"`
	// parseMode: Markdown, MarkdownV2 or HTML. Left out: HTML.
	// +optional
	// +kubebuilder:validation:Enum=Markdown;MarkdownV2;HTML
	ParseMode string `json:"parseMode,omitempty"`
	// disableNotifications sends silently.
	// +optional
	DisableNotifications bool `json:"disableNotifications,omitempty"`
	// apiURL of the Telegram API. Left out: https://api.telegram.org.
	// +optional
	APIURL URL `json:"apiURL,omitempty"`
	// httpConfig of the request.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

// WebexReceiver posts to Webex.
type WebexReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: yes.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// botToken in a Secret, sent as the authorization header.
	// +required
	BotToken SecretKey `json:"botToken"`
	// roomID to write to.
	// +required
	// +kubebuilder:validation:MinLength=1
	RoomID string `json:"roomID"`
	// message to post.
	// +optional
	Message string `json:"message,omitempty"`
	// apiURL of the Webex API. Left out: https://webexapis.com/v1/messages.
	// +optional
	APIURL URL `json:"apiURL,omitempty"`
	// httpConfig of the request, without authorization and basicAuth.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

// RocketChatReceiver posts to Rocket.Chat.
type RocketChatReceiver struct {
	// sendResolved says whether to notify when alerts are resolved. Left out: no.
	// +optional
	SendResolved *bool `json:"sendResolved,omitempty"`
	// apiURL of the server. Left out: https://open.rocket.chat/.
	// +optional
	APIURL URL `json:"apiURL,omitempty"`
	// tokenID is the user's ID, in a Secret.
	// +required
	TokenID SecretKey `json:"tokenID"`
	// token of the user, in a Secret.
	// +required
	Token SecretKey `json:"token"`
	// channel or user, such as #alerts or @somebody.
	// +optional
	Channel string `json:"channel,omitempty"`
	// color of the attachment.
	// +optional
	Color string `json:"color,omitempty"`
	// title of the attachment.
	// +optional
	Title string `json:"title,omitempty"`
	// titleLink of the attachment.
	// +optional
	TitleLink string `json:"titleLink,omitempty"`
	// text of the attachment.
	// +optional
	Text string `json:"text,omitempty"`
	// fields of the attachment.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Fields []ChatField `json:"fields,omitempty"`
	// shortFields shows fields beside each other.
	// +optional
	ShortFields bool `json:"shortFields,omitempty"`
	// emoji shown.
	// +optional
	Emoji string `json:"emoji,omitempty"`
	// iconURL shown.
	// +optional
	IconURL string `json:"iconURL,omitempty"`
	// imageURL of the attachment.
	// +optional
	ImageURL string `json:"imageURL,omitempty"`
	// thumbURL of the attachment.
	// +optional
	ThumbURL string `json:"thumbURL,omitempty"`
	// linkNames makes links of names and channels.
	// +optional
	LinkNames bool `json:"linkNames,omitempty"`
	// httpConfig of the request.
	// +optional
	HTTPConfig *HTTPConfig `json:"httpConfig,omitempty"`
}

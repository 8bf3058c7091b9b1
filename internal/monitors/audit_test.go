package monitors

import (
	"slices"
	"strings"
	"testing"
)

// auditedJobs are what three monitors of a tenant became. Each doctored text differs from it in one place.
const auditedJobs = `scrape_configs:
- job_name: serviceMonitor/shop/web/0
  follow_redirects: false
  basic_auth: {username_file: /etc/prometheus/granted/shop/login/user, password_file: /etc/prometheus/granted/shop/login/pass}
  sample_limit: 10
  body_size_limit: 1KB
  kubernetes_sd_configs:
  - {role: endpointslice, namespaces: {names: [shop]}}
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_phase], regex: (Failed|Succeeded), action: drop}
  - {source_labels: [__address__], regex: '\[?(.+?)\]?(:\d+)?', target_label: __tmp_hearth_host}
  - {source_labels: [__meta_kubernetes_pod_ip], target_label: __tmp_hearth_host, action: keepequal}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
  - {target_label: tenant, replacement: shop}
  metric_relabel_configs:
  - {regex: secret, action: labeldrop}
  - {target_label: tenant, replacement: shop}
`

// openJobs are those of a tenant who may name targets.
const openJobs = `scrape_configs:
- job_name: probe/bank/page
  authorization: {type: Bearer, credentials_file: /etc/prometheus/granted/bank/login/token}
  params: {module: [a], some_file: [/x], proxy_url: [b]}
  static_configs: [{targets: [a], labels: {namespace: bank, some_file: /x}}]
  relabel_configs:
  - {source_labels: [__address__], target_label: __param_target}
  - {target_label: __address__, replacement: 'prober:9115'}
  - {target_label: module, replacement: a}
- job_name: scrapeConfig/bank/client
  oauth2:
    client_id: /etc/prometheus/granted/bank/client/id
    client_secret_file: /etc/prometheus/granted/bank/client/secret
    token_url: http://id
    endpoint_params: {password: a, some_file: /x, proxy_url: b}
  static_configs: [{targets: [a]}]
- job_name: scrapeConfig/bank/all
  kubernetes_sd_configs: [{role: pod, namespaces: {names: [bank, lent]}}, {role: node}]
  docker_sd_configs: [{host: 'tcp://docker:2375', tls_config: {key_file: /etc/prometheus/granted/bank/a/b, cert_file: /etc/prometheus/granted/bank/a/c}}]
  relabel_configs: [{source_labels: [a], target_label: __address__}]
`

func auditTerms(namespace string) Terms {
	if namespace == "shop" {
		return Terms{Label: "tenant", Discovered: true, Bounds: Bounds{Samples: 10, BodySize: 1 << 10}}
	}
	return Terms{}
}

func auditTakes(_, namespace string) bool { return namespace == "lent" }

// TestAudit shows that the walker over the final text sees each of what a tenant may not do, whoever wrote it, and that it leaves
// alone what is only called like it.
func TestAudit(t *testing.T) {
	for _, good := range []string{auditedJobs, openJobs} {
		if err := Audit([]byte(good), auditTerms, auditTakes); err != nil {
			t.Fatalf("nothing is wrong with this:\n%s\n%v", good, err)
		}
	}
	for _, c := range doctored() {
		t.Run(c.name, func(t *testing.T) {
			good := auditedJobs
			if !strings.Contains(good, c.from) {
				good = openJobs
			}
			text := strings.Replace(good, c.from, c.to, 1)
			if text == good {
				t.Fatalf("there is nothing to doctor: %q", c.from)
			}
			if err := Audit([]byte(text), auditTerms, auditTakes); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s\n%s", err, c.want, text)
			}
		})
	}
}

// doctoring replaces something in one of the texts, and says what the walker has to say of that.
type doctoring struct{ name, from, to, want string }

func doctored() []doctoring {
	return slices.Concat(doctoredKeys(), doctoredSteps())
}

func doctoredKeys() []doctoring {
	return []doctoring{
		{"file outside", "/etc/prometheus/granted/shop/login/pass", "/etc/passwd", "basic_auth.password_file is /etc/passwd"},
		{"relative file", "/etc/prometheus/granted/shop/login/pass", "passwd", "password_file is passwd"},
		{"file beside", "/etc/prometheus/granted/shop/login/pass", "/etc/prometheus/grantedx/a", "password_file"},
		{"file upwards", "/etc/prometheus/granted/shop/login/pass", "/etc/prometheus/granted/shop/../bank/p", "password_file"},
		{"another namespace's file", "granted/shop/login/pass", "granted/bank/login/pass", "no granted Secret of namespace shop"},
		{"token file", "  sample_limit: 10", "  bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token\n  sample_limit: 10", "bearer_token_file"},
		{"log file", "  sample_limit: 10", "  scrape_failure_log_file: /x\n  sample_limit: 10", "scrape_failure_log_file"},
		{"kubeconfig", "role: endpointslice,", "role: endpointslice, kubeconfig_file: /x,", "kubeconfig_file"},
		{"aliased file", "  sample_limit: 10", "  a: &x {key_file: /x}\n  tls_config: *x\n  sample_limit: 10", "tls_config.key_file"},
		{"proxy", "  sample_limit: 10", "  proxy_url: http://x\n  sample_limit: 10", "proxy_url is set"},
		{"proxy of discovery", "role: endpointslice,", "role: endpointslice, proxy_from_environment: true,", "proxy_from_environment is set"},
		{"header", "  sample_limit: 10", "  http_headers: {A: {values: [b]}}\n  sample_limit: 10", "http_headers is set"},
		{"another cluster", "role: endpointslice,", "role: endpointslice, api_server: http://x,", "api_server is set"},
		{"password in text", "password_file: /etc/prometheus/granted/shop/login/pass", "password: x", "basic_auth.password is in the text"},
		{"client in text", "client_id: /etc/prometheus/granted/bank/client/id", "client_id: me", "oauth2.client_id is me"},
		{"another namespace's client", "client_id: /etc/prometheus/granted/bank/", "client_id: /etc/prometheus/granted/shop/", "no granted Secret of namespace bank"},
		{"client's secret in text", "client_secret_file: /etc/prometheus/granted/bank/client/secret", "client_secret: word", "oauth2.client_secret is in the text"},
		{"proxy to tokens", "token_url: http://id", "proxy_url: http://x", "oauth2.proxy_url is set"},
		{"client elsewhere", "static_configs: [{targets: [a]}]\n- job", "static_configs: [{targets: [a], labels: {__metrics_path__: /x}}]\n- job", "static label is __metrics_path__"},
		{"token from anywhere", "  sample_limit: 10", "  oauth2: {token_url: http://x}\n  sample_limit: 10", "oauth2.token_url is any address"},
		{"foreign namespace", "names: [shop]", "names: [shop, bank]", "looks beyond namespace shop"},
		{"only a foreign namespace", "names: [shop]", "names: [bank]", "looks beyond namespace shop"},
		{"all namespaces", ", namespaces: {names: [shop]}", "", "looks beyond namespace shop"},
		{"own namespace", "names: [shop]", "names: [shop], own_namespace: true", "own_namespace is set"},
		{"namespace not taken", "names: [bank, lent]", "names: [bank, lent, shop]", `looks into namespace "shop"`},
		{"all not taken", "role: pod, namespaces: {names: [bank, lent]}", "role: pod", `looks into namespace ""`},
	}
}

func doctoredSteps() []doctoring {
	return []doctoring{
		{"address", "target_label: pod}", "target_label: __address__}", `writes "__address__"`},
		{"path with credentials", "target_label: pod}", "target_label: __metrics_path__}", `writes "__metrics_path__"`},
		{"computed name", "target_label: pod}", "target_label: '${1}'}", `writes "${1}"`},
		{"labelmap", "{source_labels: [__meta_kubernetes_pod_name], target_label: pod}", "{action: labelmap, regex: (.+)}", `writes "(.+)"`},
		{"address after the prober's", "target_label: module, replacement: a", "target_label: __address__, replacement: b", `writes "__address__"`},
		{"static label with credentials", "labels: {namespace: bank,", "labels: {__scheme__: http,", "static label is __scheme__"},
		{"credentials and an address", "- job_name: scrapeConfig/bank/all\n", "- job_name: scrapeConfig/bank/all\n  tls_config: {key_file: /etc/prometheus/granted/bank/a/b}\n", `writes "__address__"`},
		{"label missing", "  - {target_label: tenant, replacement: shop}\n  metric", "  metric", "relabel_configs does not end with tenant=shop"},
		{"label of series missing", "  - {regex: secret, action: labeldrop}\n  - {target_label: tenant, replacement: shop}\n", "  - {regex: secret, action: labeldrop}\n", "metric_relabel_configs does not end"},
		{"label spoofed", "  - {target_label: tenant, replacement: shop}\n  metric", "  - {target_label: tenant, replacement: bank}\n  metric", "does not end with tenant=shop"},
		{"label spoofed later", "  - {regex: secret, action: labeldrop}\n  - {target_label: tenant, replacement: shop}\n", "  - {target_label: tenant, replacement: shop}\n  - {regex: tenant, action: labeldrop}\n", "metric_relabel_configs does not end"},
		{"label only sometimes", "{target_label: tenant, replacement: shop}\n  metric", "{source_labels: [a], regex: b, target_label: tenant, replacement: shop}\n  metric", "does not end with"},
		{"limit missing", "  sample_limit: 10\n", "", "sample_limit is 0, and must not be above 10"},
		{"limit above", "sample_limit: 10", "sample_limit: 11", "sample_limit is 11"},
		{"size above", "1KB", "1MB", "body_size_limit"},
		{"redirects", "  follow_redirects: false\n", "", "redirects are followed"},
		{"hand-written addresses", "action: keepequal", "action: keep", "does not begin with what drops"},
		{"ended pods", "regex: (Failed|Succeeded)", "regex: (Failed)", "does not begin with what drops"},
		{"static target", "  kubernetes_sd_configs:\n  - {role: e", "  static_configs: [{targets: [a]}]\n  kubernetes_sd_configs:\n  - {role: e", "static_configs names targets"},
		{"role", "role: endpointslice", "role: service", "has the role service"},
		{"files of targets", "  docker_sd_configs:", "  file_sd_configs: [{files: [/x]}]\n  docker_sd_configs:", "file_sd_configs is no source"},
		{"identity of the pod", "  docker_sd_configs:", "  ec2_sd_configs: [{region: a}]\n  docker_sd_configs:", "ec2_sd_configs is no source"},
		{"socket", "tcp://docker:2375", "unix:///var/run/docker.sock", "is a socket of the pod"},
		{"nobody's job", "serviceMonitor/shop/web/0", "prometheus", "does not say whose it is"},
		{"something else", "scrape_configs:", "rule_files: [/x]\nscrape_configs:", "rule_files is no scrape job"},
	}
}

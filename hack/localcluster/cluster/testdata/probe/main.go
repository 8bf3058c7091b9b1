// Command probe is what the test's pods run: a server, and after that the requests that it is told to make.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount"

func main() {
	if len(os.Args) > 1 {
		if err := run(os.Args[1], os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		name, _ := os.Hostname()
		fmt.Fprintln(w, "this is", name)
	})
	fmt.Println("serving")
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", nil))
	os.Exit(1)
}

func run(command string, args []string) error {
	client := &http.Client{Timeout: 5 * time.Second}
	switch command {
	case "get":
		return get(client, args[0], "")
	case "api":
		// As a program in a pod finds it: by its Service's name, with its own account.
		ca, err := os.ReadFile(filepath.Join(account, "ca.crt"))
		if err != nil {
			return err
		}
		token, err := os.ReadFile(filepath.Join(account, "token"))
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		return get(client, "https://kubernetes.default.svc/version", string(token))
	case "write":
		return os.WriteFile(args[0], []byte("written\n"), 0o644)
	case "read":
		text, err := os.ReadFile(args[0])
		fmt.Print(string(text))
		return err
	}
	return fmt.Errorf("no command %q", command)
}

func get(client *http.Client, url, token string) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

package client

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestURLsThatAreAccepted(t *testing.T) {
	for in, want := range map[string]string{
		"mqtt://host":               "mqtt://host:1883",
		"tcp://host:1":              "tcp://host:1",
		"mqtts://host":              "mqtts://host:8883",
		"ssl://host":                "ssl://host:8883",
		"tls://[::1]":               "tls://[::1]:8883",
		"ws://host/mqtt":            "ws://host:80",
		"wss://host/mqtt?X-Sig=top": "wss://host:443",
		"mqtt://ann:pw@host":        "mqtt://host:1883",
		"mqtt://host:1883/":         "mqtt://host:1883",
	} {
		t.Run(in, func(t *testing.T) {
			set, err := check(Config{URL: in})
			if err != nil {
				t.Fatal(err)
			}
			if set.name != want {
				t.Errorf("got %s, want %s", set.name, want)
			}
			if set.KeepAlive != 30*time.Second || set.WriteTimeout == 0 || set.ConnectTimeout == 0 || set.PublishTimeout == 0 {
				t.Errorf("defaults are missing: %+v", set.Config)
			}
		})
	}
}

func TestMistakesInTheConfigurationAreNamed(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	const url = "mqtt://h"
	for want, cfg := range map[string]Config{
		"begin with mqtt://":       {URL: "h:1883"},
		"mqtt://broker.example":    {URL: ""},
		"form mqtt://":             {URL: "mqtt://ann:hunter2@h:port"},
		"write %25 for %":          {URL: "mqtt://ann:hunter2%zz@h"},
		"scheme":                   {URL: "http://h"},
		"no host":                  {URL: "mqtt://:1883"},
		"neither path nor query":   {URL: "mqtt://h/topic"},
		"given twice":              {URL: "mqtt://ann:hunter2@h", Username: "bob"},
		"password needs a user":    {URL: url, Password: "hunter2"},
		"keep alive must not be":   {URL: url, KeepAlive: -time.Second},
		"keep alive must not exc":  {URL: url, KeepAlive: 24 * time.Hour},
		"publish timeout":          {URL: url, PublishTimeout: -1},
		"will: the topic":          {URL: url, Will: &Will{Topic: "a/+"}},
		"will: QoS":                {URL: url, Will: &Will{Topic: "a", QoS: 3}},
		"client identifier":        {URL: url, ClientIDPrefix: "a\x00b"},
		"does not use it":          {URL: url, TLS: &TLSConfig{Insecure: true}},
		"no such file":             {URL: "mqtts://h", TLS: &TLSConfig{CAFile: filepath.Join(t.TempDir(), "none")}},
		"holds no certificate":     {URL: "mqtts://h", TLS: &TLSConfig{CAFile: notPEM}},
		"both a certificate and a": {URL: "mqtts://h", TLS: &TLSConfig{CertFile: "c.pem"}},
	} {
		t.Run(want, func(t *testing.T) {
			c, err := New(cfg)
			if err == nil {
				_ = c.Close(t.Context())
				t.Fatal("no error")
			}
			wantRetryable(t, err, false)
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %q", err, want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v tells the password", err)
			}
		})
	}
}

func TestFiltersAreCheckedAsTheStandardSays(t *testing.T) {
	for filter, ok := range map[string]bool{
		"a": true, "#": true, "+": true, "a/#": true, "+/a/+": true, "/": true, "$share/g/a/+": true, "a//b": true,
		"": false, "a#": false, "#/a": false, "a/#/b": false, "a+": false, "a/b+/c": false, "a\x00": false, "\xff": false,
	} {
		if err := ValidateFilter(filter); (err == nil) != ok {
			t.Errorf("%q: %v, want valid %v", filter, err, ok)
		}
	}
}

func FuzzValidateTopic(f *testing.F) {
	f.Add("a/b")
	f.Add("a/+")
	f.Fuzz(func(t *testing.T, topic string) {
		if ValidateTopic(topic) == nil && ValidateFilter(topic) != nil {
			t.Errorf("%q may be published to and not subscribed to", topic)
		}
	})
}

func FuzzURL(f *testing.F) {
	f.Add("mqtt://ann:secret@host:1883/path?x#y")
	f.Add("wss://host/mqtt?X-Amz-Signature=secret")
	f.Fuzz(func(t *testing.T, url string) {
		set, err := check(Config{URL: url})
		if err != nil {
			return
		}
		if strings.ContainsAny(set.name, "@?") {
			t.Errorf("%q is shown as %q", url, set.name)
		}
		if set.broker.User != nil || set.broker.Port() == "" {
			t.Errorf("%q became %s", url, set.broker)
		}
	})
}

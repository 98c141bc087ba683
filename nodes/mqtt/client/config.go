// Package client is an MQTT 3.1.1 client that never calls a message delivered which the broker did not acknowledge.
//
// It drives paho.mqtt.golang with everything switched off that makes a publish succeed without an answer (automatic
// reconnection above all) and opens its connections itself, when they are needed.
package client

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"
)

// Config says which broker to talk to and how long to wait for it. The zero value of every field but URL is usable.
type Config struct {
	// URL of the broker: mqtt:// or tcp://, mqtts:// or ssl:// or tls://, ws://, wss://. The port may be left out (1883,
	// 8883, 80, 443). It may carry user and password, if Username is empty.
	URL string

	// ClientIDPrefix starts the client identifier; the rest is random, so that no two clients throw each other out.
	ClientIDPrefix string // default "flowctl"

	// SessionID, when set, is the client identifier of the connection that Subscribe opens, and makes its session
	// persistent: the broker keeps messages of QoS 1 and 2 while the subscriber is away. No other client may use it.
	SessionID string

	Username, Password string

	// TLS sets up mqtts and wss; nil verifies against the system's authorities.
	TLS *TLSConfig

	// KeepAlive is when a silent connection is probed, and the age from which Publish does not trust one any more. It is
	// rounded up to seconds. Default 30 s.
	KeepAlive time.Duration

	// ConnectTimeout bounds all that happens until the broker's CONNACK. Default 10 s.
	ConnectTimeout time.Duration

	// WriteTimeout bounds how long the broker may take no data. Default 10 s.
	WriteTimeout time.Duration

	// PublishTimeout bounds the time from handing a message to the connection to the broker's acknowledgement.
	// Default 10 s.
	PublishTimeout time.Duration

	// Will is published by the broker when the publishing connection breaks off without a goodbye.
	Will *Will

	// Subscribed, when set, is called by Subscribe each time that its filters are in force at the broker.
	Subscribed func(filters []string)

	// Log receives what Subscribe does on its own: reconnects, redeliveries. nil discards it.
	Log *slog.Logger
}

// TLSConfig names files in PEM, which are read anew for each connection so that they can be rotated.
type TLSConfig struct {
	CAFile            string // the authorities to trust instead of the system's
	CertFile, KeyFile string // the client's certificate; both or none
	ServerName        string // the name to verify instead of the URL's host
	Insecure          bool   // do not verify the broker's certificate
}

// Will is an MQTT will message.
type Will struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
}

const (
	defaultPrefix  = "flowctl"
	defaultTimeout = 10 * time.Second
	defaultAlive   = 30 * time.Second
	maxKeepAlive   = 65535 * time.Second
)

// settings is a Config that was checked and completed.
type settings struct {
	Config
	broker *url.URL // without userinfo, with port
	secure bool
	name   string // broker as errors may show it
}

func check(cfg Config) (*settings, error) {
	s := &settings{Config: cfg}
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := s.parseURL(); err != nil {
		errs = append(errs, err)
	}
	for _, t := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"keep alive", &s.KeepAlive, defaultAlive},
		{"connect timeout", &s.ConnectTimeout, defaultTimeout},
		{"write timeout", &s.WriteTimeout, defaultTimeout},
		{"publish timeout", &s.PublishTimeout, defaultTimeout},
	} {
		if *t.value == 0 {
			*t.value = t.def
		}
		if *t.value < 0 {
			fail("%s must not be negative, it is %s", t.name, *t.value)
		}
	}
	s.KeepAlive = (s.KeepAlive + time.Second - 1).Truncate(time.Second)
	if s.KeepAlive > maxKeepAlive {
		fail("keep alive must not exceed %s (a 16-bit number of seconds), it is %s", maxKeepAlive, s.KeepAlive)
	}
	if s.ClientIDPrefix == "" {
		s.ClientIDPrefix = defaultPrefix
	}
	for _, id := range []string{s.ClientIDPrefix, s.SessionID} {
		if err := validUTF8String("client identifier", id); err != nil {
			errs = append(errs, err)
		}
	}
	if s.Password != "" && s.Username == "" {
		fail("a password needs a user name")
	}
	if w := s.Will; w != nil {
		if err := ValidateTopic(w.Topic); err != nil {
			fail("will: %w", err)
		}
		if w.QoS > 2 {
			fail("will: QoS is 0, 1 or 2, not %d", w.QoS)
		}
		if len(w.Payload) > maxString {
			fail("will: payload of %d bytes exceeds %d", len(w.Payload), maxString)
		}
	}
	if _, err := s.tlsConfig(); err != nil {
		errs = append(errs, err)
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, &Error{Op: "configure", Broker: s.name, Err: err}
	}
	return s, nil
}

func (s *settings) parseURL() error {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" {
		// url.Parse repeats the URL in its error, password and all.
		if !strings.Contains(s.URL, "://") {
			return errors.New("the URL does not begin with mqtt:// or mqtts://; write for example mqtt://broker.example.com:1883")
		}
		return errors.New("the URL is not of the form mqtt://user:password@host:port; in a password, write %25 for %, %2F for / and %40 for @")
	}
	port := map[string]string{
		"mqtt": "1883", "tcp": "1883", "mqtts": "8883", "ssl": "8883", "tls": "8883", "ws": "80", "wss": "443",
	}[u.Scheme]
	if port == "" {
		return fmt.Errorf("the URL's scheme is mqtt, mqtts, ws or wss, not %q", u.Scheme)
	}
	if u.Hostname() == "" {
		return errors.New("the URL names no host")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	if u.User != nil {
		if s.Username != "" {
			return errors.New("the user name is given twice, in the URL and beside it; leave one out")
		}
		s.Username = u.User.Username()
		s.Password, _ = u.User.Password()
		u.User = nil
	}
	s.secure = port == "8883" || port == "443"
	s.name = u.Scheme + "://" + u.Host
	if u.Scheme != "ws" && u.Scheme != "wss" && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
		return fmt.Errorf("a URL of scheme %s has neither path nor query", u.Scheme)
	}
	s.broker = u
	return nil
}

// newClientID stays within the 23 characters that every broker must take (MQTT-3.1.3-5) for the default prefix.
func (s *settings) newClientID() string {
	return s.ClientIDPrefix + "-" + rand.Text()[:13]
}

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/internal/local"
)

// brokerSettings are the flags with which the broker of `local` is like the one
// that a client will meet.
type brokerSettings struct {
	user, passwordEnv string
	cert, key         string
	webSocket         string
}

var brokerSettingFlags = []string{"mqtt-addr", "mqtt-user", "mqtt-password-env", "mqtt-tls-cert", "mqtt-tls-key", "mqtt-websocket"}

func (s *brokerSettings) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&s.user, "mqtt-user", "", "user `NAME` that MQTT clients must give, with --mqtt-password-env")
	fl.StringVar(&s.passwordEnv, "mqtt-password-env", "", "environment `VARIABLE` that holds the password of --mqtt-user")
	fl.StringVar(&s.cert, "mqtt-tls-cert", "", "PEM `FILE` of the broker's certificate; clients then use TLS")
	fl.StringVar(&s.key, "mqtt-tls-key", "", "PEM `FILE` of the certificate's key")
	fl.StringVar(&s.webSocket, "mqtt-websocket", "", "`ADDRESS` to serve MQTT over WebSocket at, such as 127.0.0.1:9001")
}

// checkUnused finds settings of a broker that does not run.
func (s *brokerSettings) checkUnused(cmd *cobra.Command) error {
	for _, name := range brokerSettingFlags {
		if cmd.Flags().Changed(name) {
			return usageError{fmt.Errorf("--%s does nothing without the MQTT broker; add --mqtt", name)}
		}
	}
	return nil
}

func (s *brokerSettings) broker() (b local.Broker, err error) {
	b = local.Broker{User: s.user, WebSocketAddr: s.webSocket}
	if (s.user == "") != (s.passwordEnv == "") {
		return b, usageError{errors.New("--mqtt-user and --mqtt-password-env belong together; give both or none")}
	}
	if s.passwordEnv != "" {
		if b.Password = os.Getenv(s.passwordEnv); b.Password == "" {
			return b, usageError{fmt.Errorf("--mqtt-password-env %s: this environment variable is not set, or empty", s.passwordEnv)}
		}
	}
	if (s.cert == "") != (s.key == "") {
		return b, usageError{errors.New("--mqtt-tls-cert and --mqtt-tls-key belong together; give both or none")}
	}
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return b, usageError{fmt.Errorf("--mqtt-tls-cert %s, --mqtt-tls-key %s: %w", s.cert, s.key, err)}
		}
		b.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	return b, nil
}

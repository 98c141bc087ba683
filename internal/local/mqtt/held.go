package mqtt

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// heldStream is where nats-server keeps messages of QoS 2 between PUBREC and PUBREL, by client and packet identifier.
const heldStream = "$MQTT_qos2in"

const purgeTimeout = 5 * time.Second

// forgetHeld drops what is held for a client that starts a clean session. nats-server leaves it there, and when the
// client uses the packet identifier again, acknowledges the new message and delivers the old one; MQTT-3.1.2-6 has it
// discarded.
func (b *backend) forgetHeld(clientID string) error {
	conn, err := b.srv.InProcessConn()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(purgeTimeout)); err != nil {
		return err
	}
	filter, err := json.Marshal(map[string]string{"filter": "$MQTT.qos2.in." + clientID + ".>"})
	if err != nil {
		return err
	}
	answer, err := natsRequest(conn, "$JS.API.STREAM.PURGE."+heldStream, filter)
	if err != nil {
		return err
	}
	var result struct {
		Success bool
		Error   struct{ Description string }
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return err
	}
	if !result.Success {
		return errors.New(result.Error.Description)
	}
	return nil
}

// natsRequest makes one request in the NATS client protocol (docs.nats.io, "Client Protocol") and gives the answer.
func natsRequest(conn net.Conn, subject string, payload []byte) ([]byte, error) {
	// The $ keeps the answer from clients that subscribe to #, and the rest from requests that run at the same time.
	inbox := "$flowctl.answer." + rand.Text()
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "INFO ") {
		return nil, fmt.Errorf("no INFO, but %q: %w", line, err)
	}
	_, err := fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB %s 1\r\nPUB %s %s %d\r\n%s\r\n",
		inbox, subject, inbox, len(payload), payload)
	if err != nil {
		return nil, err
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		switch verb, rest, _ := strings.Cut(strings.TrimSpace(line), " "); verb {
		case "MSG":
			return readMsg(r, rest)
		case "-ERR":
			return nil, errors.New(rest)
		}
	}
}

// readMsg reads the payload of a MSG line, whose last field is its size.
func readMsg(r *bufio.Reader, fields string) ([]byte, error) {
	var size int
	if _, err := fmt.Sscan(fields[strings.LastIndexByte(fields, ' ')+1:], &size); err != nil {
		return nil, fmt.Errorf("MSG %s: %w", fields, err)
	}
	if size < 0 || size > maxPayload {
		return nil, fmt.Errorf("MSG %s: bad size", fields)
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, err
	}
	return payload, nil
}

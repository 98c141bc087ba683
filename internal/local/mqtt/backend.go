package mqtt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/nats-io/nats-server/v2/server"
)

const (
	// serverName is part of the names under which JetStream keeps consumers and must not change between runs.
	serverName = "flowctl"

	// maxPayload bounds one message. nats-server's default of 1 MiB is below what a queue message may carry once it is
	// wrapped in JSON, and it advises against more than 8 MiB.
	maxPayload = 8 << 20

	// backendPayload leaves room for what is stored with a message: its topic, and nats-server's header.
	backendPayload = maxPayload + 128<<10

	// ackWait is when nats-server sends a message again that was not acknowledged. The gateway keeps that from clients
	// and has it sent again when MQTT asks for it.
	ackWait = 30 * time.Second

	// authTimeout is how long nats-server waits for a CONNECT once a password is set. The gateway is the one to be
	// impatient with clients, and keeps CONNECT from nats-server while it delays it, ends an older client of the
	// identifier or prepares the session.
	authTimeout = 24 * time.Hour

	// maxPending bounds what nats-server keeps in memory for one client, whom it disconnects when there is more. Its
	// default of 64 MiB is less than what maxInFlight messages may come to.
	maxPending = 512 << 20

	// writeDeadline is how long nats-server lets a write to the gateway take, which waits for the client. It writes up
	// to 64 MiB at a time, and the gateway is the one to be impatient with clients.
	writeDeadline = 24 * time.Hour

	// dedupWindow is how long nats-server takes a message of QoS 2 for one that it has, when both were held under the
	// same number on their way in. After a crash it hands out numbers again that it gave shortly before, so with its
	// default of 2 minutes it acknowledges new messages and drops them. This is the least that it accepts.
	dedupWindow = 100 * time.Millisecond

	readyTimeout = 10 * time.Second
)

// backend is the embedded nats-server. It listens on a random loopback port that only the gateway is told of.
type backend struct {
	srv  *server.Server
	nats *natsConn
	dir  string
	addr string

	user, password string
}

func startBackend(ctx context.Context, o Options) (*backend, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("mqtt broker: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("mqtt broker: data folder: %w", err)
	}
	crashed, err := markRunning(dir)
	if err != nil {
		return nil, fmt.Errorf("mqtt broker: data folder: %w", err)
	}
	if crashed {
		// What the last run took in must be older than dedupWindow.
		if err := sleep(ctx, dedupWindow+10*time.Millisecond); err != nil {
			return nil, err
		}
	}
	opts := backendOptions(dir, o)
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("mqtt broker: data folder %s: %w", dir, err)
	}
	log := &natsLog{log: o.Log}
	srv.SetLoggerV2(log, false, false, false)
	go srv.Start()
	b := &backend{srv: srv, dir: dir, user: o.User, password: o.Password}
	if err := b.awaitReady(ctx, opts, log); err != nil {
		_ = b.close()
		return nil, fmt.Errorf("mqtt broker: data folder %s: %w", dir, err)
	}
	return b, nil
}

func backendOptions(dir string, o Options) *server.Options {
	return &server.Options{
		ServerName:             serverName,
		DontListen:             true, // no NATS protocol, MQTT only
		NoSigs:                 true,
		NoSystemAccount:        true,
		MaxPayload:             backendPayload,
		MaxPending:             maxPending,
		WriteDeadline:          writeDeadline,
		JetStream:              true,
		StoreDir:               dir,
		SyncAlways:             true,
		JetStreamLimits:        server.JSLimitOpts{Duplicates: dedupWindow, DefaultMaxConsumers: -1}, // 1 for each subscription
		JetStreamMaxMemory:     16 << 20,                                                             // nothing of MQTT is kept in memory streams
		DisableJetStreamBanner: true,
		MQTT: server.MQTTOpts{
			Host:          "127.0.0.1",
			Port:          server.RANDOM_PORT,
			Username:      o.User,
			Password:      o.Password,
			AckWait:       ackWait,
			MaxAckPending: maxInFlight,
			AuthTimeout:   authTimeout.Seconds(),
			JSAPITimeout:  requestTimeout,
		},
	}
}

// awaitReady returns when a client has been let in once: only then are the streams there, and a data folder that cannot
// be used is found at the start and not by the first client.
func (b *backend) awaitReady(ctx context.Context, opts *server.Options, log *natsLog) error {
	for !b.srv.ReadyForConnections(20 * time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if msg := log.fatal(); msg != "" {
			return errors.New(msg)
		}
	}
	b.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(opts.MQTT.Port))
	if err := b.probe(ctx); err != nil {
		if msg := log.lastError(); msg != "" {
			return fmt.Errorf("%w (%s)", err, msg)
		}
		return err
	}
	conn, err := b.srv.InProcessConn()
	if err != nil {
		return err
	}
	b.nats, err = dialNATS(conn)
	return err
}

// probe lets a client of its own in and out.
func (b *backend) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", b.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	return handshake(conn, b.user, b.password)
}

// probeID begins the identifiers of probes, and those of no client.
const probeID = escapeSeq + "$probe"

func handshake(conn io.ReadWriter, user, password string) error {
	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion = "MQTT", 4
	connect.CleanSession, connect.Keepalive = true, 60
	connect.ClientIdentifier = probeID + rand.Text()
	if user != "" {
		connect.UsernameFlag, connect.Username = true, user
		connect.PasswordFlag, connect.Password = true, []byte(password)
	}
	if err := connect.Write(conn); err != nil {
		return err
	}
	answer, err := packets.ReadPacket(conn)
	if err != nil {
		return fmt.Errorf("the broker did not come up: %w", err)
	}
	connack, ok := answer.(*packets.ConnackPacket)
	if !ok {
		return fmt.Errorf("the broker did not come up: it answered CONNECT with %s", answer)
	}
	if connack.ReturnCode != packets.Accepted {
		return fmt.Errorf("the broker did not come up: %s", packets.ConnackReturnCodes[connack.ReturnCode])
	}
	return packets.NewControlPacket(packets.Disconnect).Write(conn)
}

func (b *backend) close() error {
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
	if b.nats != nil {
		b.nats.close()
	}
	err := os.Remove(filepath.Join(b.dir, runningMark))
	if errors.Is(err, fs.ErrNotExist) { // someone has cleared the folder
		return nil
	}
	return err
}

// runningMark is a file in the data folder while a broker runs; one that is found at the start was left by a crash.
const runningMark = "running"

func markRunning(dir string) (crashed bool, err error) {
	f, err := os.OpenFile(filepath.Join(dir, runningMark), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, f.Close()
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

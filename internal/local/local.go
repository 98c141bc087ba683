// Package local is the stand-ins for the services outside: SQS and DynamoDB on
// one loopback port and an MQTT broker on another, over one data folder. They
// speak the real protocols, so that the nodes run the same client code as in
// production and any other client can look in.
package local

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb"
	"github.com/flowctl-dev/flowctl/internal/local/fault"
	"github.com/flowctl-dev/flowctl/internal/local/http1"
	"github.com/flowctl-dev/flowctl/internal/local/mqtt"
	"github.com/flowctl-dev/flowctl/internal/local/sqs"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// Account and Region are what the stand-ins' ARNs are made of.
const (
	Account = "000000000000"
	Region  = "us-east-1"
)

// Options say which stand-ins to start.
type Options struct {
	// Dir is the data folder; it is made when missing and held by one process.
	Dir string
	// Fresh drops what the folder holds.
	Fresh bool
	// AWSAddr is host:port of SQS and DynamoDB, MQTTAddr of the broker; "" does
	// not start them. Port 0 takes a free one.
	AWSAddr, MQTTAddr string
	// NoSQS and NoDynamoDB leave one of the two out of what AWSAddr serves.
	NoSQS, NoDynamoDB bool
	// Relaxed acknowledges before the data of SQS and DynamoDB is on disk; see
	// store.Options.
	Relaxed bool
	Broker  Broker
	// Faults make the stand-ins fail on demand; nil does not. It is closed with
	// the stand-ins.
	Faults *fault.Injector
	Log    *slog.Logger
}

// Broker are the settings of the MQTT broker that a client may want to be tried
// with; see mqtt.Options.
type Broker struct {
	WebSocketAddr  string
	User, Password string
	TLS            *tls.Config
}

// Local is the running stand-ins.
type Local struct {
	store  *store.DB
	sqs    *sqs.Service
	dynamo *dynamodb.Service
	server *http1.Server
	served chan struct{} // closed when server ends, with serving
	// serving is why server ended.
	serving error
	aws     net.Listener
	broker  *mqtt.Broker
	faults  *fault.Injector
}

// AddrError is an address that cannot be listened on.
type AddrError struct {
	// What listens there: "the AWS endpoint", "the MQTT broker", "HTTP".
	What, Addr string
	Err        error
}

func (e *AddrError) Error() string {
	return fmt.Sprintf("%s cannot listen on %s: %v", e.What, e.Addr, e.Err)
}

func (e *AddrError) Unwrap() error { return e.Err }

const lockTimeout = 500 * time.Millisecond

// Start starts the stand-ins. An address in use is an *AddrError.
func Start(ctx context.Context, o Options) (l *Local, err error) {
	l = &Local{faults: o.Faults}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
			l = nil
		}
	}()
	if err := o.Faults.CheckServed(o.services()...); err != nil {
		return l, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return l, fmt.Errorf("the data folder cannot be made: %w; choose another with --data", err)
	}
	// The store's lock comes first: it is what keeps a second process out.
	l.store, err = store.Open(o.Dir, store.Options{LockTimeout: lockTimeout, Relaxed: o.Relaxed, Fresh: o.Fresh})
	if err != nil {
		return l, err
	}
	if o.Fresh {
		if err := os.RemoveAll(filepath.Join(o.Dir, "mqtt")); err != nil {
			return l, fmt.Errorf("the broker's data cannot be cleared: %w", err)
		}
	}
	if o.AWSAddr != "" {
		if err := l.startAWS(o); err != nil {
			return l, err
		}
	}
	if o.MQTTAddr != "" {
		if err := l.startBroker(ctx, o); err != nil {
			return l, err
		}
	}
	return l, nil
}

func (l *Local) startBroker(ctx context.Context, o Options) (err error) {
	l.broker, err = mqtt.Start(ctx, mqtt.Options{
		Addr: o.MQTTAddr, Dir: filepath.Join(o.Dir, "mqtt"), Log: o.Log, Faults: o.Faults,
		WebSocketAddr: o.Broker.WebSocketAddr, User: o.Broker.User, Password: o.Broker.Password, TLS: o.Broker.TLS,
	})
	if e, ok := errors.AsType[*mqtt.ListenError](err); ok {
		what := "the MQTT broker"
		if e.WebSocket {
			what = "MQTT over WebSocket"
		}
		return &AddrError{what, e.Addr, e.Err}
	}
	return err
}

// services are what rules of faults call the stand-ins to start.
func (o Options) services() []string {
	var names []string
	if o.AWSAddr != "" && !o.NoSQS {
		names = append(names, "sqs")
	}
	if o.AWSAddr != "" && !o.NoDynamoDB {
		names = append(names, "dynamodb")
	}
	if o.MQTTAddr != "" {
		names = append(names, fault.MQTT)
	}
	return names
}

func (l *Local) startAWS(o Options) (err error) {
	if l.aws, err = net.Listen("tcp", o.AWSAddr); err != nil {
		return &AddrError{"the AWS endpoint", o.AWSAddr, err}
	}
	services, err := l.startServices(o)
	if err != nil {
		return err
	}
	l.server = http1.New(sqs.WithOrigin(awsjson.NewHandler(o.Log, services...)), o.Log)
	l.served = make(chan struct{})
	go func() {
		defer close(l.served)
		l.serving = l.server.Serve(l.aws)
	}()
	return nil
}

// Run returns when ctx ends, with nil, or when the stand-ins cannot go on.
func (l *Local) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-l.served:
		return fmt.Errorf("the AWS endpoint ended: %w", l.serving)
	}
}

func (l *Local) startServices(o Options) (services []awsjson.Service, err error) {
	if !o.NoSQS {
		if l.sqs, err = sqs.New(sqs.Options{Store: l.store, Log: o.Log, Endpoint: l.AWSEndpoint(), Region: Region, Account: Account}); err != nil {
			return nil, err
		}
		services = append(services, o.Faults.Wrap(l.sqs))
	}
	if !o.NoDynamoDB {
		if l.dynamo, err = dynamodb.New(dynamodb.Options{Store: l.store, Log: o.Log, Region: Region, Account: Account,
			Address: strings.TrimPrefix(l.AWSEndpoint(), "http://")}); err != nil {
			return nil, err
		}
		services = append(services, o.Faults.Wrap(l.dynamo))
	}
	return services, nil
}

// Reachable is where clients on this machine find what listens at addr: 0.0.0.0
// and :: are every address of the machine, and not everywhere one to connect to.
func Reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return addr
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// AWSEndpoint is the URL of SQS and DynamoDB, "" when they are not started.
func (l *Local) AWSEndpoint() string {
	if l.aws == nil {
		return ""
	}
	return "http://" + Reachable(l.aws.Addr().String())
}

// MQTTAddr is host:port of the broker, "" when it is not started.
func (l *Local) MQTTAddr() string {
	if l.broker == nil {
		return ""
	}
	return Reachable(l.broker.Addr())
}

// WebSocketAddr is host:port of MQTT over WebSocket, "" when it is not started.
func (l *Local) WebSocketAddr() string {
	if l.broker == nil {
		return ""
	}
	return Reachable(l.broker.WebSocketAddr())
}

// Close ends the stand-ins. What they acknowledged is on disk.
func (l *Local) Close() error {
	l.faults.Close()
	var errs []error
	if l.broker != nil {
		errs = append(errs, l.broker.Close())
	}
	// Long polls end with the queue service, so that nobody waits for them.
	if l.sqs != nil {
		errs = append(errs, l.sqs.Close())
	}
	if l.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := l.server.Shutdown(ctx); err != nil {
			errs = append(errs, l.server.Close())
		}
		<-l.served
	} else if l.aws != nil {
		errs = append(errs, l.aws.Close())
	}
	if l.dynamo != nil {
		errs = append(errs, l.dynamo.Close())
	}
	if l.store != nil {
		errs = append(errs, l.store.Close())
	}
	return errors.Join(errs...)
}

// Package host runs an app in one process: it starts the stand-ins that the
// app's resources need, creates queues and tables in them, opens the HTTP
// server and runs the app until it is told to stop. `flowctl run` and `flowctl
// invoke` are thin layers over it.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/local"
	"github.com/flowctl-dev/flowctl/internal/local/fault"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/awsclient/account"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	"github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/mqtt"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// Off is the address of a server that must not be started.
const Off = "off"

// Options say how to run an app.
type Options struct {
	App *flows.App
	// Flows names those to run; none means all.
	Flows []string
	// HTTPAddr, MQTTAddr and AWSAddr are host:port of the servers, or Off. A
	// server that the app does not need is not started.
	HTTPAddr, MQTTAddr, AWSAddr string
	// DataDir is the stand-ins' data folder; Fresh drops what is in it.
	DataDir string
	Fresh   bool
	// Account uses the real AWS account for resources without an address.
	Account bool
	// Sourceless says that Run will not be called: messages come through the
	// flows' handlers only.
	Sourceless bool
	// Grace is how long work under way may go on after a stop.
	Grace time.Duration
	// Faults make the stand-ins fail on demand while the app runs, not while its
	// queues and tables are made. nil does not.
	Faults   *fault.Injector
	Log      *slog.Logger
	Recorder engine.Recorder
}

// Host is an app with all it needs, ready to run.
type Host struct {
	o       Options
	plan    *engine.Plan
	app     *engine.App
	local   *local.Local
	server  *http.Server
	clients *awsclient.Clients
	brokers *mqtt.Connections
	seeded  map[string]int
}

// Start starts the servers and builds the app; nothing is taken yet. The Host
// must be closed. An address in use is a *local.AddrError.
func Start(ctx context.Context, o Options) (h *Host, err error) {
	h = &Host{o: o, seeded: map[string]int{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close(context.WithoutCancel(ctx)))
			h = nil
		}
	}()
	if h.plan, err = o.App.Plan(o.Flows...); err != nil {
		return h, err
	}
	o.Faults.Hold()
	if err := h.startLocal(ctx); err != nil {
		return h, err
	}
	if err := h.startHTTP(); err != nil {
		return h, err
	}
	endpoint := ""
	if h.local != nil && !o.Account {
		endpoint = h.local.AWSEndpoint()
	}
	h.clients = awsclient.New(awsclient.Options{LocalEndpoint: endpoint, LoadConfig: account.Load})
	if err := h.checkAccount(ctx); err != nil {
		return h, err
	}
	if endpoint != "" {
		if err := h.createResources(ctx); err != nil {
			return h, err
		}
	}
	o.Faults.Release()
	h.brokers = mqtt.NewConnections()
	services := &engine.Services{}
	engine.Provide(services, h.clients)
	engine.Provide(services, h.brokers)
	engine.Provide(services, h.server)
	if h.local != nil && h.local.MQTTAddr() != "" {
		engine.Provide(services, mqtt.Local{URL: "mqtt://" + h.local.MQTTAddr()})
	}
	h.app, err = engine.Build(h.plan, engine.Options{Log: o.Log, Services: services, Recorder: o.Recorder, Grace: o.Grace})
	return h, err
}

// has reports whether a node of the flows to run has a config of type C.
func has[C any](p *engine.Plan) bool {
	for _, f := range p.Flows {
		for _, n := range f.Nodes {
			if _, ok := n.Config.(*C); ok {
				return true
			}
		}
	}
	return false
}

// resources are those of the app that the flows to run refer to; all of them
// where no flow was named.
func (h *Host) resources() []*flows.Resource {
	if len(h.o.Flows) == 0 {
		return h.o.App.Resources
	}
	used := map[string]bool{}
	for _, f := range h.plan.Flows {
		for _, n := range f.Nodes {
			for _, r := range engine.References(n.Config) {
				used[r.Target()] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(h.o.App.Resources), func(r *flows.Resource) bool { return !used[r.Name] })
}

// needs tells which stand-ins serve the app's resources.
func (h *Host) needs() (aws, broker bool, err error) {
	for _, r := range h.resources() {
		var outside string
		switch c := r.Config.(type) {
		case *mqtt.Broker:
			outside, err = c.Outside()
			broker = broker || outside == ""
		case *sqs.Queue:
			outside, err = c.Outside()
			aws = aws || outside == "" && !h.o.Account
		case *dynamodb.Table:
			outside, err = c.Outside()
			aws = aws || outside == "" && !h.o.Account
		}
		if err != nil {
			return false, false, fmt.Errorf("resource %s: %w", r.Name, err)
		}
	}
	return aws, broker, nil
}

func (h *Host) startLocal(ctx context.Context) (err error) {
	aws, broker, err := h.needs()
	if err != nil {
		return err
	}
	if !aws && !broker {
		return h.o.Faults.CheckServed()
	}
	o := local.Options{Dir: h.o.DataDir, Fresh: h.o.Fresh, Faults: h.o.Faults, Log: h.o.Log}
	if aws {
		if h.o.AWSAddr == Off {
			return errors.New("the app has queues or tables without an address, and --aws-endpoint off leaves nothing to serve them; remove the flag, give the resources an address, or use the account with --aws")
		}
		o.AWSAddr = h.o.AWSAddr
	}
	if broker {
		if h.o.MQTTAddr == Off {
			return errors.New("the app has a broker without a url, and --mqtt off leaves nothing to serve it; remove the flag, or give the broker a url")
		}
		o.MQTTAddr = h.o.MQTTAddr
	}
	// The stand-ins outlast ctx: what is under way when it ends still needs them.
	// Close ends them.
	h.local, err = local.Start(context.WithoutCancel(ctx), o)
	return err
}

func (h *Host) startHTTP() error {
	h.server = http.NewServer(http.ServerOptions{Log: h.o.Log})
	if h.o.HTTPAddr == Off {
		if !h.o.Sourceless && has[http.In](h.plan) {
			return errors.New("the app has http.in sources, and --http off leaves nothing to serve them; remove the flag, or choose other flows with --flow")
		}
		return nil
	}
	if err := h.server.Listen(h.o.HTTPAddr); err != nil {
		return &local.AddrError{What: "HTTP", Addr: h.o.HTTPAddr, Err: err}
	}
	return nil
}

func (h *Host) createResources(ctx context.Context) error {
	for _, r := range h.resources() {
		var err error
		switch c := r.Config.(type) {
		case *sqs.Queue:
			err = h.createQueue(ctx, r.Name, c)
		case *dynamodb.Table:
			err = h.createTable(ctx, r.Name, c)
		}
		if err != nil {
			return fmt.Errorf("resource %s: %w", r.Name, err)
		}
	}
	return nil
}

func (h *Host) createQueue(ctx context.Context, name string, q *sqs.Queue) error {
	if outside, err := q.Outside(); err != nil || outside != "" {
		return err
	}
	client, err := sqs.Client(ctx, h.clients, true)
	if err != nil {
		return err
	}
	_, err = sqs.Create(ctx, client, name, q)
	return err
}

func (h *Host) createTable(ctx context.Context, name string, t *dynamodb.Table) error {
	if outside, err := t.Outside(); err != nil || outside != "" {
		return err
	}
	client, err := dynamodb.Client(ctx, h.clients, true)
	if err != nil {
		return err
	}
	created, err := dynamodb.Create(ctx, client, t.Name(name), t)
	if err != nil || t.Seed == "" {
		return err
	}
	// The mark is made after the seed, so that a start that broke off between
	// the two seeds again.
	mark := filepath.Join(h.o.DataDir, "seeded-"+t.Name(name))
	if _, err := os.Stat(mark); err == nil && !created {
		return nil
	}
	items, err := h.o.App.Items(t.Seed)
	if err != nil {
		return err
	}
	if err := dynamodb.Seed(ctx, client, t.Name(name), items); err != nil {
		return err
	}
	h.seeded[name] = len(items)
	return os.WriteFile(mark, nil, 0o644)
}

// Run takes messages until ctx ends or something fails, then finishes what is
// under way.
func (h *Host) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var serving sync.WaitGroup
	if h.HTTPAddr() != nil {
		serving.Go(func() {
			h.server.AwaitOpen(ctx)
			if err := h.server.Serve(); err != nil {
				stop(err)
			}
		})
	}
	h.server.SetReady(true)
	err := h.app.Run(ctx)
	stop(nil) // for sources that never opened
	// The answers are written by now; what is left are idle connections.
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err = errors.Join(err, h.server.Shutdown(wait))
	serving.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	return err
}

// Close ends everything that Start started. Run must have returned.
func (h *Host) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var errs []error
	if h.app != nil {
		errs = append(errs, h.app.Close(ctx))
	}
	if h.brokers != nil {
		errs = append(errs, h.brokers.Close(ctx))
	}
	if h.server != nil {
		errs = append(errs, h.server.Shutdown(ctx))
	}
	if h.clients != nil {
		h.clients.CloseIdle()
	}
	if h.local != nil {
		errs = append(errs, h.local.Close())
	}
	return errors.Join(errs...)
}

// HTTPAddr is where the HTTP server listens, nil when it does not.
func (h *Host) HTTPAddr() net.Addr { return h.server.Addr() }

// AWSEndpoint is the URL of the SQS and DynamoDB stand-ins, "" without them.
func (h *Host) AWSEndpoint() string {
	if h.local == nil {
		return ""
	}
	return h.local.AWSEndpoint()
}

// MQTTAddr is host:port of the embedded broker, "" without it.
func (h *Host) MQTTAddr() string {
	if h.local == nil {
		return ""
	}
	return h.local.MQTTAddr()
}

// Seeded tells how many items were written to a table that is new, by the
// resource's name.
func (h *Host) Seeded(table string) (items int, fresh bool) {
	items, fresh = h.seeded[table]
	return items, fresh
}

// Resources are the app's resources that the flows that run refer to.
func (h *Host) Resources() []*flows.Resource { return h.resources() }

// Flows are the names of the flows that run.
func (h *Host) Flows() []string {
	var names []string
	for _, f := range h.plan.Flows {
		names = append(names, f.Name)
	}
	return slices.Clip(names)
}

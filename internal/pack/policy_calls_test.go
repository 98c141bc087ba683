package pack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/local"
	"github.com/flowctl-dev/flowctl/internal/pack"
	"github.com/flowctl-dev/flowctl/nodes"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	nodeshttp "github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// account is the stand-ins as the nodes of a function see their account: behind
// a front that writes down what is asked of it.
type account struct {
	t         *testing.T
	front     *httptest.Server
	addresses awsclient.Addresses

	mu      sync.Mutex
	calls   map[string]bool // "ACTION on RESOURCE", without the folder of the stand-in
	changed chan struct{}
}

func openAccount(t *testing.T, app *flows.App) *account {
	t.Helper()
	services, err := local.Start(t.Context(), local.Options{Dir: t.TempDir(), AWSAddr: "127.0.0.1:0", Relaxed: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(services.AWSEndpoint())
	if err != nil {
		t.Fatal(err)
	}
	a := &account{t: t, addresses: awsclient.Addresses{}, calls: map[string]bool{}, changed: make(chan struct{}, 1)}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) }, Transport: transport, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	a.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.note(r)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		a.front.Close()
		transport.CloseIdleConnections()
		if err := services.Close(); err != nil {
			t.Error(err)
		}
	})
	a.create(app, services.AWSEndpoint())
	return a
}

// create makes the app's queues and tables, past the front.
func (a *account) create(app *flows.App, endpoint string) {
	a.t.Helper()
	ctx, clients := a.t.Context(), awsclient.New(awsclient.Options{LocalEndpoint: endpoint})
	defer clients.CloseIdle()
	for _, r := range app.Resources {
		switch c := r.Config.(type) {
		case *sqs.Queue:
			client, err := sqs.Client(ctx, clients, true)
			if err != nil {
				a.t.Fatal(err)
			}
			at, err := sqs.Create(ctx, client, r.Name, c)
			if err != nil {
				a.t.Fatal(err)
			}
			a.addresses[r.Name] = strings.Replace(at, endpoint, a.front.URL, 1)
			for _, body := range []string{"good", "bad"} {
				if c.IsFIFO() {
					break
				}
				if _, err := client.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &at, MessageBody: &body}); err != nil {
					a.t.Fatal(err)
				}
			}
		case *dynamodb.Table:
			client, err := dynamodb.Client(ctx, clients, true)
			if err != nil {
				a.t.Fatal(err)
			}
			if _, err := dynamodb.Create(ctx, client, r.Name, c); err != nil {
				a.t.Fatal(err)
			}
			a.addresses[r.Name] = r.Name
		}
	}
}

// note writes a request down as the permission that AWS asks for.
func (a *account) note(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in struct{ QueueUrl, TableName, IndexName string }
	if err := json.Unmarshal(body, &in); err != nil {
		a.t.Errorf("a request that is no JSON: %v", err)
	}
	target, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	action, on := "sqs:"+strings.TrimSuffix(operation, "Batch"), path.Base(in.QueueUrl)
	if strings.HasPrefix(target, "DynamoDB") {
		action, on = "dynamodb:"+operation, in.TableName
		if in.IndexName != "" {
			on += "/index/" + in.IndexName
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls[action+" on "+strings.TrimSuffix(on, ".fifo")] = true
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

func (a *account) noted() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.calls))
}

// services are those of a packaged function: the account's side of the clients,
// and addresses by its environment.
func (a *account) services() *engine.Services {
	clients := awsclient.New(awsclient.Options{LoadConfig: func(context.Context) (aws.Config, error) {
		return aws.Config{Region: local.Region, BaseEndpoint: &a.front.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}, nil
	}})
	a.t.Cleanup(clients.CloseIdle)
	s := &engine.Services{}
	engine.Provide(s, clients)
	engine.Provide(s, a.addresses)
	engine.Provide(s, nodeshttp.NewServer(nodeshttp.ServerOptions{}))
	return s
}

// run runs a flow: with one message, or what its queue holds, until each way
// has been taken.
func (a *account) run(app *flows.App, flow string, want []string) {
	a.t.Helper()
	plan, err := app.Plan(flow)
	if err != nil {
		a.t.Fatal(err)
	}
	built, err := engine.Build(plan, engine.Options{Services: a.services(), Grace: 20 * time.Second, Log: slog.New(slog.NewTextHandler(a.t.Output(), nil))})
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() {
		if err := built.Close(a.t.Context()); err != nil {
			a.t.Error(err)
		}
	}()
	source := plan.Flows[0].Nodes[0]
	if _, polls := source.Config.(*sqs.In); polls {
		a.poll(built, want)
		return
	}
	handler, err := built.Flow(flow).Handler(source.Name)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := handler(a.t.Context(), engine.NewMessage(expr.Fields{"body": "hello"}, "")); err != nil {
		a.t.Errorf("%s: %v", flow, err)
	}
}

// poll runs the sources until all of want has been asked for, or the test's
// time is up.
func (a *account) poll(app *engine.App, want []string) {
	a.t.Helper()
	ctx, stop := context.WithCancel(a.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	for {
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return slices.Contains(a.noted(), w) })
		if len(missing) == 0 {
			break
		}
		<-a.changed
	}
	stop()
	if err := <-ended; err != nil {
		a.t.Error(err)
	}
}

// allowed is what a policy lets the nodes do, in the form of account.calls.
func allowed(p pack.Policy) []string {
	var out []string
	for _, s := range p.Statements {
		if s.Target.Kind == pack.OnResource {
			for _, action := range s.Actions {
				out = append(out, action+" on "+s.Target.Name+s.Target.Below)
			}
		}
	}
	slices.Sort(out)
	return out
}

// byMapping is what Lambda does by itself with the role of a function that
// takes from a queue, besides what sqs.in does too (Lambda Developer Guide,
// "Using Lambda with Amazon SQS", execution role permissions).
const byMapping = "sqs:GetQueueAttributes on "

func TestPoliciesAllowTheCallsThatNodesMakeAndNoOthers(t *testing.T) {
	app := loaded(t, "testdata/policy/calls.flow.yaml")
	policies, err := pack.Policies(app)
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for _, p := range policies {
		t.Run(p.Flow, func(t *testing.T) {
			a := openAccount(t, app)
			want := slices.DeleteFunc(allowed(p), func(s string) bool { return strings.HasPrefix(s, byMapping) })
			a.run(app, p.Flow, want)
			if got := a.noted(); !slices.Equal(got, want) {
				t.Errorf("the nodes asked for\n%q\nthe policy allows\n%q", got, want)
			}
		})
		for _, s := range p.Statements {
			for _, n := range s.Nodes {
				covered[n.Type] = true
			}
		}
	}
	all := nodes.All()
	for _, typ := range all.NodeTypes() {
		family, _, _ := strings.Cut(typ, ".")
		if calls := slices.Contains([]string{"sqs", "dynamodb"}, family); calls != covered[typ] {
			t.Errorf("%s calls AWS: %v; testdata/policy/calls.flow.yaml shows it with a permission: %v", typ, calls, covered[typ])
		}
	}
}

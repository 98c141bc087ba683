package sqs

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// account gives clients for an account whose calls go to the sandbox too, beside its local side.
func (s *sandbox) account(localEndpoint string) *engine.Services {
	clients := awsclient.New(awsclient.Options{LocalEndpoint: localEndpoint, LoadConfig: func(context.Context) (aws.Config, error) {
		return aws.Config{Region: "eu-west-1", BaseEndpoint: &s.server.URL, Credentials: credentials.NewStaticCredentialsProvider("account", "x", "")}, nil
	}})
	s.t.Cleanup(clients.CloseIdle)
	services := &engine.Services{}
	engine.Provide(services, clients)
	return services
}

func find(t *testing.T, ref engine.Ref[Queue], services *engine.Services) (*target, error) {
	t.Helper()
	a, err := addressOf(ref, engine.Deps{Services: services})
	if err != nil {
		t.Fatal(err)
	}
	return a.target(ctx)
}

// sideOf tells whether a target's calls go to the local stand-in or to the
// account: there is one client for each.
func sideOf(t *testing.T, services *engine.Services, at *target) string {
	t.Helper()
	clients, err := awsclient.Of(engine.Deps{Services: services})
	if err != nil {
		t.Fatal(err)
	}
	for side, local := range map[string]bool{"local": true, "account": false} {
		if c, err := clientOf(ctx, clients, local); err == nil && c == at.client {
			return side
		}
	}
	return "neither"
}

func TestQueueWithoutAddressIsLookedUpByItsName(t *testing.T) {
	s := open(t)
	ref, url := s.queue("orders", nil)
	for _, c := range []struct {
		about    string
		services *engine.Services
		side     string
	}{
		{"in the local stand-in", s.services, "local"},
		{"in the account", s.account(""), "account"},
	} {
		t.Run(c.about, func(t *testing.T) {
			s.front.set(nil)
			for range 3 {
				at, err := find(t, ref, c.services)
				if err != nil || at.url != url || sideOf(t, c.services, at) != c.side {
					t.Fatalf("%+v, %v", at, err)
				}
			}
			if n := s.front.calls("GetQueueUrl"); n != 1 {
				t.Errorf("looked up %d times", n)
			}
		})
	}
}

func TestQueueWithAnAddressIsNotLookedUp(t *testing.T) {
	s := open(t)
	const given = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"
	fromEnv := func(q *Queue) {
		scope := &expr.Scope{Env: map[string]string{"QUEUE_URL": given}}
		q.URL.Set(expr.Text("${{ env.QUEUE_URL }}"))
		if p := q.URL.Compile(scope); len(p) > 0 {
			t.Fatal(p[0].Error)
		}
	}
	for _, c := range []struct {
		about      string
		change     func(*Queue)
		addresses  awsclient.Addresses
		want, side string
	}{
		{"its url", func(q *Queue) { q.URL = expr.Of(given) }, nil, given, "account"},
		{"its url from env", fromEnv, nil, given, "account"},
		{"its url before the process's", func(q *Queue) { q.URL = expr.Of(given) }, awsclient.Addresses{"orders": given + "-other"}, given, "account"},
		{"the process's", func(*Queue) {}, awsclient.Addresses{"orders": given}, given, "account"},
		{"one of the local stand-in", func(*Queue) {}, awsclient.Addresses{"orders": s.server.URL + "/000000000000/orders"}, s.server.URL + "/000000000000/orders", "local"},
	} {
		t.Run(c.about, func(t *testing.T) {
			s.front.set(nil)
			services := s.account(s.server.URL)
			if c.addresses != nil {
				engine.Provide(services, c.addresses)
			}
			q := enginetest.Config[Queue](t)
			c.change(q)
			at, err := find(t, engine.Ref[Queue]{Name: "orders", Resource: q}, services)
			if err != nil || at.url != c.want || sideOf(t, services, at) != c.side {
				t.Fatalf("%+v, %v", at, err)
			}
			if n := s.front.calls("GetQueueUrl"); n != 0 {
				t.Errorf("looked up %d times", n)
			}
		})
	}
}

func TestEmptyURLCountsAsNotGiven(t *testing.T) {
	s := open(t)
	ref, url := s.queue("orders", func(q *Queue) { q.URL = expr.Of("") })
	if at, err := find(t, ref, s.services); err != nil || at.url != url {
		t.Errorf("%+v, %v", at, err)
	}
}

func TestCallsGoWhereTheURLLeads(t *testing.T) {
	for _, c := range []struct{ url, region, endpoint string }{
		{"https://sqs.eu-west-1.amazonaws.com/1/q", "", ""},
		{"https://sqs.us-east-2.amazonaws.com/1/q", "us-east-2", ""},
		{"https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1", ""},
		{"https://us-west-2.queue.amazonaws.com/1/q", "us-west-2", ""},
		{"http://localhost:9324/000000000000/q", "", "http://localhost:9324"},
		{"https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/1/q", "", "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com"},
	} {
		options, err := optionsFor(c.url, "eu-west-1")
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
		}
		var o sdk.Options
		for _, set := range options {
			set(&o)
		}
		if o.Region != c.region || aws.ToString(o.BaseEndpoint) != c.endpoint {
			t.Errorf("%s: region %q, endpoint %q, want %q, %q", c.url, o.Region, aws.ToString(o.BaseEndpoint), c.region, c.endpoint)
		}
	}
	for _, bad := range []string{"orders", "ftp://host/q", "arn:aws:sqs:eu-west-1:1:q", "http://", "%"} {
		if _, err := optionsFor(bad, "eu-west-1"); err == nil || engine.ClassOf(err) != engine.Permanent || !strings.Contains(err.Error(), "is not the URL of a queue") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestOneLookUpServesAllWhoWait(t *testing.T) {
	s := open(t)
	ref, _ := s.queue("orders", nil)
	looking, goOn := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	s.front.set(func(c *call) {
		if c.op == "GetQueueUrl" && calls.Add(1) == 1 {
			close(looking)
			<-goOn
		}
	})
	found := make(chan error, 8)
	for range cap(found) {
		go func() {
			_, err := find(t, ref, s.services)
			found <- err
		}()
	}
	<-looking
	gone, cancel := context.WithCancel(ctx)
	cancel()
	a, err := addressOf(ref, engine.Deps{Services: s.services})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.target(gone); engine.CodeOf(err) != "stopped" {
		t.Errorf("who gave up got %v", err)
	}
	close(goOn)
	for range cap(found) {
		if err := <-found; err != nil {
			t.Error(err)
		}
	}
	if calls.Load() != 1 {
		t.Errorf("looked up %d times", calls.Load())
	}
}

func TestNodesWithoutClientsCannotBeMade(t *testing.T) {
	ref := engine.Ref[Queue]{Name: "orders", Resource: &Queue{}}
	if _, err := newSendNode(&Send{Queue: ref}, engine.Deps{}); err == nil {
		t.Error("a sqs.send without clients")
	}
	if _, err := newSource(&In{Queue: ref}, engine.Deps{}); err == nil {
		t.Error("a sqs.in without clients")
	}
}

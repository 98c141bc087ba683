package sqs

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// address is where a queue is: looked up when first needed, then kept. It is
// shared by all nodes that use the queue.
type address struct {
	resource string
	queue    *Queue
	clients  *awsclient.Clients
	given    string // by the process's Addresses
	looking  chan struct{}
	found    atomic.Pointer[target]
}

// target is a queue that calls can be made to.
type target struct {
	*client
	url     string
	options []func(*sdk.Options)
}

// addressOf is the address of a resource, one for all nodes of the process.
func addressOf(ref engine.Ref[Queue], d engine.Deps) (*address, error) {
	clients, err := awsclient.Of(d)
	if err != nil {
		return nil, err
	}
	return awsclient.Keep(clients, ref.Resource, func() *address {
		return &address{resource: ref.Name, queue: ref.Resource, clients: clients,
			given: awsclient.AddressesOf(d)[ref.Name], looking: make(chan struct{}, 1)}
	}), nil
}

// target finds the queue. An error is not kept: the next call tries again.
func (a *address) target(ctx context.Context) (*target, error) {
	if t := a.found.Load(); t != nil {
		return t, nil
	}
	select {
	case a.looking <- struct{}{}:
		defer func() { <-a.looking }()
	case <-ctx.Done():
		return nil, awsclient.Fail(fmt.Sprintf("looking up the queue %q", a.resource), context.Cause(ctx))
	}
	if t := a.found.Load(); t != nil {
		return t, nil
	}
	t, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	a.found.Store(t)
	return t, nil
}

// find takes the queue's own URL, else the one that the process was given, else
// asks the local stand-in, else the account.
func (a *address) find(ctx context.Context) (*target, error) {
	at, err := a.queue.URL.Get(new(expr.Env))
	if err != nil {
		return nil, fmt.Errorf("url of the queue %q: %w", a.resource, err)
	}
	if at == "" {
		at = a.given
	}
	endpoint := a.clients.LocalEndpoint()
	local := endpoint != "" && (at == "" || strings.HasPrefix(at, strings.TrimSuffix(endpoint, "/")+"/"))
	c, err := clientOf(ctx, a.clients, local)
	if err != nil {
		return nil, err
	}
	if at == "" {
		if at, err = a.lookUp(ctx, c); err != nil {
			return nil, err
		}
		return &target{client: c, url: at}, nil
	}
	t := &target{client: c, url: at}
	if !local {
		t.options, err = optionsFor(at, c.region)
	}
	return t, err
}

func (a *address) lookUp(ctx context.Context, c *client) (string, error) {
	name := a.queue.Name(a.resource)
	out, err := c.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return "", awsclient.Fail(fmt.Sprintf("looking up the queue %q", name), err)
	}
	return aws.ToString(out.QueueUrl), nil
}

var regional = regexp.MustCompile(`^(?:sqs(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?|([a-z0-9-]+)\.queue\.amazonaws\.com)$`)

// optionsFor direct calls to where the URL leads: the SDK goes by the client's
// region and endpoint alone, and leaves the URL to the service.
func optionsFor(at, region string) ([]func(*sdk.Options), error) {
	u, err := url.Parse(at)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, engine.Fail(engine.Permanent, "config", fmt.Sprintf("%q is not the URL of a queue; it looks like https://sqs.REGION.amazonaws.com/ACCOUNT/NAME", at), nil)
	}
	if m := regional.FindStringSubmatch(u.Host); m != nil {
		own := m[1] + m[2]
		if own == region {
			return nil, nil
		}
		return []func(*sdk.Options){func(o *sdk.Options) { o.Region = own }}, nil
	}
	endpoint := u.Scheme + "://" + u.Host
	return []func(*sdk.Options){func(o *sdk.Options) { o.BaseEndpoint = &endpoint }}, nil
}

// Package awsclient is the AWS configuration that all nodes of a process share:
// credentials, connections, timeouts, retries, and what the service's errors
// mean to a flow.
package awsclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/flowctl-dev/flowctl/engine"
)

// DefaultAttemptTimeout bounds one attempt of one call where Options say
// nothing else.
const DefaultAttemptTimeout = 5 * time.Second

const localRegion = "us-east-1"

// Options say where the clients find their services.
type Options struct {
	// LocalEndpoint is the address of the local stand-ins, such as
	// http://127.0.0.1:4566; "" when there are none.
	LocalEndpoint string
	// Region wins over the environment's and the profile's.
	Region string
	// AttemptTimeout bounds one attempt of a call, from the dial to the last
	// byte of the reply; 0 means DefaultAttemptTimeout.
	AttemptTimeout time.Duration
	// LoadConfig finds region and credentials of the account, such as
	// account.Load; nil means that there is no account to call.
	LoadConfig func(ctx context.Context) (aws.Config, error)
}

// Clients are the AWS clients of a process: one per service and side, made when
// first asked for. Its methods may be called by any goroutine.
type Clients struct {
	options Options
	clients sync.Map // clientKey to the client
	kept    sync.Map // keptKey to what Keep was given
	// building is held, as its one place is taken, while a config is loaded or
	// a client made; a channel, so that whoever waits for it can give up.
	building chan struct{}
	configs  map[bool]aws.Config
	idle     []*http.Transport
}

type clientKey struct {
	client reflect.Type
	local  bool
}

// New opens nothing and asks for no credentials: the first call to Shared does.
func New(o Options) *Clients {
	if o.AttemptTimeout <= 0 {
		o.AttemptTimeout = DefaultAttemptTimeout
	}
	return &Clients{options: o, building: make(chan struct{}, 1), configs: map[bool]aws.Config{}}
}

// LocalEndpoint is where the local stand-ins are, "" when there are none.
func (c *Clients) LocalEndpoint() string { return c.options.LocalEndpoint }

// Shared gives the process's one client of type T for the local stand-ins or
// for the account. build makes it, such as func(cfg aws.Config) *sqs.Client {
// return sqs.NewFromConfig(cfg) }; it is called once. ctx bounds the loading of
// the configuration only. An error is not kept: the next call tries again.
func Shared[T any](c *Clients, ctx context.Context, local bool, build func(aws.Config) T) (T, error) {
	key := clientKey{reflect.TypeFor[T](), local}
	if made, ok := c.clients.Load(key); ok {
		return made.(T), nil
	}
	var none T
	select {
	case c.building <- struct{}{}:
		defer func() { <-c.building }()
	case <-ctx.Done():
		return none, Fail("waiting for the AWS configuration", context.Cause(ctx))
	}
	if made, ok := c.clients.Load(key); ok {
		return made.(T), nil
	}
	cfg, err := c.config(ctx, local)
	if err != nil {
		return none, err
	}
	made := build(cfg)
	c.clients.Store(key, made)
	return made, nil
}

// CloseIdle closes the connections that no call is using. The clients stay
// usable.
func (c *Clients) CloseIdle() {
	c.building <- struct{}{}
	defer func() { <-c.building }()
	for _, t := range c.idle {
		t.CloseIdleConnections()
	}
}

// config is the configuration of a side. The caller holds c.building.
func (c *Clients) config(ctx context.Context, local bool) (aws.Config, error) {
	if cfg, ok := c.configs[local]; ok {
		return cfg, nil
	}
	load := c.account
	if local {
		load = c.local
	}
	cfg, err := load(ctx)
	if err != nil {
		return aws.Config{}, err
	}
	client, transport := newHTTPClient(cfg.HTTPClient, c.options.AttemptTimeout)
	if transport != nil {
		c.idle = append(c.idle, transport)
	}
	cfg.HTTPClient = client
	cfg.Retryer = func() aws.Retryer { return newRetryer() }
	c.configs[local] = cfg
	return cfg, nil
}

func (c *Clients) local(context.Context) (aws.Config, error) {
	if c.options.LocalEndpoint == "" {
		return aws.Config{}, errors.New("there are no local stand-ins in this process")
	}
	region := c.options.Region
	if region == "" {
		region = localRegion
	}
	return aws.Config{
		Region:       region,
		BaseEndpoint: &c.options.LocalEndpoint,
		Credentials:  aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("local", "local", "")),
	}, nil
}

func (c *Clients) account(ctx context.Context) (aws.Config, error) {
	if c.options.LoadConfig == nil {
		return aws.Config{}, engine.Fail(engine.Permanent, "config", "there is no AWS account in this process", nil)
	}
	cfg, err := c.options.LoadConfig(ctx)
	if err != nil {
		return cfg, Fail("loading the AWS configuration", err)
	}
	if c.options.Region != "" {
		cfg.Region = c.options.Region
	}
	if cfg.Region == "" {
		return cfg, engine.Fail(engine.Permanent, "config", "no AWS region is set; set AWS_REGION, or region in the AWS profile", nil)
	}
	return cfg, nil
}

// Addresses tell resources' addresses that are known at start, by the name of
// the resource in the file: a queue's URL, a table's name. A packaged function
// gets them from its environment. It is a service of its own and may be absent.
type Addresses map[string]string

// AddressesOf are the Addresses among the services, nil where none are given.
func AddressesOf(d engine.Deps) Addresses {
	a, err := engine.Service[Addresses](d)
	if err != nil {
		return nil
	}
	return a
}

// Of are the process's Clients. Its absence is a mistake of the program that
// built the app.
func Of(d engine.Deps) (*Clients, error) {
	c, err := engine.Service[*Clients](d)
	if err != nil {
		return nil, fmt.Errorf("AWS clients: %w", err)
	}
	return c, nil
}

type keptKey struct {
	kept reflect.Type
	key  any
}

// Keep gives the one T of a key in the process, for what several nodes share
// beside a client: a queue's batches, an address that was looked up. make is
// cheap and opens nothing; of two that run at once, one result is dropped.
func Keep[T any](c *Clients, key any, make func() T) T {
	k := keptKey{reflect.TypeFor[T](), key}
	if kept, ok := c.kept.Load(k); ok {
		return kept.(T)
	}
	kept, _ := c.kept.LoadOrStore(k, make())
	return kept.(T)
}

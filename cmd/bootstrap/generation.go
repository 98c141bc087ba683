package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/lambda"
	"github.com/flowctl-dev/flowctl/nodes"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/mqtt"
)

// generation is the flow as it was built with the secrets of a moment.
type generation struct {
	flow     string
	connects bool
	function *lambda.Function
	app      *engine.App
	brokers  *mqtt.Connections

	// Under process.mu: the invocations under way; whether there will be no
	// more; and idle, which is closed when both are so.
	calls   int
	retired bool
	idle    chan struct{}
}

// build loads the files and makes a generation.
func (p *process) build(secrets map[string]string) (*generation, error) {
	app, found, err := flows.Load(p.settings.root(), flows.Options{Registry: nodes.All(), Env: p.settings.lookUp(secrets)})
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return nil, found
	}
	for _, s := range app.Settings {
		if s.Secret { // also one that the environment holds itself
			p.secrets.Hide(s.Value)
		}
	}
	flow, err := chooseFlow(app, p.settings.get(lambda.EnvFlow))
	if err != nil {
		return nil, err
	}
	if found := missing(app, flow); len(found) > 0 {
		return nil, found
	}
	plan, err := app.Plan(flow)
	if err != nil {
		return nil, err
	}
	return p.assemble(plan)
}

// assemble builds the flow with the services that its nodes share.
func (p *process) assemble(plan *engine.Plan) (*generation, error) {
	flow := plan.Flows[0]
	g := &generation{flow: flow.Name, connects: usesBroker(flow), brokers: mqtt.NewConnections(), idle: make(chan struct{})}
	server := http.NewServer(http.ServerOptions{Log: p.log})
	services := &engine.Services{}
	engine.Provide(services, p.clients)
	engine.Provide(services, g.brokers)
	engine.Provide(services, server)
	engine.Provide(services, awsclient.Addresses(p.settings.addresses))
	o := engine.Options{Log: p.log, Services: services}
	if len(p.settings.references) > 0 {
		o.Recorder = p
	}
	var err error
	if g.app, err = engine.Build(plan, o); err != nil {
		return nil, err
	}
	g.function, err = lambda.New(lambda.Options{Plan: flow, Flow: g.app.Flow(flow.Name), Server: server, Addresses: p.settings.addresses, Log: p.log})
	if err != nil {
		return nil, errors.Join(err, g.close(context.Background()))
	}
	return g, nil
}

func usesBroker(flow *engine.FlowPlan) bool {
	for _, n := range flow.Nodes {
		for _, r := range engine.References(n.Config) {
			if _, ok := r.(*engine.Ref[mqtt.Broker]); ok {
				return true
			}
		}
	}
	return false
}

// chooseFlow is the flow that the function runs. Without a name it is the
// app's only one.
func chooseFlow(app *flows.App, name string) (string, error) {
	var names []string
	for _, f := range app.Flows {
		names = append(names, f.Name)
	}
	switch {
	case name != "":
		return name, nil // Plan tells of one that is not there
	case len(names) == 1:
		return names[0], nil
	}
	return "", fmt.Errorf("the app has the flows %s, and %s does not say which of them this function runs; set it to one of them", strings.Join(names, ", "), lambda.EnvFlow)
}

// missing are the settings that the flow reads and nobody gives. Those that
// only other flows read do not matter to this function.
func missing(app *flows.App, flow string) flows.Diagnostics {
	read := map[string]bool{}
	for _, name := range app.SettingsOf(flow) {
		read[name] = true
	}
	var found flows.Diagnostics
	for _, s := range app.Settings {
		if s.Given || !read[s.Name] {
			continue
		}
		hint := fmt.Sprintf("set the environment variable %s of the function", s.Name)
		if s.Secret {
			hint = fmt.Sprintf("set %s to where its value is kept, ssm:NAME or secretsmanager:NAME#KEY", lambda.EnvSecret(s.Name))
		}
		found = append(found, app.SettingFinding(s.Name, "", "missing-env", fmt.Sprintf("the setting %s has no value", s.Name), hint))
	}
	found.Sort()
	return found
}

// enter counts an invocation in, exit counts it out.
func (p *process) enter() *generation {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current.calls++
	return p.current
}

func (p *process) exit(g *generation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g.calls--
	g.settle()
}

// retire says that no more invocations are to come; the channel is closed when
// those under way have ended. process.mu is held.
func (g *generation) retire() (idle <-chan struct{}) {
	g.retired = true
	g.settle()
	return g.idle
}

func (g *generation) settle() {
	if !g.retired || g.calls > 0 {
		return
	}
	select {
	case <-g.idle:
	default:
		close(g.idle)
	}
}

// replace makes next the generation that takes invocations, and closes the one
// before when its last one has ended.
func (p *process) replace(next *generation) {
	p.mu.Lock()
	old := p.current
	p.current = next
	idle := old.retire()
	p.mu.Unlock()
	finish := func() {
		<-idle
		ctx, cancel := context.WithTimeout(context.Background(), retireLimit)
		defer cancel()
		if err := old.close(ctx); err != nil {
			p.log.Warn("what was built with the secrets before was not closed in order", "error", err.Error())
		}
	}
	select {
	case <-idle:
		finish()
	default:
		go finish() // nobody waits for it, and a freeze only delays it
	}
}

// close ends what the generation holds, as far as ctx allows.
func (g *generation) close(ctx context.Context) error {
	var errs []error
	if g.function != nil {
		errs = append(errs, g.function.Close(ctx))
	}
	return errors.Join(append(errs, g.app.Close(ctx), g.brokers.Close(ctx))...)
}

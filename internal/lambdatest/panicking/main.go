// Command panicking is a function for tests: the bootstrap's, with node types
// that fail in ways that the nodes of flowctl must never fail in.
package main

import (
	"context"
	"log/slog"
	"os"

	runtime "github.com/aws/aws-lambda-go/lambda"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/lambda"
	"github.com/flowctl-dev/flowctl/internal/redact"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/logic"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// config is the config of the nodes of this program.
type config struct {
	When expr.Condition `yaml:"when,required" doc:"The messages that it is about."`
}

// kind defines a node type that does something to the messages that it is about.
func kind(name string, do func(context.Context)) *engine.Kind {
	return engine.Define(engine.Spec[config]{Type: name, New: func(c *config, _ engine.Deps) (engine.Node, error) {
		return engine.NodeFunc(func(ctx context.Context, m *engine.Message) (engine.Port, error) {
			hit, err := c.When.Holds(&m.Env)
			if err == nil && hit {
				do(ctx)
				err = context.Cause(ctx)
			}
			return engine.Next, err
		}), nil
	}})
}

func main() {
	log := lambda.NewLog(os.Stderr, os.Getenv, &redact.Secrets{})
	function, err := build(log)
	if err != nil {
		log.Error(err.Error())
		os.Exit(1)
	}
	runtime.Start(handler{function})
}

// handler is a Function as aws-lambda-go calls it.
type handler struct{ *lambda.Function }

func build(log *slog.Logger) (*lambda.Function, error) {
	kinds := []*engine.Kind{
		kind("test.panic", func(context.Context) { panic("on purpose") }),
		kind("test.wait", func(ctx context.Context) { <-ctx.Done() }),
		kind("test.hang", func(context.Context) { select {} }),
	}
	for _, family := range [][]*engine.Kind{logic.Kinds(), sqs.Kinds(), http.Kinds()} {
		kinds = append(kinds, family...)
	}
	app, found, err := flows.Load(os.Getenv("LAMBDA_TASK_ROOT"), flows.Options{Registry: engine.NewRegistry(kinds, sqs.Resources())})
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return nil, found
	}
	plan, err := app.Plan(os.Getenv(lambda.EnvFlow))
	if err != nil {
		return nil, err
	}
	server := http.NewServer(http.ServerOptions{Log: log})
	services := &engine.Services{}
	engine.Provide(services, awsclient.New(awsclient.Options{}))
	engine.Provide(services, server)
	built, err := engine.Build(plan, engine.Options{Log: log, Services: services})
	if err != nil {
		return nil, err
	}
	flow := plan.Flows[0]
	return lambda.New(lambda.Options{Plan: flow, Flow: built.Flow(flow.Name), Server: server, Log: log})
}

// Command bootstrap is the program in a packaged function: AWS Lambda starts it
// as the runtime provided.al2023 does. It loads the flow files beside it, builds
// the flow that FLOWCTL_FLOW names and runs it on the events that Lambda brings.
//
// What the template sets in its environment is described with package
// internal/lambda. Settings of the app are read from the environment under
// their own names.
package main

import (
	"context"
	"log"
	"os"
	"time"

	runtime "github.com/aws/aws-lambda-go/lambda"

	"github.com/flowctl-dev/flowctl/internal/lambda"
	"github.com/flowctl-dev/flowctl/internal/redact"
)

// initLimit is below the 10 s that Lambda gives an init, so that what hangs is
// told of.
const initLimit = 9 * time.Second

func main() {
	secrets := &redact.Secrets{}
	logger := lambda.NewLog(os.Stderr, os.Getenv, secrets)
	log.SetFlags(0)
	log.SetOutput(libraryLog{logger})
	ctx, cancel := context.WithTimeout(context.Background(), initLimit)
	p, err := start(ctx, options{environ: os.Environ(), log: logger, secrets: secrets})
	cancel()
	if err != nil {
		reportInit(os.Getenv("AWS_LAMBDA_RUNTIME_API"), logger, secrets, err)
		os.Exit(1)
	}
	var with []runtime.Option
	if p.connects() {
		with = append(with, runtime.WithEnableSIGTERM(func() {
			p.leave()
			os.Exit(0)
		}))
	}
	runtime.StartWithOptions(p, with...)
}

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// exitInterrupted is the exit code of what Ctrl-C ended, as a shell tells it.
const exitInterrupted = 128 + int(syscall.SIGINT)

// runBeside runs a shell command while serve runs, with env beside the
// process's own environment, then ends serve. The command's exit code is the
// result. When the command's context ends, so do both.
func runBeside(cmd *cobra.Command, serve func(context.Context) error, env []string, command string) error {
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx) }()
	child := exec.CommandContext(ctx, "sh", "-c", command)
	child.Stdin, child.Stdout, child.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	child.Env = append(os.Environ(), env...)
	child.WaitDelay = 5 * time.Second
	waited := make(chan error, 1)
	go func() { waited <- child.Run() }()
	select {
	case err := <-waited:
		stop()
		return result(cmd.Context(), err, <-ended)
	case served := <-ended:
		stop()
		err := <-waited
		if cmd.Context().Err() == nil {
			return errors.Join(errors.New("the servers ended before the command did"), served)
		}
		return result(cmd.Context(), err, served)
	}
}

// result is what a command's end and the servers' end come to.
func result(ctx context.Context, command, served error) error {
	var exit *exec.ExitError
	switch {
	case served != nil:
		return errors.Join(command, served)
	case ctx.Err() != nil:
		return exitError{exitInterrupted}
	case errors.As(command, &exit):
		return exitError{childCode(exit.ProcessState)}
	}
	return command
}

// childCode is a child's exit code; for one that a signal ended it is what a
// shell tells.
func childCode(s *os.ProcessState) int {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return s.ExitCode()
}

// standInEnv is the environment in which SDKs, the aws command and flowctl find
// the stand-ins; "" is for one that does not run. Of the two region variables
// each is read by clients that do not read the other.
func standInEnv(awsEndpoint, mqttURL string) []string {
	var env []string
	if awsEndpoint != "" {
		env = append(env, "FLOWCTL_AWS_ENDPOINT="+awsEndpoint, "AWS_ENDPOINT_URL="+awsEndpoint, "AWS_REGION=us-east-1",
			"AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local")
	}
	if mqttURL != "" {
		env = append(env, "FLOWCTL_MQTT_URL="+mqttURL)
	}
	return env
}

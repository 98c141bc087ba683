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

// runBeside runs a shell command while serve runs, with env beside the
// process's own environment, then ends serve. The command's exit code is the
// result.
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
	var err error
	select {
	case err = <-waited:
	case served := <-ended:
		stop()
		<-waited
		return errors.Join(errors.New("the servers ended before the command did"), served)
	}
	stop()
	served := <-ended
	var exit *exec.ExitError
	if errors.As(err, &exit) && served == nil {
		return exitError{childCode(exit.ProcessState)}
	}
	return errors.Join(err, served)
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
// the stand-ins. Of the two region variables each is read by clients that do
// not read the other.
func standInEnv(awsEndpoint, mqttAddr string) []string {
	var env []string
	if awsEndpoint != "" {
		env = append(env, "FLOWCTL_AWS_ENDPOINT="+awsEndpoint, "AWS_ENDPOINT_URL="+awsEndpoint, "AWS_REGION=us-east-1",
			"AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local")
	}
	if mqttAddr != "" {
		env = append(env, "FLOWCTL_MQTT_URL=mqtt://"+mqttAddr)
	}
	return env
}

// Command flowctl runs declarative flows on a laptop and ships the same file to
// AWS Lambda.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // schedules name time zones, which not every machine knows

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/flows"
)

// Exit codes, which the help of flowctl tells, with exitInterrupted.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitBadFlow = 78 // EX_CONFIG of sysexits.h
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signals()
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	return report(root, root.ExecuteContext(ctx))
}

// signals gives a context that the first SIGINT or SIGTERM ends. A later one ends
// the process at once.
func signals() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-c
		cancel()
		awaitInsistence(c, time.Now)
		fmt.Fprintln(os.Stderr, "flowctl: stopped at once; work under way was not acknowledged and will come again")
		os.Exit(exitInterrupted)
	}()
	return ctx, func() { signal.Stop(c); cancel() }
}

// oneStop is how far apart the signals of one stop may come: timeout, npm and
// others send it to the process and once more to its group.
const oneStop = 300 * time.Millisecond

// awaitInsistence waits for a signal that does not belong to the stop that has
// just begun.
func awaitInsistence(signals <-chan os.Signal, now func() time.Time) {
	begun := now()
	for range signals {
		if now().Sub(begun) >= oneStop {
			return
		}
	}
}

// usageError is a mistake in how a command was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitError ends the process with a code and prints nothing more.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// report prints an error as people read it and gives the exit code.
func report(root *cobra.Command, err error) int {
	var (
		usage usageError
		exit  exitError
		found flows.Diagnostics
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		reportBeside(root, err)
		return exit.code
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		fmt.Fprintf(root.ErrOrStderr(), "flowctl: %v\n", err)
		return exitInterrupted
	case errors.As(err, &found):
		fmt.Fprintln(root.ErrOrStderr(), found.Error())
		return exitBadFlow
	case errors.As(err, &usage):
		fmt.Fprintf(root.ErrOrStderr(), "flowctl: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(root.ErrOrStderr(), "flowctl: %v\n", err)
	return exitFailure
}

// reportBeside prints what went wrong besides the error that gives the exit
// code, such as in closing down.
func reportBeside(root *cobra.Command, err error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return
	}
	for _, e := range joined.Unwrap() {
		if _, isExit := errors.AsType[exitError](e); !isExit {
			fmt.Fprintf(root.ErrOrStderr(), "flowctl: %v\n", e)
		}
	}
}

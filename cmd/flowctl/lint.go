package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/pack"
	"github.com/flowctl-dev/flowctl/nodes"
)

const lintHelp = `Check apps without running them. Every mistake is printed with its place in the
file, what is wrong and what to write instead; all of a file's mistakes come at
once. Each PATH is a flow file, or a folder whose flow.yaml and *.flow.yaml files
are one app; without one it is the current folder.

With --target lambda an app without mistakes is also checked for what keeps it from
running as AWS Lambda functions: sources that nothing on AWS calls, requests that
take longer than API Gateway waits, names that are too long, and so on. ` + "`flowctl package`" + `
checks the same.

Exit code 78 says that something was found.`

func newLintCommand() *cobra.Command {
	var output, target string
	cmd := &cobra.Command{
		Use:   "lint [PATH...]",
		Short: "Check flow files",
		Long:  lintHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return lint(cmd, args, output, target == "lambda")
		},
	}
	outputFlag(cmd, &output)
	choiceFlag(cmd, &target, "target", "where the apps are to run", "local", "lambda")
	return cmd
}

func lint(cmd *cobra.Command, paths []string, output string, lambda bool) error {
	var all flows.Diagnostics
	var unread error
	for _, path := range paths {
		app, found, err := flows.Load(path, flows.Options{Registry: nodes.All()})
		if err != nil {
			unread = errors.Join(unread, err)
			continue
		}
		if app != nil && lambda {
			found = pack.Lint(app)
		}
		all = append(all, found...)
		if len(found) == 0 && output == "text" {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: ok: app %s, %s\n", path, app.Name, count(len(app.Flows), "flow"))
		}
	}
	if output == "json" {
		if err := printDiagnostics(cmd.OutOrStdout(), all); err != nil {
			return err
		}
	} else if len(all) > 0 {
		fmt.Fprintln(cmd.OutOrStdout(), all.Error())
		fmt.Fprintf(cmd.ErrOrStderr(), "%s found\n", count(len(all), "mistake"))
	}
	if unread != nil {
		return usageError{unread}
	}
	if len(all) > 0 {
		return exitError{exitBadFlow}
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func printDiagnostics(w io.Writer, all flows.Diagnostics) error {
	if all == nil {
		all = flows.Diagnostics{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

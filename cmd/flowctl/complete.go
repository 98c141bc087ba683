package main

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes"
)

// completeTimeout bounds what a press of Tab waits for.
const completeTimeout = 2 * time.Second

// completeArguments has the arguments of a command and of those below it
// completed: files where a command takes files, and else no files.
func completeArguments(root *cobra.Command) {
	eachCommand(root, func(cmd *cobra.Command) {
		if cmd.Flags().Lookup("flow") != nil {
			if err := cmd.RegisterFlagCompletionFunc("flow", completeFlows); err != nil {
				panic(err)
			}
		}
		if cmd.ValidArgsFunction == nil && cmd.Runnable() && !cmd.HasSubCommands() && !strings.Contains(cmd.Use, "PATH") && cmd.Name() != "help" {
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
	})
}

// completeFlows gives the names of the flows of the app that the arguments name.
func completeFlows(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	app, _, err := flows.Load(pathArg(args), flows.Options{Registry: nodes.All()})
	if err != nil || app == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for _, f := range app.Flows {
		names = append(names, cobra.CompletionWithDesc(f.Name, strings.TrimSpace(f.Doc)))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeNames completes the first argument by what list gives; behind it
// there are files where the command takes a FILE. A service that does not
// answer completes nothing.
func completeNames(list func(cmd *cobra.Command) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch {
		case len(args) == 1 && strings.Contains(cmd.Use, "FILE"):
			return nil, cobra.ShellCompDirectiveDefault
		case len(args) > 0:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
		defer cancel()
		cmd.SetContext(ctx)
		names, err := list(cmd)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// queueNames lists the queues of the target.
func queueNames(s *serviceTarget) func(*cobra.Command) ([]string, error) {
	return func(cmd *cobra.Command) (names []string, err error) {
		err = withQueues(cmd, s, func(ctx context.Context, q *queues) error {
			urls, err := q.urls(ctx, "")
			for _, u := range urls {
				names = append(names, path.Base(u))
			}
			return err
		})
		return names, err
	}
}

// tableNames lists the tables of the target.
func tableNames(s *serviceTarget) func(*cobra.Command) ([]string, error) {
	return func(cmd *cobra.Command) (names []string, err error) {
		err = withTables(cmd, s, func(ctx context.Context, t *tables) (err error) {
			names, err = t.names(ctx)
			return err
		})
		return names, err
	}
}

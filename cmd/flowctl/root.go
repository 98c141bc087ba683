package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const rootHelp = `flowctl runs declarative flows: one YAML file wires nodes such as an HTTP
endpoint, a queue, a table, a switch and an MQTT topic.

  flowctl run                   run the app in this folder
  flowctl lint                  check it
  flowctl invoke . --flow F --event FILE
                                send one message through one flow
  flowctl mqtt sub 'topic/#'    see what is published`

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:                        "flowctl",
		Short:                      "Run declarative flows on a laptop and on AWS Lambda",
		Long:                       rootHelp,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		Args:                       noSubcommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	root.AddCommand(newRunCommand(), newLintCommand(), newInvokeCommand(), newMQTTCommand(), newVersionCommand())
	root.CompletionOptions.HiddenDefaultCmd = false
	strictArgs(root)
	return root
}

// noSubcommand names the command that was meant.
func noSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see `flowctl --help`"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("did you mean %q?", strings.Join(near, `" or "`))
	}
	return usageError{fmt.Errorf("there is no command %q; %s", args[0], hint)}
}

// strictArgs makes every command's complaint about its arguments a usage
// error, and lets a group of commands without one of its own show its help.
func strictArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				if _, done := err.(usageError); done {
					return err
				}
				return usageError{fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())}
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		strictArgs(c)
	}
}

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
  flowctl iam                   see what it may do in the AWS account
  flowctl invoke . --flow F --event FILE
                                send one message through one flow
  flowctl mqtt sub 'topic/#'    see what is published
  flowctl queue peek QUEUE      see what waits, also dead letters
  flowctl table scan TABLE      see what is stored
  flowctl local                 run the stand-ins for SQS, DynamoDB and MQTT alone`

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
	root.AddCommand(newRunCommand(), newLintCommand(), newIAMCommand(), newPackageCommand(), newInvokeCommand(), newLocalCommand(), newQueueCommand(), newTableCommand(), newMQTTCommand(), newVersionCommand(), newFaultsTopic())
	root.CompletionOptions.HiddenDefaultCmd = false
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	strictArgs(root)
	return root
}

// noSubcommand names the command that was meant.
func noSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		for i, name := range near {
			near[i] = fmt.Sprintf("%q", typed(cmd, name))
		}
		hint = fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))
	}
	return usageError{fmt.Errorf("there is no command %q; %s", typed(cmd, args[0]), hint)}
}

// typed is a subcommand as it is typed behind flowctl.
func typed(cmd *cobra.Command, name string) string {
	if !cmd.HasParent() {
		return name
	}
	return typed(cmd.Parent(), cmd.Name()) + " " + name
}

// knownTopic is the check of the arguments of `help`.
func knownTopic(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return noSubcommand(found, rest)
	}
	return nil
}

// strictArgs makes every command's complaint about its arguments a usage
// error, and lets a group of commands without one of its own show its help.
func strictArgs(cmd *cobra.Command) {
	switch {
	case cmd.Name() == "help":
		cmd.Args = knownTopic
	case cmd.HasSubCommands() && !cmd.Runnable():
		cmd.Args, cmd.SuggestionsMinimumDistance = noSubcommand, 2
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
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

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/flowctl-dev/flowctl/engine/expr"
)

const rootHelp = `flowctl runs declarative flows: one YAML file wires nodes such as an HTTP
endpoint, a queue, a table, a switch and an MQTT topic.

  flowctl run                  run the app in this folder
  flowctl lint                 check it
  flowctl iam                  see what it may do in the AWS account
  flowctl package              make AWS Lambda functions of it
  flowctl invoke . --flow F --event FILE
                               send one message through one flow
  flowctl mqtt sub 'topic/#'   see what is published
  flowctl queue peek QUEUE     see what waits, also dead letters
  flowctl table scan TABLE     see what is stored
  flowctl local                run stand-ins for SQS, DynamoDB and MQTT alone

Exit codes: 0 done, 1 failed, 2 called wrongly, 78 mistakes in a flow file, 130 cut
short by Ctrl-C. With --exec it is that of the command.`

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:                        "flowctl",
		Short:                      "Run declarative flows on a laptop and on AWS Lambda",
		Long:                       rootHelp,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		Version:                    currentVersion().String(),
		Args:                       noSubcommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; %s", err, flagHint(cmd, err))}
	})
	root.SetVersionTemplate("flowctl {{.Version}}\n")
	root.AddCommand(newRunCommand(), newLintCommand(), newIAMCommand(), newPackageCommand(), newInvokeCommand(), newLocalCommand(), newQueueCommand(), newTableCommand(), newMQTTCommand(), newVersionCommand(), newFaultsTopic())
	root.CompletionOptions.HiddenDefaultCmd = false
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	strictArgs(root)
	fitHelp(root)
	completeArguments(root)
	return root
}

// flagHint names the flag that was meant, or else where the flags are told.
func flagHint(cmd *cobra.Command, err error) string {
	if unknown := (*pflag.NotExistError)(nil); errors.As(err, &unknown) {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := expr.Closest(unknown.GetSpecifiedName(), names); near != "" {
			return fmt.Sprintf("did you mean --%s?", near)
		}
	}
	return fmt.Sprintf("see `%s --help`", cmd.CommandPath())
}

// noSubcommand names the command that was meant.
func noSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	if near := nearCommands(cmd, args[0]); len(near) > 0 {
		for i, name := range near {
			near[i] = fmt.Sprintf("%q", typed(cmd, name))
		}
		hint = fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))
	}
	return usageError{fmt.Errorf("there is no command %q; %s", typed(cmd, args[0]), hint)}
}

// nearCommands are the subcommand that is spelt most like name, else those that
// cobra finds, which begin like it.
func nearCommands(cmd *cobra.Command, name string) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if near := expr.Closest(name, names); near != "" {
		return []string{near}
	}
	return cmd.SuggestionsFor(name)
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

func gotArguments(n int) string {
	if n == 0 {
		return "no argument"
	}
	return count(n, "argument")
}

// synopsis is a command with its arguments.
func synopsis(cmd *cobra.Command) string {
	_, arguments, _ := strings.Cut(cmd.Use, " ")
	return strings.TrimSpace(cmd.CommandPath() + " " + arguments)
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
				return usageError{fmt.Errorf("`%s` got %s; see `%s --help`", synopsis(c), gotArguments(len(args)), c.CommandPath())}
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		strictArgs(c)
	}
}

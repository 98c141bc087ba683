package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// choice is a flag that takes one of several words.
type choice struct {
	value   *string
	kind    string
	allowed []string
}

func (c choice) String() string { return *c.value }

func (c choice) Type() string { return c.kind }

func (c choice) Set(v string) error {
	if !slices.Contains(c.allowed, v) {
		return fmt.Errorf("%q is not one of %s", v, strings.Join(c.allowed, ", "))
	}
	*c.value = v
	return nil
}

// choiceFlag adds a flag whose first allowed word is the default.
func choiceFlag(cmd *cobra.Command, p *string, name, usage string, allowed ...string) {
	choiceFlagIn(cmd.Flags(), cmd, p, name, usage, allowed...)
}

// choiceFlagIn adds the flag to one of the command's sets of flags.
func choiceFlagIn(flags *pflag.FlagSet, cmd *cobra.Command, p *string, name, usage string, allowed ...string) {
	*p = allowed[0]
	kind := strings.ToUpper(name[strings.LastIndex(name, "-")+1:])
	flags.Var(choice{p, kind, allowed}, name, usage+": "+strings.Join(allowed, ", "))
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return allowed, cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc(name, complete); err != nil {
		panic(err)
	}
}

// outputFlag adds --output.
func outputFlag(cmd *cobra.Command, p *string) {
	choiceFlag(cmd, p, "output", "how to print", "text", "json")
}

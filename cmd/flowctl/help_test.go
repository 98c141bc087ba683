package main

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestHelpFitsAnOrdinaryTerminal(t *testing.T) {
	seen := 0
	root := newRoot()
	eachCommand(root, func(cmd *cobra.Command) {
		if cmd.Parent() != nil && cmd.Parent().Name() == "completion" {
			return // cobra's own pages, with lines to paste
		}
		seen++
		var page bytes.Buffer
		cmd.SetOut(&page)
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(page.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > helpWidth {
				t.Errorf("`%s --help` has a line of %d characters: %s", cmd.CommandPath(), n, line)
			}
		}
	})
	if seen < 20 {
		t.Errorf("only %d commands were looked at", seen)
	}
}

func TestFlagsSayInWordsWhatTheyTake(t *testing.T) {
	seen := 0
	eachCommand(newRoot(), func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			seen++
			switch name, _ := pflag.UnquoteUsage(f); name {
			case "string", "strings", "stringArray", "int", "uint", "uint8":
				t.Errorf("`%s` shows --%s %s; write what it takes in backquotes", cmd.CommandPath(), f.Name, name)
			}
		})
	})
	if seen < 50 {
		t.Errorf("only %d flags were looked at", seen)
	}
}

func TestHelpNamesTheVariablesThatExecSets(t *testing.T) {
	for _, cmd := range []*cobra.Command{newRunCommand(), newLocalCommand()} {
		for _, set := range append(standInEnv("URL", "URL"), "FLOWCTL_HTTP_URL=URL") {
			name, _, _ := strings.Cut(set, "=")
			if strings.HasPrefix(name, "FLOWCTL_") && !strings.Contains(cmd.Long, name) && (cmd.Name() == "run" || name != "FLOWCTL_HTTP_URL") {
				t.Errorf("the help of %s does not name %s", cmd.Name(), name)
			}
		}
	}
}

func TestHelpTellsTheExitCodes(t *testing.T) {
	_, codes, _ := strings.Cut(newRoot().Long, "Exit codes: ")
	for _, code := range []int{exitOK, exitFailure, exitUsage, exitBadFlow, exitInterrupted} {
		if !slices.Contains(strings.Fields(codes), strconv.Itoa(code)) {
			t.Errorf("the exit code %d is not in %q", code, codes)
		}
	}
}

func TestReflowBreaksParagraphsAndKeepsLists(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a paragraph", "aa bb\ncc dd", "aa bb cc\ndd"},
		{"two paragraphs", "aa\n\nbb", "aa\n\nbb"},
		{"a word longer than a line", "aa bbbbbbbbbb cc", "aa\nbbbbbbbbbb\ncc"},
		{"a list", "aa:\n  bbbb cccc dddd", "aa:\n  bbbb cccc dddd"},
		{"letters beyond ASCII", "ää öö üü", "ää öö üü"},
		{"nothing", "", ""},
	} {
		if got := reflow(c.text, 8); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

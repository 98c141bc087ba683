package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
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

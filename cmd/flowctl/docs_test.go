package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/nodes"
)

const root = "../.."

// documents are the pages for users, by their path from the repository's root.
func documents(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("there is no documentation: %v", err)
	}
	names := []string{"README.md", "CHANGELOG.md"}
	for _, p := range pages {
		names = append(names, filepath.Join("docs", filepath.Base(p)))
	}
	return names
}

func readDocument(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s#]*)(#[^)\s]*)?\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the fragments by which a page's headings can be linked.
func anchors(text string) []string {
	var out []string
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		out = append(out, "#"+strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
	}
	return out
}

func TestLinksLeadSomewhere(t *testing.T) {
	seen := 0
	for _, page := range documents(t) {
		for _, l := range link.FindAllStringSubmatch(readDocument(t, page), -1) {
			target, fragment := l[1], l[2]
			if strings.Contains(target, "://") {
				continue
			}
			seen++
			to := page
			if target != "" {
				to = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s: %v", page, target, err)
				continue
			}
			if fragment != "" && !slices.Contains(anchors(readDocument(t, to)), fragment) {
				t.Errorf("%s links to %s%s: there is no such heading", page, target, fragment)
			}
		}
	}
	if seen == 0 {
		t.Error("no link was found: the test has tested nothing")
	}
}

var (
	span         = regexp.MustCompile("`([^`\n]+)`")
	flagWord     = regexp.MustCompile(`(?:^|[ ,(])(--[a-z][a-z-]*)`)
	shellComment = regexp.MustCompile(`\s+# .*$`)
	makeWord     = regexp.MustCompile(`^make ([a-z]+)`)
)

// commandLines are the code of a page: inline spans, and what is typed in
// console blocks.
func commandLines(text string) []string {
	var lines []string
	prose, typed := splitFences(text)
	for _, s := range span.FindAllStringSubmatch(prose, -1) {
		lines = append(lines, s[1])
	}
	for _, block := range typed {
		for _, c := range block {
			lines = append(lines, shellComment.ReplaceAllString(c.line, ""))
		}
	}
	return lines
}

func TestCommandsAndFlagsInTheDocumentationExist(t *testing.T) {
	cli := newRoot()
	everyFlag := flagsBelow(cli)
	seen := 0
	for _, page := range documents(t) {
		for _, line := range commandLines(readDocument(t, page)) {
			if _, call, ok := strings.Cut(" "+line, " flowctl "); ok {
				seen++
				if err := checkCall(cli, call); err != nil {
					t.Errorf("%s: `%s`: %v", page, line, err)
				}
			} else if strings.HasPrefix(line, "--") {
				seen++
				for _, f := range flagWord.FindAllStringSubmatch(line, -1) {
					if !slices.Contains(everyFlag, f[1]) {
						t.Errorf("%s: `%s`: no command has the flag %s", page, line, f[1])
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no command was found: the test has tested nothing")
	}
}

// checkCall looks that the command and the flags behind `flowctl` exist.
func checkCall(cli *cobra.Command, call string) error {
	words := strings.Fields(call)
	found, _, err := cli.Find(words)
	if err != nil || found == cli && !strings.HasPrefix(words[0], "-") {
		return fmt.Errorf("there is no command %q", words[0])
	}
	found.InitDefaultHelpFlag()
	for _, f := range flagWord.FindAllStringSubmatch(call, -1) {
		if found.Flags().Lookup(strings.TrimPrefix(f[1], "--")) == nil {
			return fmt.Errorf("%s has no flag %s", found.CommandPath(), f[1])
		}
	}
	return nil
}

// flagsBelow are the flags of a command and of all below it.
func flagsBelow(c *cobra.Command) []string {
	c.InitDefaultHelpFlag()
	var all []string
	for _, word := range strings.Fields(c.Flags().FlagUsages()) {
		if strings.HasPrefix(word, "--") {
			all = append(all, word)
		}
	}
	for _, each := range c.Commands() {
		all = append(all, flagsBelow(each)...)
	}
	return all
}

func TestTheREADMEListsEveryCommand(t *testing.T) {
	cli := newRoot()
	row := ""
	for line := range strings.Lines(readDocument(t, "README.md")) {
		if strings.HasPrefix(line, "| commands |") {
			row = line
		}
	}
	listed := map[string]bool{}
	for _, s := range span.FindAllStringSubmatch(row, -1) {
		words := strings.Fields(s[1])
		found, rest, err := cli.Find(words)
		if err != nil || found == cli || len(rest) > 0 {
			t.Errorf("the README lists `%s`, which is no command", s[1])
		}
		listed[words[0]] = true
	}
	for _, c := range cli.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" && !listed[c.Name()] {
			t.Errorf("the row of commands in the README's table lacks `%s`", c.Name())
		}
	}
}

func TestTheREADMEListsEveryType(t *testing.T) {
	_, box, _ := strings.Cut(readDocument(t, "README.md"), "## What is in the box")
	registry := nodes.All()
	for _, name := range slices.Concat(registry.NodeTypes(), registry.ResourceTypes()) {
		if !strings.Contains(box, "`"+name+"`") {
			t.Errorf("the README's table lacks `%s`", name)
		}
	}
}

func TestMakeTargetsInTheDocumentationExist(t *testing.T) {
	makefile := readDocument(t, "Makefile")
	seen := 0
	for _, page := range documents(t) {
		for _, line := range commandLines(readDocument(t, page)) {
			if m := makeWord.FindStringSubmatch(line); m != nil {
				seen++
				if !strings.Contains(makefile, "\n"+m[1]+":") {
					t.Errorf("%s: the Makefile has no target %s", page, m[1])
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no target was found: the test has tested nothing")
	}
}

func TestTheStandInsPageCallsAWSAsTheBannerDoes(t *testing.T) {
	page := readDocument(t, "docs/stand-ins.md")
	if line := awsCommand + " sqs create-queue --queue-name orders\n"; !strings.Contains(page, line) {
		t.Errorf("docs/stand-ins.md lacks %q", line)
	}
	for _, set := range standInEnv(defaultEndpoint, "") {
		if strings.HasPrefix(set, "AWS_") && !strings.HasPrefix(set, "AWS_DEFAULT_REGION=") && !strings.Contains(page, set) {
			t.Errorf("docs/stand-ins.md lacks %q", set)
		}
	}
}

package main

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/pack"
)

func TestFormatPageListsTheCodesOfLambdaRules(t *testing.T) {
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(aws-[a-z-]+)` \\|").FindAllStringSubmatch(readDocument(t, "docs/format.md"), -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(listed)
	if want := slices.Sorted(maps.Keys(pack.Codes)); !slices.Equal(listed, want) {
		t.Errorf("docs/format.md lists %v, the rules have %v", listed, want)
	}
}

func TestFormatPageShowsWhatIAMPrints(t *testing.T) {
	_, blocks := splitFences(readDocument(t, "docs/format.md"))
	t.Chdir(root)
	seen := 0
	for _, b := range blocks {
		for _, c := range b {
			args, ok := strings.CutPrefix(c.line, "flowctl ")
			if !ok || !strings.HasPrefix(args, "iam ") {
				continue
			}
			seen++
			var out bytes.Buffer
			cmd := newRoot()
			cmd.SetArgs(strings.Fields(args))
			cmd.SetOut(&out)
			if err := cmd.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			if out.String() != c.output {
				t.Errorf("%s prints\n%s\nthe page says\n%s", c.line, out.String(), c.output)
			}
		}
	}
	if seen == 0 {
		t.Error("the page shows no flowctl iam")
	}
}

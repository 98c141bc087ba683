package flows_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes"
)

const smallest = `version: 1
flows:
  f:
    nodes:
      in: {type: http.in, method: GET, path: /, next: out}
      out: {type: http.response}
`

// parse loads a text and gives the codes of what is wrong with it.
func parse(text string) (*flows.App, flows.Diagnostics) {
	return flows.Parse("app.flow.yaml", []byte(text), flows.Options{Registry: nodes.All()})
}

func codes(ds flows.Diagnostics) string {
	list := make([]string, len(ds))
	for i, d := range ds {
		list[i] = d.Code
	}
	return strings.Join(list, " ")
}

func TestFileThatIsTooLarge(t *testing.T) {
	padded := smallest + "#" + strings.Repeat("x", flows.MaxFileSize-len(smallest)-2) + "\n"
	if _, ds := parse(padded); len(ds) > 0 {
		t.Errorf("a file of exactly %d bytes: %v", len(padded), ds)
	}
	for name, load := range map[string]func(text string) flows.Diagnostics{
		"given as text": func(text string) flows.Diagnostics { _, ds := parse(text); return ds },
		"read from a file": func(text string) flows.Diagnostics {
			path := filepath.Join(t.TempDir(), "flow.yaml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, ds, err := flows.Load(path, flows.Options{Registry: nodes.All()})
			if err != nil {
				t.Fatal(err)
			}
			return ds
		},
	} {
		if ds := load(padded + "#"); codes(ds) != "too-large" || ds[0].Line != 1 || !strings.Contains(ds[0].Message, "1024 KiB") {
			t.Errorf("%s, one byte more: %v", name, ds)
		}
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "a.flow.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, ds, err := flows.Load(folder, flows.Options{Registry: nodes.All()})
	if err != nil || codes(ds) != "unreadable" || !strings.Contains(ds[0].Message, "directory") {
		t.Errorf("a folder called like a file: %v, %v", ds, err)
	}
}

func TestAllFlowFilesOfAFolderAreReadWhateverItIsCalled(t *testing.T) {
	for _, name := range []string{"app [old]", "app*", "a?p", `back\slash`, "[", "größe"} {
		folder := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, file := range []string{"b.flow.yaml", "c.flow.yml", "flow.yaml", "z.flow.yaml"} {
			want = append(want, filepath.Join(folder, file))
			text := strings.ReplaceAll("version: 1\nflows:\n  FLOW:\n    nodes:\n      in: {type: invoke.in, next: end}\n      end: {type: drop}\n", "FLOW", file[:1])
			if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		app, ds, err := flows.Load(folder, flows.Options{Registry: nodes.All()})
		if err != nil || len(ds) > 0 || !slices.Equal(app.Files, want) {
			t.Errorf("%s: %v, %v", name, ds, err)
		}
	}
}

func TestPathWithoutAFlowFile(t *testing.T) {
	folder := t.TempDir()
	for path, want := range map[string]string{folder: "holds no flow file", filepath.Join(folder, "none.yaml"): "there is no file"} {
		if _, _, err := flows.Load(path, flows.Options{Registry: nodes.All()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%s) = %v; want %q", path, err, want)
		}
	}
}

func TestDeepNestingEnds(t *testing.T) {
	for name, text := range map[string]string{
		"brackets": "version: 1\nname: " + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + "\n",
		"open":     "version: 1\nname: " + strings.Repeat("{a: ", 100_000),
		"dashes":   "version: 1\nname:\n  " + strings.Repeat("- ", 100_000) + "x\n",
		"block":    nested(1000),
	} {
		if _, ds := parse(text); len(ds) == 0 {
			t.Errorf("%s: nothing is wrong", name)
		}
	}
}

func nested(depth int) string {
	var b strings.Builder
	b.WriteString("version: 1\nname:\n")
	for i := range depth {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i+1))
	}
	return b.String()
}

func TestManyMistakesEnd(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(smallest)
	for i := 0; b.Len() < flows.MaxFileSize-100; i++ {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	_, ds := parse(b.String())
	if len(ds) < 50_000 {
		t.Errorf("%d diagnostics", len(ds))
	}
}

func TestDiamondsEnd(t *testing.T) {
	for _, end := range []string{"log, message: x", "http.response"} {
		var b strings.Builder
		b.WriteString("version: 1\nflows:\n  f:\n    nodes:\n      in: {type: http.in, method: GET, path: /, next: [a0, b0]}\n")
		const depth = 60
		for i := range depth {
			for _, side := range []string{"a", "b"} {
				fmt.Fprintf(&b, "      %s%d: {type: log, message: x, next: [a%d, b%d]}\n", side, i, i+1, i+1)
			}
		}
		fmt.Fprintf(&b, "      a%d: {type: %s}\n      b%d: {type: %s}\n", depth, end, depth, end)
		if _, ds := parse(b.String()); len(ds) == 0 {
			t.Errorf("diamonds that end in %s are right", end)
		}
	}
}

func TestMistakeAtTheEndOfALongLineIsFound(t *testing.T) {
	const size = 500_000
	for _, quote := range []string{"", `"`, "'"} {
		text := strings.Replace(smallest, "http.response}", "http.response, body: "+quote+strings.Repeat("é", size/2)+" ${{event.bdy}}"+quote+"}", 1)
		if quote == "" {
			text = strings.Replace(smallest, "{type: http.response}", "\n        type: http.response\n        body: "+strings.Repeat("x y ", size/4)+" ${{event.bdy}}", 1)
		}
		_, ds := parse(text)
		if codes(ds) != "expression" || !strings.HasPrefix(string([]rune(ds[0].Source)[ds[0].Column-1:]), "bdy}}") {
			t.Errorf("in quotes %q: %s, %d:%d", quote, codes(ds), ds[0].Line, ds[0].Column)
		}
	}
}

func TestASnippetShowsTheMistakeOfALongLineAndLittleAroundIt(t *testing.T) {
	text := strings.Repeat("ä", 5000) + "MISTAKE" + strings.Repeat("ö", 5000)
	for column, want := range map[int]string{1: "ä", 5001: "MISTAKE", 10_007: "ö"} {
		d := &flows.Diagnostic{Line: 3, Column: column, Length: len([]rune(want)), Source: text}
		line, under, _ := strings.Cut(d.Snippet(), "\n")
		at := strings.Index(under, "^")
		if runes := []rune(line); len(runes) > 300 || string(runes[at:at+len([]rune(want))]) != want {
			t.Errorf("column %d:\n%s\n%s", column, line, under)
		}
	}
}

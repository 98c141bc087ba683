package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The cases are text files, testdata/cases/SERVICE/*.txt, that read like the service's documentation:
//
//	=== name of a case, in words
//	Operation {"Request": "as JSON, on one line or several"}
//	=> {"Member": "that the reply must have"}
//	Operation {...}
//	! ErrorCode the message, whole or up to "..."
//
// A case called "setup" runs before each other one of its file. Lines that begin with # are comments.
//
// In an expected reply an object may have more members than are named; an array has exactly the elements that are
// written; null stands for a member that is not there; "*" is any value; "${=x}" is any text and calls it x for the
// requests and replies that follow in the case, where it is "${x}". ${url:Q} and ${arn:Q} are a queue's address, and
// ${table:T} a table's ARN. ${xN*C} is the character C N times.

// script is one case: a sequence of requests to a server that has nothing else in it.
type script struct {
	service, file, name string
	steps               []step
}

// step is one request and its expected outcome: a reply that has these members, or an error.
type step struct {
	line          int
	op, request   string
	reply         string // "" expects no more than success
	code, message string
}

func (s script) String() string { return s.service + "/" + s.file + ": " + s.name }

// loadScripts reads all cases of a service.
func loadScripts(t testing.TB, service string) []script {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "cases", service, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var all []script
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		scripts, err := parseScripts(string(text))
		if err != nil {
			t.Fatalf("%s:%v", path, err)
		}
		for _, s := range scripts {
			s.service, s.file = service, strings.TrimSuffix(filepath.Base(path), ".txt")
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		t.Fatalf("no cases of %s", service)
	}
	return all
}

var stepLine = regexp.MustCompile(`^([A-Z][A-Za-z]+) (\{.*)$`)

// parseScripts reads a file of cases; an error begins with the line's number.
func parseScripts(text string) ([]script, error) {
	var scripts []script
	var setup []step
	var current *script
	var continued *string
	names := map[string]bool{}
	for n, line := range strings.Split(text, "\n") {
		n++
		if name, ok := strings.CutPrefix(line, "=== "); ok {
			if names[name] {
				return nil, fmt.Errorf("%d: a second case %q", n, name)
			}
			names[name] = true
			scripts = append(scripts, script{name: name})
			current, continued = &scripts[len(scripts)-1], nil
			continue
		}
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if current == nil {
			return nil, fmt.Errorf("%d: a line before the first case", n)
		}
		var err error
		if continued, err = current.add(n, line, continued); err != nil {
			return nil, err
		}
	}
	var rest []script
	for _, s := range scripts {
		if s.name == "setup" {
			setup = s.steps
			continue
		}
		s.steps = append(append([]step{}, setup...), s.steps...)
		rest = append(rest, s)
	}
	return rest, nil
}

// add takes one line of a case and gives the text that an indented line after it continues.
func (s *script) add(n int, line string, continued *string) (*string, error) {
	if line[0] == ' ' || line[0] == '\t' {
		if continued == nil {
			return nil, fmt.Errorf("%d: nothing to continue", n)
		}
		*continued += " " + strings.TrimSpace(line)
		return continued, nil
	}
	if m := stepLine.FindStringSubmatch(line); m != nil {
		s.steps = append(s.steps, step{line: n, op: m[1], request: m[2]})
		return &s.steps[len(s.steps)-1].request, nil
	}
	if len(s.steps) == 0 {
		return nil, fmt.Errorf("%d: an outcome without a request", n)
	}
	last := &s.steps[len(s.steps)-1]
	if reply, ok := strings.CutPrefix(line, "=> "); ok {
		last.reply = reply
		return &last.reply, nil
	}
	if failure, ok := strings.CutPrefix(line, "! "); ok {
		last.code, last.message, _ = strings.Cut(failure, " ")
		return &last.message, nil
	}
	return nil, fmt.Errorf("%d: neither a request nor its outcome: %s", n, line)
}

func TestScriptsAreRead(t *testing.T) {
	got, err := parseScripts("=== setup\nMake {}\n=== one\n# why\nPut {\"a\":\n  1}\n=> {}\nPut {}\n! Bad it is\n\tbad\n")
	if err != nil || len(got) != 1 || len(got[0].steps) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if s := got[0].steps[1]; s.op != "Put" || s.request != `{"a": 1}` || s.reply != "{}" || s.line != 5 {
		t.Errorf("%+v", s)
	}
	if s := got[0].steps[2]; s.code != "Bad" || s.message != "it is bad" {
		t.Errorf("%+v", s)
	}
	for text, want := range map[string]string{
		"Put {}":                     "1: a line before the first case",
		"=== a\n=> {}":               "2: an outcome without a request",
		"=== a\nput":                 "2: an outcome without a request",
		"=== a\nPut {}\nget {}":      "3: neither a request nor its outcome: get {}",
		"=== a\n  b":                 "2: nothing to continue",
		"=== a\nPut {}\n=== a\nP {}": `3: a second case "a"`,
	} {
		if _, err := parseScripts(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

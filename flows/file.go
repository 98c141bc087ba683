package flows

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// MaxFileSize bounds a flow file, in bytes.
const MaxFileSize = 1 << 20

// IsFileName reports whether a folder's file of that name belongs to its app.
func IsFileName(name string) bool {
	for _, pattern := range []string{"flow.yaml", "flow.yml", "*.flow.yaml", "*.flow.yml"} {
		if fits, _ := path.Match(pattern, name); fits {
			return true
		}
	}
	return false
}

// file is one flow file.
type file struct {
	path  string // as the user named it
	lines []string
}

// at is a node of a file's YAML.
type at struct {
	file *file
	node *yaml.Node
}

func (a at) child(n *yaml.Node) at { return at{a.file, n} }

// has reports whether a mapping has the key.
func (a at) has(key string) bool {
	_, ok := a.get(key)
	return ok
}

// get is the value of a mapping's key.
func (a at) get(key string) (at, bool) {
	for i := 0; a.node.Kind == yaml.MappingNode && i+1 < len(a.node.Content); i += 2 {
		if a.node.Content[i].Value == key {
			return a.child(a.node.Content[i+1]), true
		}
	}
	return at{}, false
}

// names are the keys of the mapping at a key.
func (a at) names(key string) []string {
	m, ok := a.get(key)
	if !ok || m.node.Kind != yaml.MappingNode {
		return nil
	}
	var names []string
	for i := 0; i+1 < len(m.node.Content); i += 2 {
		names = append(names, m.node.Content[i].Value)
	}
	return names
}

// where is the place for error messages while running.
func (a at) where() string {
	return fmt.Sprintf("%s:%d:%d", a.file.path, a.node.Line, a.node.Column)
}

// paths finds the flow files that root means: the file itself, or a folder's
// *.flow.yaml files and flow.yaml.
func paths(root string) ([]string, error) {
	info, err := os.Stat(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file or folder %s", root)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{root}, nil
	}
	entries, err := os.ReadDir(root) // sorted; filepath.Glob would take a [ in the folder's own name for its
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		// A folder called flow.yaml may well be one; x.flow.yaml is a mistake.
		p, prefixed := filepath.Join(root, e.Name()), strings.Contains(e.Name(), ".flow.")
		if IsFileName(e.Name()) && (prefixed || isFile(p)) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s holds no flow file: name it flow.yaml or *.flow.yaml", root)
	}
	return found, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// read reads a file as YAML. The node is nil when that is not possible; the
// diagnostics say why.
func (l *loader) read(path string) (at, bool) {
	f := &file{path: path}
	if info, err := os.Stat(path); err == nil && info.Size() > MaxFileSize {
		l.add(f, 1, 1, 1, "too-large", fmt.Sprintf("the file is larger than %d KiB", MaxFileSize>>10), "split the app into several *.flow.yaml files in one folder")
		return at{}, false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		l.add(f, 1, 1, 1, "unreadable", readError(err), "")
		return at{}, false
	}
	return l.parse(f, data)
}

func readError(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return "cannot read the file: " + pe.Err.Error()
	}
	return "cannot read the file: " + err.Error()
}

func (l *loader) parse(f *file, data []byte) (at, bool) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	f.lines = strings.Split(lineEnds.Replace(text), "\n")
	if len(data) > MaxFileSize {
		l.add(f, 1, 1, 1, "too-large", fmt.Sprintf("the file is larger than %d KiB", MaxFileSize>>10), "split the app into several *.flow.yaml files in one folder")
		return at{}, false
	}
	if line, col, ok := notUTF8(f.lines); ok {
		l.add(f, line, col, 1, "syntax", "the file is not UTF-8 text here", "save it as UTF-8")
		return at{}, false
	}
	if line, col, ok := separator(f.lines); ok {
		l.add(f, line, col, 1, "syntax", "a character that some programs take for the end of a line", "remove it, or write it as \\u0085, \\u2028 or \\u2029 in double quotes")
		return at{}, false
	}
	decoder := yaml.NewDecoder(strings.NewReader(strings.Join(f.lines, "\n")))
	var doc yaml.Node
	if err := decoder.Decode(&doc); err != nil {
		if doc.Kind == 0 && strings.Contains(err.Error(), "EOF") {
			l.add(f, 1, 1, 1, "empty", "the file is empty", "begin with `version: 1`")
			return at{}, false
		}
		l.syntaxError(f, err)
		return at{}, false
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		l.add(f, 1, 1, 1, "empty", "the file is empty", "begin with `version: 1`")
		return at{}, false
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		l.add(f, second.Line, second.Column, 3, "second-document", "a second document begins here; only the first would count", "remove the `---`, or move it to a file of its own")
	} else if !strings.Contains(err.Error(), "EOF") {
		l.syntaxError(f, err)
	}
	root := at{f, doc.Content[0]}
	l.plain(root)
	return root, true
}

// lineEnds makes one of all ends of lines.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// separator finds one of the characters that end a line to YAML 1.1, and to
// few editors.
func separator(lines []string) (line, col int, found bool) {
	for i, s := range lines {
		if j := strings.IndexAny(s, "\u0085\u2028\u2029"); j >= 0 {
			return i + 1, utf8.RuneCountInString(s[:j]) + 1, true
		}
	}
	return 0, 0, false
}

func notUTF8(lines []string) (line, col int, found bool) {
	for i, s := range lines {
		if utf8.ValidString(s) {
			continue
		}
		for j, r := range s {
			if r == utf8.RuneError {
				if _, size := utf8.DecodeRuneInString(s[j:]); size == 1 {
					return i + 1, utf8.RuneCountInString(s[:j]) + 1, true
				}
			}
		}
	}
	return 0, 0, false
}

// syntaxError turns what the YAML library says, which has a line at best, into
// a place and an advice.
func (l *loader) syntaxError(f *file, err error) {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if n, rest, ok := strings.Cut(msg, ": "); ok && strings.HasPrefix(n, "line ") {
		if _, scanErr := fmt.Sscanf(n, "line %d", &line); scanErr == nil {
			msg = rest
		}
	}
	line = max(1, min(line, len(f.lines)))
	for i, s := range f.lines {
		if indent := s[:len(s)-len(strings.TrimLeft(s, " \t"))]; strings.Contains(indent, "\t") && strings.TrimSpace(s) != "" {
			l.add(f, i+1, strings.Index(s, "\t")+1, 1, "syntax", "a tab indents this line, which YAML does not allow", "indent with spaces")
			return
		}
	}
	// The library's line is that of the collection or text in which it failed,
	// or one less; what is wrong is there or further down.
	for _, slip := range slips(f.lines) {
		if slip.line+2 >= line {
			l.add(f, slip.line+1, slip.column+1, slip.length, "syntax", slip.message, slip.hint)
			return
		}
	}
	s := f.lines[line-1]
	col := utf8.RuneCountInString(s) - utf8.RuneCountInString(strings.TrimLeft(s, " ")) + 1
	l.add(f, line, col, max(1, utf8.RuneCountInString(strings.TrimSpace(s))), "syntax", "this is not valid YAML: "+msg, "look at the indentation, the quotes and the brackets up to here")
}

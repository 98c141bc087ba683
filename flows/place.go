package flows

import (
	"maps"
	"regexp"
	"slices"

	"gopkg.in/yaml.v3"
)

// Position is a place in a flow file. Line and Column count from 1, in
// characters.
type Position struct {
	File         string
	Line, Column int
}

// place is where a thing with a name stands: its name, and the keys inside it
// and their values by their paths.
type place struct {
	name         at
	keys, values map[string]at
}

// places are where everything of an app stands.
type places struct {
	order     map[string]int // of the files
	app       place
	flows     map[string]place
	nodes     map[[2]string]place
	resources map[string]place
	settings  map[string]place
	// reads are the names of the settings that each flow reads.
	reads map[string]set
}

func newPlaces(order map[string]int) *places {
	return &places{order: order, flows: map[string]place{}, nodes: map[[2]string]place{},
		resources: map[string]place{}, settings: map[string]place{}, reads: map[string]set{}}
}

// head keeps where the app's own keys stand; of several files, those of the
// first that says something.
func (p *places) head(root at, keys map[string]at) {
	if p.app.name.node != nil && len(keys) <= 1 {
		return
	}
	p.app = place{name: root.anchor(), keys: keys}
	if name, ok := keys["name"]; ok {
		p.app.name = name
	}
}

// at is where a key stands, else the nearest one around it, else the name.
func (p place) at(field string) at {
	for path := field; path != ""; path = around(path) {
		if a, ok := p.keys[path]; ok {
			return a
		}
	}
	return p.name
}

// Finding is something wrong in the whole of a checked app, such as a rule of
// the platform that it is packaged for. Field is a key of the node, with dots
// and indexes for what is inside ("retry.attempts"); "" is the node. With node
// "" it is a key of the flow, or the flow; with flow "" a key at the top of the
// file, or the app.
func (a *App) Finding(flow, node, field, code, message, hint string) *Diagnostic {
	p := a.places.app
	switch {
	case node != "":
		p = a.places.nodes[[2]string{flow, node}]
	case flow != "":
		p = a.places.flows[flow]
	}
	return a.finding(p, field, code, message, hint)
}

// ResourceFinding is something wrong with a key of a resource, or with field ""
// the resource.
func (a *App) ResourceFinding(name, field, code, message, hint string) *Diagnostic {
	return a.finding(a.places.resources[name], field, code, message, hint)
}

// SettingFinding is something wrong with a key of a setting, or with field ""
// the setting.
func (a *App) SettingFinding(name, field, code, message, hint string) *Diagnostic {
	return a.finding(a.places.settings[name], field, code, message, hint)
}

// Position is where the node of a flow begins; with node "" where the flow
// does.
func (a *App) Position(flow, node string) Position {
	d := a.Finding(flow, node, "", "", "", "")
	return Position{d.File, d.Line, d.Column}
}

func (a *App) finding(p place, field, code, message, hint string) *Diagnostic {
	at := p.at(field)
	if at.node == nil { // no such thing: the app is all that can be named
		at = a.places.app.name
	}
	d := &Diagnostic{File: at.file.path, Line: at.node.Line, Column: at.node.Column, Length: at.length(),
		Code: code, Message: message, Hint: hint, order: a.places.order[at.file.path]}
	if line := at.node.Line; line >= 1 && line <= len(at.file.lines) {
		d.Source = at.file.lines[line-1]
	}
	return d
}

// SettingsOf are the names of the settings that a flow reads, by itself or by
// the resources that it uses, sorted.
func (a *App) SettingsOf(flow string) []string {
	return slices.Sorted(maps.Keys(a.places.reads[flow]))
}

// ResourceSays reports whether the file gives a key of a resource, rather than
// leaves it to its default. Field is as in ResourceFinding.
func (a *App) ResourceSays(name, field string) bool {
	_, ok := a.places.resources[name].keys[field]
	return ok
}

// SettingsAt are the names of the settings that a key of a resource reads,
// sorted.
func (a *App) SettingsAt(resource, field string) []string {
	v, ok := a.places.resources[resource].values[field]
	if !ok {
		return nil
	}
	all := map[string]string{}
	for _, s := range a.Settings {
		all[s.Name] = s.Value
	}
	read := set{}
	settingsIn(v.node, all, read)
	return slices.Sorted(maps.Keys(read))
}

// envRead is `env` in an expression and which setting it reads; what stands
// between them may be white space and comments.
var envRead = regexp.MustCompile(`\benv` + gap + `(?:\??\.` + gap + `([A-Za-z_][A-Za-z0-9_]*)|(?:\?\.)?\[` + gap + `(?:"([^"\\]*)"|'([^'\\]*)'|` + "`([^`]*)`" + `|(\S)))`)

const gap = `(?:\s|/\*(?s:.*?)\*/|//.*\n)*`

// settingsIn collects the settings that the texts in a YAML node read: one at a
// time and by name, which is all that expressions can do. It may take a text for
// an expression, and takes an escaped name for all settings, but misses none.
func settingsIn(n *yaml.Node, all map[string]string, into set) {
	for _, m := range envRead.FindAllStringSubmatch(n.Value, -1) {
		if m[5] != "" {
			for s := range all {
				into[s] = true
			}
		}
		name := m[1] + m[2] + m[3] + m[4]
		if _, declared := all[name]; declared {
			into[name] = true
		}
	}
	for i, c := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			settingsIn(c, all, into)
		}
	}
}

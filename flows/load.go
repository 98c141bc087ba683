// Package flows is the file format: it reads flow files into a checked app that
// package engine runs. Every mistake that can be seen before the first message
// is a Diagnostic with its place in the file; all of them come at once. It is
// the only package that knows YAML.
package flows

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Version is the format version that this package reads.
const Version = 1

// Options say what a file is checked against.
type Options struct {
	Registry *engine.Registry
	// Env gives the values of the settings that the app declares; ok is false
	// for one that is not set. Nil leaves all to their defaults.
	Env func(name string) (v string, ok bool)
	// NeedEnv makes a setting with neither value nor default a mistake, as it
	// is when the app is to run.
	NeedEnv bool
	// Flows are those that are to run, so that NeedEnv asks only for the settings
	// that they read; none means all.
	Flows []string
}

// App is a checked app.
type App struct {
	Name, Doc string
	// Files are the paths it was read from.
	Files []string
	// Dir is the folder that paths in the file are relative to.
	Dir       string
	Settings  []Setting
	Resources []*Resource
	Flows     []*Flow

	schemas *schemaSet
	places  *places
}

// Setting is a declared environment variable.
type Setting struct {
	Name, Doc string
	// Value is what the environment gives, else the default.
	Value string
	// Given is false for a setting with neither.
	Given  bool
	Secret bool
}

// Resource is a declared queue, table, broker or the like. Config is a pointer
// to its type's config struct.
type Resource struct {
	Name   string
	Kind   *engine.Kind
	Config any
}

// Flow is a checked flow.
type Flow struct {
	*engine.FlowPlan
}

// Plan is what the engine builds: the flows named, or all.
func (a *App) Plan(only ...string) (*engine.Plan, error) {
	p := &engine.Plan{Name: a.Name, Dir: a.Dir}
	var names []string
	for _, f := range a.Flows {
		names = append(names, f.Name)
		if len(only) == 0 || slices.Contains(only, f.Name) {
			p.Flows = append(p.Flows, f.FlowPlan)
		}
	}
	for _, name := range only {
		if !slices.Contains(names, name) {
			hint := expr.Nearest(name, names)
			if hint == "" {
				hint = "it has " + strings.Join(names, ", ")
			}
			return nil, fmt.Errorf("the app has no flow %q; %s", name, hint)
		}
	}
	return p, nil
}

// Load reads the app at path: a file, or a folder of *.flow.yaml files that
// together are one app. The Diagnostics are empty or the app is nil. The error
// is for a path that cannot be read at all.
func Load(path string, o Options) (*App, Diagnostics, error) {
	files, err := paths(path)
	if err != nil {
		return nil, nil, err
	}
	l := newLoader(o)
	var roots []at
	for i, f := range files {
		l.order[f] = i
		root, ok := l.read(f)
		if ok {
			roots = append(roots, root)
		}
		l.partial = l.partial || !ok
	}
	dir := path
	if len(files) == 1 && files[0] == path {
		dir = filepath.Dir(path)
	}
	app := l.app(roots, dir)
	app.Files = files
	return l.result(app)
}

// Parse reads an app of one file that is given as text; name stands for it in
// diagnostics.
func Parse(name string, text []byte, o Options) (*App, Diagnostics) {
	l := newLoader(o)
	var roots []at
	if root, ok := l.parse(&file{path: name}, text); ok {
		roots = append(roots, root)
	}
	app, found, _ := l.result(l.app(roots, filepath.Dir(name)))
	return app, found
}

func newLoader(o Options) *loader { return &loader{o: o, order: map[string]int{}} }

func (l *loader) result(app *App) (*App, Diagnostics, error) {
	if len(l.found) > 0 {
		l.found.Sort()
		return nil, l.found, nil
	}
	return app, nil, nil
}

// loader is one load of an app.
type loader struct {
	o     Options
	order map[string]int
	found Diagnostics
	told  map[Diagnostic]bool
	// partial says that a file of the app cannot be read, so that nobody knows
	// what it declares.
	partial bool
	// bad are the YAML nodes that something was reported at, odd those that plain
	// has refused.
	bad, odd map[*yaml.Node]bool

	schemaSet *schemaSet
	env       map[string]string
	missing   []entry // settings without a value
	resources map[string]*resource
	// flowOf says in which flow a node is.
	flowOf map[string]string
}

type resource struct {
	*Resource
	at at
}

// document is the top level of a flow file. What has names of the author's own
// is decoded apart.
type document struct {
	Version int    `yaml:"version,required" doc:"The version of the format: 1."`
	Name    string `yaml:"name" doc:"The app's name, which names what is deployed."`
	Doc     string `yaml:"doc" doc:"What the app is for."`
}

var sections = []string{"env", "resources", "schemas", "flows"}

// name is what an author may call things, so that expressions can say it.
var nameRule = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (l *loader) app(roots []at, dir string) *App {
	app := &App{Dir: dir, places: newPlaces(l.order)}
	entries := map[string][]entry{}
	for _, root := range roots {
		l.documentHead(app, root)
		for _, s := range sections {
			entries[s] = append(entries[s], l.section(root, s)...)
		}
	}
	if app.Name == "" {
		if abs, err := filepath.Abs(dir); err == nil {
			app.Name = filepath.Base(abs)
		}
	}
	for _, s := range sections {
		entries[s] = l.unique(s, entries[s])
	}
	l.settings(app, entries["env"])
	l.declareSchemas(entries["schemas"])
	app.schemas = l.schemaSet
	l.declareResources(app, entries["resources"])
	l.flowOf = map[string]string{}
	for _, e := range entries["flows"] {
		for _, n := range e.at.names("nodes") {
			l.flowOf[n] = e.name
		}
	}
	graphs := make([]*graph, 0, len(entries["flows"]))
	for _, e := range entries["flows"] {
		g := l.flow(e)
		graphs = append(graphs, g)
		if g.plan != nil {
			app.Flows = append(app.Flows, &Flow{g.plan})
		}
		g.place(app.places)
	}
	l.needed(app.places.reads)
	l.conflicts(graphs)
	if len(entries["flows"]) == 0 && len(roots) > 0 && len(l.found) == 0 {
		l.wrong(roots[0].anchor(), "missing-key", "the app has no flows", "declare one: `flows: {hello: {nodes: {…}}}`")
	}
	return app
}

func (l *loader) documentHead(app *App, root at) {
	if root.node.Kind != yaml.MappingNode {
		l.wrong(root, "wrong-kind", fmt.Sprintf("a flow file is a mapping, this is %s", kindOf(root.node)), "begin with `version: 1`")
		return
	}
	d := l.decoder("the file")
	var doc document
	d.structure(valueOf(&doc), root, "", sections...)
	d.refuseLiterals()
	app.places.head(root, d.keys)
	if _, given := d.integer("version"); given && doc.Version != Version && len(l.found) == 0 {
		l.wrong(d.values["version"], "version", fmt.Sprintf("format version %d is not known to this flowctl", doc.Version), fmt.Sprintf("write `version: %d`, or use a newer flowctl", Version))
	}
	if doc.Name != "" {
		if app.Name != "" && app.Name != doc.Name {
			l.wrong(d.keys["name"], "duplicate-name", fmt.Sprintf("another file of this app is named %q", app.Name), "give all files of a folder one name, or only one of them a name")
		}
		app.Name = doc.Name
	}
	if doc.Doc != "" {
		app.Doc = doc.Doc
	}
}

// entry is a named thing of a section.
type entry struct {
	name string
	key  at
	at   at
}

func (l *loader) section(root at, name string) []entry {
	if root.node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(root.node.Content); i += 2 {
		k, v := root.child(root.node.Content[i]), root.child(root.node.Content[i+1])
		if k.node.Value != name {
			continue
		}
		if isEmpty(v.node) {
			l.wrong(k, "empty", fmt.Sprintf("%s has nothing in it", name), "write something below it, or remove the key")
			return nil
		}
		return l.entries(v, name)
	}
	return nil
}

func (l *loader) entries(v at, section string) []entry {
	if v.node.Kind != yaml.MappingNode {
		l.wrong(v, "wrong-kind", fmt.Sprintf("%s is a mapping of names, this is %s", section, kindOf(v.node)), "write `NAME:` and what belongs to it below")
		return nil
	}
	var out []entry
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		k := v.child(v.node.Content[i])
		if k.node.Kind != yaml.ScalarNode || k.node.Tag == "!!merge" {
			continue // reported already
		}
		if !nameRule.MatchString(k.node.Value) {
			hint := "use a to z, A to Z, 0 to 9 and _, and no digit first"
			if fixed := strings.ReplaceAll(k.node.Value, "-", "_"); nameRule.MatchString(fixed) {
				hint = fmt.Sprintf("write %s", fixed)
			}
			l.wrong(k, "bad-name", fmt.Sprintf("%q cannot be a name", k.node.Value), hint)
		}
		out = append(out, entry{k.node.Value, k, v.child(v.node.Content[i+1])})
	}
	return out
}

// unique drops what two files both declare, after reporting it. Twice in one
// file is a repeated key, which is reported elsewhere.
func (l *loader) unique(section string, list []entry) []entry {
	first := map[string]at{}
	var out []entry
	for _, e := range list {
		f, twice := first[e.name]
		if !twice {
			first[e.name] = e.key
			out = append(out, e)
			continue
		}
		if f.file != e.key.file {
			l.wrong(e.key, "duplicate-name", fmt.Sprintf("%s.%s is declared in another file of this app too", section, e.name), fmt.Sprintf("the first is at %s", f.where()))
		}
	}
	return out
}

// setting is the form of an env entry; a text alone is its default.
type setting struct {
	Doc     string `yaml:"doc" doc:"What the setting is for."`
	Default string `yaml:"default" doc:"The value where the environment gives none."`
	Secret  bool   `yaml:"secret" doc:"Keeps the value out of every log and file."`
}

func (l *loader) settings(app *App, list []entry) {
	l.env = map[string]string{}
	for _, e := range list {
		d := l.decoder("env." + e.name)
		var s setting
		hasDefault := false
		switch {
		case e.at.node.Kind == yaml.ScalarNode && isEmpty(e.at.node):
		case e.at.node.Kind == yaml.ScalarNode:
			s.Default, hasDefault = e.at.node.Value, true
			if holdsExpression(s.Default) {
				l.wrong(e.at, "expression", "this text "+notEvaluated, "write the text itself")
			}
		default:
			d.structure(valueOf(&s), e.at, "")
			_, hasDefault = d.keys["default"]
		}
		d.refuseLiterals()
		if s.Secret && s.Default != "" {
			l.wrong(d.values["default"], "bad-value", "a secret with its value in the file", "remove the default and give the value by the environment")
		}
		v, given := s.Default, hasDefault
		if l.o.Env != nil {
			if fromEnv, ok := l.o.Env(e.name); ok {
				v, given = fromEnv, true
			}
		}
		if !given && l.o.NeedEnv {
			l.missing = append(l.missing, e)
		}
		l.env[e.name] = v
		app.Settings = append(app.Settings, Setting{Name: e.name, Doc: s.Doc, Value: v, Given: given, Secret: s.Secret})
		app.places.settings[e.name] = place{e.key, d.keys, d.values}
	}
}

// needed reports the settings without a value that the flows to run read.
func (l *loader) needed(reads map[string]set) {
	for _, e := range l.missing {
		read := len(l.o.Flows) == 0
		for _, f := range l.o.Flows {
			read = read || reads[f][e.name]
		}
		if read {
			l.wrong(e.key, "missing-env", fmt.Sprintf("the setting %s has no value", e.name), fmt.Sprintf("set the environment variable %s, pass --set %s=…, or give it a default", e.name, e.name))
		}
	}
}

func (l *loader) declareSchemas(list []entry) {
	nodes, names := map[string]at{}, []string{}
	for _, e := range list {
		if isEmpty(e.at.node) {
			l.wrong(e.key, "empty", fmt.Sprintf("%s has nothing in it", e.name), "write JSON Schema below it, or remove it")
			continue
		}
		if e.at.node.Kind != yaml.MappingNode {
			l.wrong(e.at, "wrong-kind", fmt.Sprintf("a schema is a mapping, this is %s", kindOf(e.at.node)), "write JSON Schema, for example {type: object, properties: {…}}")
			continue
		}
		nodes[e.name] = e.at
		names = append(names, e.name)
	}
	l.schemaSet = l.schemas(nodes, names)
}

// resourceHead is what every resource takes.
type resourceHead struct {
	Type string `yaml:"type,required" doc:"The type of the resource, such as sqs.queue."`
	Doc  string `yaml:"doc" doc:"What the resource is for."`
}

func (l *loader) declareResources(app *App, list []entry) {
	l.resources = map[string]*resource{}
	for _, e := range list {
		typ, ok := l.typeOf(e, "resource", l.o.Registry.ResourceTypes())
		kind := l.o.Registry.Resource(typ)
		if !ok || kind == nil {
			l.resources[e.name] = nil // declared, but of no use
			continue
		}
		d := l.decoder(kind.Type)
		var head resourceHead
		config := kind.NewConfig()
		engine.SetDefaults(config)
		d.heads(&head, config, e.at)
		if l.sound(e.at.node) {
			d.report(kind.Check(config))
			for _, f := range kind.CheckName(config, e.name) {
				l.wrong(e.key, "config", f.Message, f.Hint)
			}
		}
		d.refuseLiterals()
		// A resource is there before any message: only env can be read.
		scope := &expr.Scope{Env: l.env, OnlyEnv: true}
		d.compileDefaults(config)
		if !l.partial {
			d.compile(scope)
		}
		r := &Resource{Name: e.name, Kind: kind, Config: config}
		app.Resources = append(app.Resources, r)
		l.resources[e.name] = &resource{Resource: r, at: e.at}
		app.places.resources[e.name] = place{e.key, d.keys, d.values}
	}
}

// typeOf reads the `type` of a node or resource; what else is wrong with the
// entry comes later.
func (l *loader) typeOf(e entry, what string, types []string) (string, bool) {
	if isEmpty(e.at.node) {
		l.wrong(e.key, "empty", fmt.Sprintf("%s has nothing in it", e.name), fmt.Sprintf("write `%s: {type: …}`, or remove it", e.name))
		return "", false
	}
	if e.at.node.Kind != yaml.MappingNode {
		l.wrong(e.at, "wrong-kind", fmt.Sprintf("a %s is a mapping, this is %s", what, kindOf(e.at.node)), "write {type: …}")
		return "", false
	}
	for i := 0; i+1 < len(e.at.node.Content); i += 2 {
		if k := e.at.node.Content[i]; k.Value != "type" {
			if name, _ := spaceless(k, e.at.node.Content[i+1]); name == "type" || k.Tag == "!!merge" {
				return "", false // reported already
			}
			continue
		}
		v := e.at.child(e.at.node.Content[i+1])
		if v.node.Kind != yaml.ScalarNode {
			l.wrong(v, "wrong-kind", fmt.Sprintf("the name of a %s type is needed here, got %s", what, kindOf(v.node)), "")
			return "", false
		}
		if !slices.Contains(types, v.node.Value) {
			hint := expr.Nearest(v.node.Value, types)
			switch {
			case what == "node" && l.o.Registry.Resource(v.node.Value) != nil:
				hint = "it is the type of a resource and belongs below `resources`"
			case what == "resource" && l.o.Registry.Node(v.node.Value) != nil:
				hint = "it is the type of a node and belongs into a flow"
			case hint == "":
				hint = "there are " + strings.Join(types, ", ")
			}
			l.wrong(v, "unknown-type", fmt.Sprintf("there is no %s type %q", what, v.node.Value), hint)
			return "", false
		}
		return v.node.Value, true
	}
	l.wrong(e.key, "missing-key", fmt.Sprintf("%s has no type", e.name), "add `type:` and one of "+strings.Join(types, ", "))
	return "", false
}

// reference resolves a config field that names a resource.
func (d *decoder) reference(p engine.Reference, a at) {
	name, ok := d.scalar(a, "the name of a resource")
	if !ok {
		return
	}
	text := fmt.Sprint(name)
	r, declared := d.resources[text]
	var fit, unknown []string
	for n, r := range d.resources {
		if r == nil {
			unknown = append(unknown, n)
		} else if r.Kind.Config == p.Config() {
			fit = append(fit, n)
		}
	}
	slices.Sort(fit)
	slices.Sort(unknown)
	switch {
	case !declared && d.partial:
	case !declared:
		hint := expr.Nearest(text, slices.Concat(fit, unknown))
		if hint == "" {
			hint = fmt.Sprintf("declare it: `resources: {%s: {type: %s}}`", text, d.resourceType(p))
		}
		d.wrong(a, "unknown-resource", fmt.Sprintf("there is no resource %q", text), hint)
	case r == nil: // its declaration is reported
	case r.Kind.Config != p.Config():
		hint := fmt.Sprintf("a %s is needed here", d.resourceType(p))
		if len(fit) > 0 {
			hint += ": " + strings.Join(fit, " or ")
		}
		d.wrong(a, "unknown-resource", fmt.Sprintf("the resource %q is a %s", text, r.Kind.Type), hint)
	default:
		p.Resolve(text, r.Config)
	}
}

func (d *decoder) resourceType(p engine.Reference) string {
	for _, t := range d.o.Registry.ResourceTypes() {
		if d.o.Registry.Resource(t).Config == p.Config() {
			return t
		}
	}
	return p.Config().String()
}

package flows_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes"
)

const (
	rightFiles   = "testdata/right"
	rightFolders = "testdata/right-folders"
)

func TestRightFilesLoad(t *testing.T) {
	for _, name := range named(t, rightFiles, suffix) {
		t.Run(name, func(t *testing.T) {
			app, ds, err := flows.Load(filepath.Join(rightFiles, name+suffix), flows.Options{Registry: nodes.All()})
			if err != nil || len(ds) > 0 {
				t.Fatalf("%v\n%v", err, ds)
			}
			if len(app.Flows) == 0 {
				t.Error("it has no flows")
			}
		})
	}
}

func TestFolderIsOneApp(t *testing.T) {
	app, ds, err := flows.Load(filepath.Join(rightFolders, "shop"), flows.Options{Registry: nodes.All()})
	if err != nil || len(ds) > 0 {
		t.Fatalf("%v\n%v", err, ds)
	}
	var names []string
	for _, f := range app.Flows {
		names = append(names, f.Name)
	}
	var resources []string
	for _, r := range app.Resources {
		resources = append(resources, r.Name)
	}
	if app.Name != "shop" || len(app.Files) != 4 || app.Dir != filepath.Join(rightFolders, "shop") ||
		!slices.Equal(names, []string{"take", "work"}) || !slices.Equal(resources, []string{"orders"}) {
		t.Errorf("name %q, files %v, dir %q, flows %v, resources %v", app.Name, app.Files, app.Dir, names, resources)
	}
}

func TestAppIsNamedAfterItsFolder(t *testing.T) {
	app, ds, err := flows.Load(filepath.Join(rightFiles, "smallest"+suffix), flows.Options{Registry: nodes.All()})
	if err != nil || len(ds) > 0 || app.Name != "right" {
		t.Errorf("%v, %v, %v", app, ds, err)
	}
}

// vocabulary is what the examples of the node types refer to.
const vocabulary = `version: 1
env: {MQTT_URL: "", MQTT_USER: user, MQTT_PASSWORD: password}
resources:
  orders: {type: sqs.queue}
  orders_fifo: {type: sqs.queue, fifo: true}
  drivers: {type: dynamodb.table, key: {area_code: S}}
  site: {type: mqtt.broker}
  news: {type: sns.topic}
  photos: {type: s3.bucket}
%s
schemas:
  Order: {type: object, additionalProperties: true}
flows:
  example:
    nodes:
%s
`

// indented is an example, which may be a mapping in braces or in block style,
// as the value of a key at column 6.
func indented(name, yaml string, by int) string {
	pad := strings.Repeat(" ", by)
	text := strings.TrimSpace(yaml)
	if strings.HasPrefix(text, "{") {
		return pad + name + ": " + text
	}
	return pad + name + ":\n" + pad + "  " + strings.ReplaceAll(text, "\n", "\n"+pad+"  ")
}

// withExample is an app with the example of a node type in its place: behind a
// suitable source, with what it leads to.
func withExample(kind *engine.Kind, example string) string {
	list := []string{indented("example", example, 6)}
	leads := func(name string) bool { return strings.Contains(example, name) }
	for _, target := range []string{"done", "other"} {
		if !leads(target) {
			continue
		}
		node := "{type: log, message: x}"
		if kind.Answered {
			node = "{type: http.response}"
		}
		list = append(list, "      "+target+": "+node)
	}
	switch {
	case kind.IsSource():
	case kind.Replies && kind.Answer == "invoke":
		list = append(list, "      in: {type: invoke.in, next: example}")
	case kind.Replies:
		list = append(list, "      in: {type: http.in, method: POST, path: /, next: example}")
	default:
		list = append(list, "      in: {type: sqs.in, queue: orders, next: example}")
	}
	return fmt.Sprintf(vocabulary, "", strings.Join(list, "\n"))
}

func TestExamplesOfAllNodeTypesLoad(t *testing.T) {
	registry := nodes.All()
	for _, typ := range registry.NodeTypes() {
		kind := registry.Node(typ)
		if len(kind.Examples) == 0 {
			t.Errorf("%s has no example", typ)
		}
		for i, e := range kind.Examples {
			t.Run(fmt.Sprintf("%s/%d", typ, i), func(t *testing.T) {
				text := withExample(kind, e.YAML)
				if _, ds := parse(text); len(ds) > 0 {
					t.Errorf("%v\nin\n%s", ds, text)
				}
				if e.Doc == "" {
					t.Error("it has no documentation")
				}
			})
		}
	}
}

func TestExamplesOfAllResourceTypesLoad(t *testing.T) {
	registry := nodes.All()
	for _, typ := range registry.ResourceTypes() {
		kind := registry.Resource(typ)
		if len(kind.Examples) == 0 {
			t.Errorf("%s has no example", typ)
		}
		for i, e := range kind.Examples {
			t.Run(fmt.Sprintf("%s/%d", typ, i), func(t *testing.T) {
				text := fmt.Sprintf(vocabulary, indented("example", e.YAML, 2), "      in: {type: sqs.in, queue: orders, next: out}\n      out: {type: drop}")
				if _, ds := parse(text); len(ds) > 0 {
					t.Errorf("%v\nin\n%s", ds, text)
				}
			})
		}
	}
}

// An example with a mistake in it must be noticed.
func TestExamplesAreJudged(t *testing.T) {
	registry := nodes.All()
	for typ, example := range map[string]string{"log": "{type: log, mesage: x}", "sqs.in": "type: sqs.in\nqueue: ordrs\nnext: done\n"} {
		if _, ds := parse(withExample(registry.Node(typ), example)); len(ds) != 1 {
			t.Errorf("%s: %v", example, ds)
		}
	}
}

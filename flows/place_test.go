package flows_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes"
)

const placed = `version: 1
name: shop
env:
  GREETING: {doc: What to say., default: hello}
  TOKEN: {secret: true}
  UNUSED: ""
  ORDERS_URL:
resources:
  orders:
    type: sqs.queue
    url: "${{ env.ORDERS_URL }}"
    dead_letter: {after: 3}
  site: {type: mqtt.broker, username: u, password: "${{ env['TOKEN'] }}"}
flows:
  take:
    timeout: 5s
    nodes:
      in: {type: http.in, method: POST, path: /orders, next: keep}
      keep:
        type: sqs.send
        queue: orders
        body: "${{ event.body }}"
        retry: {attempts: 3}
        next: out
      out: {type: http.response, body: "${{ env.GREETING + env?.UNUSED }}"}
  tell:
    nodes:
      in: {type: sqs.in, queue: orders, next: out}
      out: {type: mqtt.out, broker: site, topic: t, payload: "${{ event.body }}"}
  forms:
    nodes:
      in: {type: http.in, method: GET, path: /env, next: out}
      out:
        type: http.response
        headers: {x: "${{ env /* of the app */ . GREETING }}"}
        body: |
          env.UNUSED is read here: ${{ env["ORDERS_URL"] }}
  escaped:
    nodes:
      in: {type: http.in, method: GET, path: /escaped, next: out}
      out: {type: http.response, body: '${{ env["TOK\u0045N"] }}'}
`

func parsed(t *testing.T, text string) *flows.App {
	t.Helper()
	app, found := flows.Parse("shop.flow.yaml", []byte(text), flows.Options{Registry: nodes.All()})
	if len(found) > 0 {
		t.Fatal(found)
	}
	return app
}

func TestFindingStandsAtTheKeyItNamesOrTheNearestAroundIt(t *testing.T) {
	app := parsed(t, placed)
	for _, c := range []struct {
		about string
		found *flows.Diagnostic
		under string // the text at the finding's place
		line  int
	}{
		{"a node", app.Finding("take", "keep", "", "c", "m", "h"), "keep", 19},
		{"a key of a node", app.Finding("take", "keep", "queue", "c", "m", "h"), "queue", 21},
		{"a key inside a key", app.Finding("take", "keep", "retry.attempts", "c", "m", "h"), "attempts", 23},
		{"a key inside one that is there", app.Finding("take", "keep", "retry.backoff", "c", "m", "h"), "retry", 23},
		{"a key that is not there", app.Finding("take", "keep", "delay", "c", "m", "h"), "keep", 19},
		{"a key of a flow", app.Finding("take", "", "timeout", "c", "m", "h"), "timeout", 16},
		{"a flow", app.Finding("tell", "", "", "c", "m", "h"), "tell", 26},
		{"the app", app.Finding("", "", "", "c", "m", "h"), "name", 2},
		{"the app's name", app.Finding("", "", "name", "c", "m", "h"), "name", 2},
		{"a resource", app.ResourceFinding("site", "", "c", "m", "h"), "site", 13},
		{"a key of a resource", app.ResourceFinding("orders", "dead_letter.after", "c", "m", "h"), "after", 12},
		{"a setting", app.SettingFinding("TOKEN", "", "c", "m", "h"), "TOKEN", 5},
		{"a key of a setting", app.SettingFinding("TOKEN", "secret", "c", "m", "h"), "secret", 5},
		{"nothing of the app", app.Finding("nobody", "nothing", "", "c", "m", "h"), "name", 2},
	} {
		lines := strings.Split(placed, "\n")
		under := string([]rune(lines[c.found.Line-1])[c.found.Column-1:][:c.found.Length])
		if under != c.under || c.found.Line != c.line {
			t.Errorf("%s: %q on line %d, want %q on line %d", c.about, under, c.found.Line, c.under, c.line)
		}
		if c.found.File != "shop.flow.yaml" || c.found.Source != lines[c.found.Line-1] || c.found.Code != "c" || c.found.Message != "m" || c.found.Hint != "h" {
			t.Errorf("%s: %+v", c.about, c.found)
		}
	}
	if at := app.Position("take", "keep"); at != (flows.Position{File: "shop.flow.yaml", Line: 19, Column: 7}) {
		t.Errorf("keep stands at %v", at)
	}
}

func TestSettingsOfAFlowAreThoseThatItAndItsResourcesRead(t *testing.T) {
	app := parsed(t, placed)
	for flow, want := range map[string][]string{
		"take":    {"GREETING", "ORDERS_URL", "UNUSED"},
		"tell":    {"ORDERS_URL", "TOKEN"},
		"forms":   {"GREETING", "ORDERS_URL", "UNUSED"},
		"escaped": {"GREETING", "ORDERS_URL", "TOKEN", "UNUSED"},
	} {
		if got := app.SettingsOf(flow); !slices.Equal(got, want) {
			t.Errorf("%s reads %v, want %v", flow, got, want)
		}
	}
	if got := app.SettingsAt("orders", "url"); !slices.Equal(got, []string{"ORDERS_URL"}) {
		t.Errorf("the url reads %v", got)
	}
	if got := app.SettingsAt("orders", "name"); got != nil {
		t.Errorf("a key that is not there reads %v", got)
	}
}

func TestAppTellsWhatTheFileSays(t *testing.T) {
	app := parsed(t, placed)
	if !app.ResourceSays("orders", "dead_letter.after") || app.ResourceSays("orders", "visibility") {
		t.Error("the file gives dead_letter.after and no visibility")
	}
	given := map[string]bool{}
	for _, s := range app.Settings {
		given[s.Name] = s.Given
	}
	if !given["GREETING"] || !given["UNUSED"] || given["TOKEN"] || given["ORDERS_URL"] {
		t.Errorf("given are %v", given)
	}
}

func TestPositionsOfAFolderNameTheFile(t *testing.T) {
	app, ds, err := flows.Load(rightFolders+"/shop", flows.Options{Registry: nodes.All()})
	if err != nil || len(ds) > 0 {
		t.Fatal(err, ds)
	}
	for flow, file := range map[string]string{"take": "take.flow.yaml", "work": "work.flow.yaml"} {
		if at := app.Position(flow, ""); !strings.HasSuffix(at.File, file) {
			t.Errorf("%s stands in %s", flow, at.File)
		}
	}
}

func TestValuesAreNeededOfTheSettingsThatTheFlowsReadAlone(t *testing.T) {
	for _, c := range []struct {
		flows []string
		want  []string
	}{
		{nil, []string{"TOKEN", "ORDERS_URL"}},
		{[]string{"take"}, []string{"ORDERS_URL"}},
		{[]string{"take", "tell"}, []string{"TOKEN", "ORDERS_URL"}},
	} {
		_, found := flows.Parse("shop.flow.yaml", []byte(placed), flows.Options{Registry: nodes.All(), NeedEnv: true, Flows: c.flows})
		var got []string
		for _, d := range found {
			if d.Code != "missing-env" {
				t.Fatal(d)
			}
			got = append(got, strings.Fields(d.Message)[2])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("for %v the values of %v are missing, want %v", c.flows, got, c.want)
		}
	}
}

package conformance

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// serviceModel is what AWS publishes of an API with its SDK for Python.
type serviceModel struct {
	Operations map[string]struct {
		Input, Output *shapeRef
		Errors        []shapeRef
	}
	Shapes map[string]*modelShape
}

type shapeRef struct {
	Shape        string
	LocationName string
}

type modelShape struct {
	Type                string
	Members             map[string]shapeRef
	Required            []string
	Member, Key, Value  *shapeRef
	Enum                []string
	Error               *struct{ Code string }
	Exception, Document bool
}

// loadModel reads a service's model from the botocore that is installed.
func loadModel(t *testing.T, service string) *serviceModel {
	t.Helper()
	python := tool(t, "python3", "install Python 3 with botocore")
	out, err := exec.Command(python, "-c", "import botocore; print(botocore.__path__[0])").Output()
	if err != nil {
		t.Skip("botocore is not installed: pip install botocore")
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "data", service, "*", "service-2.json.gz"))
	if err != nil || len(paths) == 0 {
		t.Skipf("this botocore has no model of %s: %v", service, err)
	}
	f, err := os.Open(paths[len(paths)-1])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	m := &serviceModel{}
	if err := json.NewDecoder(z).Decode(m); err != nil {
		t.Fatal(err)
	}
	return m
}

// check says where a value is not of its shape, "" when nowhere.
func (m *serviceModel) check(path, name string, v any) string {
	s := m.Shapes[name]
	switch s.Type {
	case "structure":
		return m.checkStructure(path, s, v)
	case "list":
		list, ok := v.([]any)
		if !ok {
			return path + " is no list"
		}
		for i, e := range list {
			if wrong := m.check(fmt.Sprintf("%s[%d]", path, i), s.Member.Shape, e); wrong != "" {
				return wrong
			}
		}
	case "map":
		object, ok := v.(map[string]any)
		if !ok {
			return path + " is no map"
		}
		for _, key := range sortedKeys(object) {
			if wrong := m.check(path+"."+key, s.Value.Shape, object[key]); wrong != "" {
				return wrong
			}
		}
	case "string", "blob":
		text, ok := v.(string)
		if !ok {
			return path + " is no string"
		}
		if _, err := base64.StdEncoding.DecodeString(text); s.Type == "blob" && err != nil {
			return path + " is no base64"
		}
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
			return fmt.Sprintf("%s is %q, which is none of %s", path, text, s.Enum)
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			return path + " is no boolean"
		}
	default: // integer, long, float, double, timestamp
		if _, ok := v.(json.Number); !ok {
			return path + " is no number"
		}
	}
	return ""
}

// leftOutWhenEmpty are lists that the model of SQS requires and the service itself leaves out when they are empty.
var leftOutWhenEmpty = map[string]bool{"Successful": true, "Failed": true}

func (m *serviceModel) checkStructure(path string, s *modelShape, v any) string {
	object, ok := v.(map[string]any)
	if !ok {
		return path + " is no structure"
	}
	members := map[string]string{}
	for name, ref := range s.Members {
		if ref.LocationName != "" {
			name = ref.LocationName
		}
		members[name] = ref.Shape
	}
	for _, name := range s.Required {
		if _, ok := object[name]; !ok && !leftOutWhenEmpty[name] {
			return path + " lacks " + name
		}
	}
	for _, name := range sortedKeys(object) {
		shape, ok := members[name]
		if !ok {
			return path + "." + name + " is not in the model"
		}
		if wrong := m.check(path+"."+name, shape, object[name]); wrong != "" {
			return wrong
		}
	}
	return ""
}

// everyOperation are errors of the frameworks below the services, which any operation may have and no model lists.
var everyOperation = map[string]bool{
	"ValidationException": true, "SerializationException": true, "UnknownOperationException": true,
	"MissingRequiredParameterException": true, "InvalidParameterValueException": true,
	"AccessDeniedException": true,
}

// TestRepliesFitTheModelsOfAWS checks every reply of the cases against the published models: members, types, what is
// required, and that an operation has only the errors that it may have. Every operation that is offered must have a
// case, and every error of its model too, unless notShown says why not.
func TestRepliesFitTheModelsOfAWS(t *testing.T) {
	for _, service := range sortedKeys(services) {
		t.Run(service, func(t *testing.T) {
			m := loadModel(t, service)
			shown := map[string]bool{}
			for _, s := range loadScripts(t, service) {
				m.checkScript(t, s, shown)
			}
			m.checkCoverage(t, service, shown)
		})
	}
}

// checkScript plays a case and notes in shown each operation and each error of one.
func (m *serviceModel) checkScript(t *testing.T, s script, shown map[string]bool) {
	t.Helper()
	e, n := startOurs(t), names{}
	for _, step := range s.steps {
		request, err := n.fill(step.request, e.url)
		if err != nil {
			t.Fatalf("%s line %d: %v", s, step.line, err)
		}
		o, err := e.call(context.Background(), s.service, step.op, request)
		if err != nil {
			t.Fatal(err)
		}
		n.check(step, o, e.url)
		shown[step.op+" "+o.code] = true
		operation, known := m.Operations[step.op]
		switch {
		case !known:
			if o.code != "UnknownOperationException" {
				t.Errorf("%s line %d: the model has no %s", s, step.line, step.op)
			}
		case o.code != "":
			isError := func(ref shapeRef) bool { return ref.Shape == o.code }
			if !everyOperation[o.code] && !slices.ContainsFunc(operation.Errors, isError) {
				t.Errorf("%s line %d: the model of %s has no error %s", s, step.line, step.op, o.code)
			}
		case operation.Output == nil:
			if len(o.body) > 0 {
				t.Errorf("%s line %d: the model of %s has no reply, got %s", s, step.line, step.op, compact(o.body))
			}
		default:
			if wrong := m.check("reply", operation.Output.Shape, any(o.body)); wrong != "" {
				t.Errorf("%s line %d, %s: %s", s, step.line, step.op, wrong)
			}
		}
	}
}

func (m *serviceModel) checkCoverage(t *testing.T, service string, shown map[string]bool) {
	t.Helper()
	ours := startOurs(t)
	for _, op := range sortedKeys(m.Operations) {
		o, err := ours.call(context.Background(), service, op, "{}")
		if err != nil {
			t.Fatal(err)
		}
		if o.code == "UnknownOperationException" || o.code == "UnsupportedOperation" {
			continue
		}
		if !shown[op+" "] {
			t.Errorf("no case shows %s succeed", op)
		}
		for _, ref := range m.Operations[op].Errors {
			excused := slices.ContainsFunc(notShown, func(n unshown) bool { return n.covers(service, op, ref.Shape) })
			switch isShown := shown[op+" "+ref.Shape]; {
			case !isShown && !excused:
				t.Errorf("no case shows the error %s of %s, and notShown does not say why", ref.Shape, op)
			case isShown && excused:
				t.Errorf("a case shows the error %s of %s: take it out of notShown", ref.Shape, op)
			}
		}
	}
}

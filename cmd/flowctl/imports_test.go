package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/flowctl-dev/flowctl/"

// below says what of this module each part of it may import, beside itself; the
// first part that a package belongs to counts. So the engine knows no file format,
// no node knows another family, and nothing knows the commands.
var below = []struct {
	part   string
	allows []string
}{
	{"engine/value", nil},
	{"engine/expr", []string{"engine/value"}},
	{"engine", nil},
	{"flows", []string{"engine"}},
	{"nodes/awsclient", []string{"engine"}},
	{"nodes/events", []string{"engine"}},
	{"nodes/http", []string{"engine"}},
	{"nodes/logic", []string{"engine"}},
	{"nodes/mqtt", []string{"engine"}},
	{"nodes/dynamodb", []string{"engine", "nodes/awsclient"}},
	// sqs.in takes SNS messages and S3 events out of what EventBridge, SNS or S3
	// wrap around them.
	{"nodes/sqs", []string{"engine", "nodes/awsclient", "nodes/events/envelope"}},
	{"nodes", []string{"engine"}},
	// Of the engine the stand-ins use its guess at misspelt names.
	{"internal/local", []string{"engine/expr"}},
	{"internal/redact", nil},
	{"internal", []string{"engine", "flows", "nodes"}},
	{"cmd/bootstrap", []string{"engine", "flows", "nodes", "internal/lambda", "internal/redact"}},
	{"cmd/flowctl", []string{"engine", "flows", "nodes", "internal"}},
}

// keepers are the only packages that know a library.
var keepers = map[string]string{"gopkg.in/yaml.v3": "flows", "github.com/expr-lang/expr": "engine/expr"}

func within(pkg, part string) bool { return pkg == part || strings.HasPrefix(pkg, part+"/") }

func TestImportsPointOneWayAndNothingRegistersItself(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		seen++
		where, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			if name, err := strconv.Unquote(spec.Path.Value); err == nil && !mayImport(filepath.ToSlash(where), name) {
				t.Errorf("%s imports %s", path, name)
			}
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init: hand the registry on as a value", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 300 {
		t.Errorf("only %d files were looked at", seen)
	}
}

func mayImport(pkg, name string) bool {
	for library, keeper := range keepers {
		if within(name, library) {
			return within(pkg, keeper)
		}
	}
	own, ok := strings.CutPrefix(name, module)
	if !ok {
		return true
	}
	for _, b := range below {
		if !within(pkg, b.part) {
			continue
		}
		for _, part := range append(b.allows, b.part) {
			if within(own, part) {
				return true
			}
		}
		return false
	}
	return false
}

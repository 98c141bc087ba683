package pack

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flowctl-dev/flowctl/flows"
)

// Options say how an app is packaged.
type Options struct {
	// App is loaded without the environment of whoever packages it: the values
	// of its settings end up in the template as defaults. Lint has nothing to
	// say about it.
	App *flows.App
	// Flows are the names of those to package; none for all.
	Flows  []string
	Arch   Arch
	Format Format
	// Stage goes into names, tags and the places of secrets; it may be "".
	Stage string
	// Bootstrap is the program for Arch that runs the flows, see Bootstrap.
	Bootstrap []byte
	// Version is that of flowctl, for the manifest.
	Version string
}

// Package is a packaged app. All of it depends on the Options and the files of
// the app alone: not on the folder, the time or the machine.
type Package struct {
	// Name begins the names of files: that of the app and the stage.
	Name                    string
	Zip, Template, Manifest []byte
	Files                   []File
	LeftOut                 []LeftOut
	// Functions are the packaged flows in the order of the file.
	Functions []Function
	// Needed are the parameters of the template that must be given a value.
	Needed []string
	// Secrets are the parameters that say where secrets are kept, with their
	// defaults.
	Secrets []SecretPlace
	// Key is where in a bucket the zip of a plain template is looked for.
	Key string
}

// SecretPlace says where the value of a secret setting is looked for.
type SecretPlace struct{ Setting, Parameter, Default string }

// New packages an app.
func New(o Options) (*Package, error) {
	chosen, err := chosenFlows(o.App, o.Flows)
	if err != nil {
		return nil, err
	}
	files, left, err := collect(o.App)
	if err != nil {
		return nil, err
	}
	files = append(files, File{Name: "bootstrap", Data: o.Bootstrap, Program: true})
	p := &Package{Name: fileName(o.App.Name, o.Stage), Files: files, LeftOut: left}
	if p.Zip, err = writeZip(files); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(p.Zip)
	p.Key = p.Name + "/" + hex.EncodeToString(sum[:]) + ".zip"
	policies, err := Policies(o.App)
	if err != nil {
		return nil, err
	}
	t := newTemplate(o, chosen, policies, p)
	if p.Template, err = t.render(); err != nil {
		return nil, err
	}
	p.describe(t)
	p.Manifest, err = manifest(o, p, t)
	return p, err
}

func newTemplate(o Options, chosen []*flows.Flow, policies []Policy, p *Package) *template {
	t := &template{app: o.App, flows: chosen, format: o.Format, arch: o.Arch, stage: o.Stage, zip: p.Name + ".zip", key: p.Key,
		policies: map[string]Policy{}, ids: map[string]bool{}, settings: map[string]setting{}, places: map[string]place{}, secrets: map[string]secret{},
		timeouts: map[string]int{}, notifications: map[string][]notification{}, functionIDs: map[string]string{}}
	for _, policy := range policies {
		t.policies[policy.Flow] = policy
	}
	for _, f := range chosen {
		t.timeouts[f.Name] = int(min(FunctionTimeout(f.FlowPlan), longestTimeout) / time.Second)
	}
	return t
}

// describe says what the template asks of whoever deploys it.
func (p *Package) describe(t *template) {
	if t.format == CloudFormation {
		p.Needed = append(p.Needed, pCodeBucket)
	}
	for _, s := range t.app.Settings {
		if s := t.settings[s.Name]; s.needed {
			p.Needed = append(p.Needed, s.parameter)
		}
		if kept, ok := t.secrets[s.Name]; ok {
			p.Secrets = append(p.Secrets, SecretPlace{s.Name, kept.parameter, t.secretDefault(s.Name)})
		}
	}
	for _, f := range t.flows {
		p.Functions = append(p.Functions, t.describeFunction(f))
	}
}

func chosenFlows(app *flows.App, names []string) ([]*flows.Flow, error) {
	if _, err := app.Plan(names...); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(app.Flows), func(f *flows.Flow) bool {
		return len(names) > 0 && !slices.Contains(names, f.Name)
	}), nil
}

// fileName is an app's name as files and stacks can have it.
func fileName(app, stage string) string {
	if stage != "" {
		app += "-" + stage
	}
	name := strings.Join(strings.FieldsFunc(app, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}), "-")
	if name == "" || name[0] < 'A' {
		name = "app-" + name
	}
	return strings.TrimSuffix(name, "-")
}

// TemplateFile and ManifestFile are the names of the files that Write makes
// beside the zip.
const (
	TemplateFile = "template.yaml"
	ManifestFile = "manifest.json"
)

// ZipFile is the name of the zip.
func (p *Package) ZipFile() string { return p.Name + ".zip" }

// Write puts the package into a folder, which it makes if need be. Each file is
// there whole or not at all.
func (p *Package) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{p.ZipFile(), p.Zip}, {TemplateFile, p.Template}, {ManifestFile, p.Manifest}} {
		if err := writeFile(filepath.Join(dir, f.name), f.data); err != nil {
			return fmt.Errorf("writing %s: %w", filepath.Join(dir, f.name), err)
		}
	}
	return nil
}

func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".flowctl-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(data); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

package pack_test

import (
	"archive/zip"
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/pack"
	"github.com/flowctl-dev/flowctl/nodes"
)

// headOfProgram is the head of a program for Linux and nothing more.
func headOfProgram(machine elf.Machine) []byte {
	var b bytes.Buffer
	head := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Ehsize: 64}
	copy(head.Ident[:], []byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1})
	if err := binary.Write(&b, binary.LittleEndian, head); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func options(app *flows.App, format pack.Format) pack.Options {
	return pack.Options{App: app, Arch: pack.ARM64, Format: format, Bootstrap: headOfProgram(elf.EM_AARCH64), Version: "v1.2.3"}
}

func packaged(t testing.TB, o pack.Options) *pack.Package {
	t.Helper()
	if found := pack.Lint(o.App, o.Flows...); len(found) > 0 {
		t.Fatal(found)
	}
	p, err := pack.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// folder is a new folder with files, whose permissions and times are not those
// of other folders.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "taxi")
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func entries(t *testing.T, data []byte) *zip.Reader {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

const secured = `version: 1
name: secured
env: {PASSWORD: {secret: true}, CA_FILE: certs/ca.pem}
resources:
  broker:
    type: mqtt.broker
    url: mqtts://broker.example.com
    username: x
    password: "${{ env.PASSWORD }}"
    tls: {ca: "${{ env.CA_FILE }}", cert: certs/../certs/client.pem, key: /opt/client.key}
flows:
  f:
    nodes:
      in: {type: invoke.in, next: out}
      out: {type: mqtt.out, broker: broker, topic: t, qos: 1, payload: x}
`

func securedFiles() map[string]string {
	return map[string]string{"flow.yaml": secured, "certs/ca.pem": certificate, "certs/client.pem": certificate, "certs/other.pem": certificate}
}

func TestPackageIsTheSameWhereverItIsMade(t *testing.T) {
	taxi := readFile(t, "../../examples/taxi/flow.yaml")
	for name, files := range map[string]map[string]string{
		"taxi":    {"flow.yaml": taxi, "drivers.yaml": "- {}\n"},
		"secured": securedFiles(),
		"several": {"b.flow.yaml": taxi, "a.flow.yaml": "version: 1\nflows: {more: {nodes: {in: {type: invoke.in, next: l}, l: {type: log, message: x}}}}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			here := folder(t, files)
			first := packaged(t, options(loaded(t, here), pack.SAM))
			// Nothing of this may show.
			there := folder(t, files)
			write(t, filepath.Join(there, "notes.txt"), "x")
			write(t, filepath.Join(there, ".env"), "PASSWORD=x\n")
			t.Setenv("MQTT_URL", "mqtt://elsewhere")
			t.Setenv("TZ", "Asia/Tokyo")
			old := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
			for file := range files {
				path := filepath.Join(there, file)
				if err := os.Chmod(path, 0o400); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(path, old, old); err != nil {
					t.Fatal(err)
				}
			}
			defer syscall.Umask(syscall.Umask(0o077))
			t.Chdir(there)
			second := packaged(t, options(loaded(t, "."), pack.SAM))
			for what, pair := range map[string][2][]byte{"zip": {first.Zip, second.Zip}, "template": {first.Template, second.Template}, "manifest": {first.Manifest, second.Manifest}} {
				if !bytes.Equal(pair[0], pair[1]) {
					t.Errorf("the %ss differ", what)
				}
			}
		})
	}
}

func TestZipHoldsTheProgramTheFlowsAndTheCertificates(t *testing.T) {
	p := packaged(t, options(loaded(t, folder(t, securedFiles())), pack.SAM))
	type entry struct {
		mode fs.FileMode
		text string
	}
	want := map[string]entry{
		"bootstrap":        {0o755, string(headOfProgram(elf.EM_AARCH64))},
		"flow.yaml":        {0o644, secured},
		"certs/ca.pem":     {0o644, certificate},
		"certs/client.pem": {0o644, certificate},
	}
	z := entries(t, p.Zip)
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := (entry{f.Mode(), string(text)}); got != want[f.Name] {
			t.Errorf("%s: %v, want %v", f.Name, got, want[f.Name])
		}
		if f.CreatorVersion>>8 != 3 || len(f.Extra) > 0 || f.Comment != "" || !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: %+v", f.Name, f.FileHeader)
		}
	}
	if !slices.IsSorted(names) || len(names) != len(want) {
		t.Errorf("the entries are %v", names)
	}
}

func TestZipUnpacksToAnAppThatLoads(t *testing.T) {
	unzip, err := exec.LookPath("unzip")
	if err != nil {
		t.Skip("unzip is not installed")
	}
	// A file of a name of its own is found in a folder, too.
	dir := folder(t, map[string]string{"cab.yaml": readFile(t, "../../examples/taxi/flow.yaml"), "flow.yaml": "nothing", "drivers.yaml": "[]"})
	p := packaged(t, options(loaded(t, filepath.Join(dir, "cab.yaml")), pack.SAM))
	archive, task := filepath.Join(dir, "taxi.zip"), t.TempDir()
	write(t, archive, string(p.Zip))
	if out, err := exec.Command(unzip, "-q", archive, "-d", task).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if info, err := os.Stat(filepath.Join(task, "bootstrap")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("bootstrap: %v, %v", info, err)
	}
	if app := loaded(t, task); app.Name != "taxi" || len(app.Flows) != 2 {
		t.Errorf("%s has %d flows", app.Name, len(app.Flows))
	}
}

func TestWhatIsLeftOutIsSaidWithTheReason(t *testing.T) {
	files := map[string]string{"flow.yaml": readFile(t, "../../examples/taxi/flow.yaml")}
	for _, name := range []string{"drivers.yaml", ".env", ".env.local", "prod.env", "client.key", "id_rsa", "README.md", ".flowctl/sqs.db", ".git/config", "scripts/x.sh", "data/x"} {
		files[name] = "x"
	}
	p := packaged(t, options(loaded(t, folder(t, files)), pack.SAM))
	got := map[string]string{}
	for _, l := range p.LeftOut {
		got[l.Name], _, _ = strings.Cut(l.Why, " ")
	}
	want := map[string]string{"drivers.yaml": "seeds", ".env": "holds", ".env.local": "holds", "prod.env": "holds", "client.key": "looks", "id_rsa": "looks",
		"README.md": "the", ".flowctl": "the", "scripts": "the", "data": "the"}
	for name, why := range want {
		if got[name] != why {
			t.Errorf("%s: %q, want %q", name, got[name], why)
		}
	}
	if len(got) != len(want) {
		t.Errorf("left out are %v", p.LeftOut)
	}
	if names := entries(t, p.Zip).File; len(names) != 2 {
		t.Errorf("the zip has %d entries", len(names))
	}
}

func TestNothingOutsideOfTheAppsFolderIsPackaged(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"a path that leads out": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "..", "ca.pem"), certificate)
			write(t, filepath.Join(dir, "flow.yaml"), strings.Replace(secured, "certs/ca.pem", "../ca.pem", 1))
		}, "leads out of the app's folder"},
		"a link that leads out": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "..", "ca.pem"), certificate)
			replaceByLink(t, filepath.Join(dir, "certs", "ca.pem"), "../../ca.pem")
		}, "leads out of the app's folder"},
		"a flow file that is a link": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "..", "flow.yaml"), secured)
			replaceByLink(t, filepath.Join(dir, "flow.yaml"), "../flow.yaml")
		}, "leads out of the app's folder"},
		"a file that is not there": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "certs", "ca.pem")); err != nil {
				t.Fatal(err)
			}
		}, "tls.ca of the broker broker"},
		"a folder": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "certs", "ca.pem")); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "certs", "ca.pem", "x"), "x")
		}, "is not a file"},
		"a named pipe": {func(t *testing.T, dir string) {
			pipe := filepath.Join(dir, "certs", "ca.pem")
			if err := errors.Join(os.Remove(pipe), syscall.Mkfifo(pipe, 0o644)); err != nil {
				t.Fatal(err)
			}
		}, "is not a file"},
		"a private key": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "certs", "ca.pem"), "-----BEGIN RSA PRIVATE KEY-----\n")
		}, "holds a private key"},
		"a file that is too large": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "certs", "ca.pem"), strings.Repeat("x", 1<<20+1))
		}, "larger than 1024 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, securedFiles())
			c.spoil(t, dir)
			if _, err := pack.New(options(loaded(t, dir), pack.SAM)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	// A link that stays inside is as good as a file.
	dir := folder(t, securedFiles())
	replaceByLink(t, filepath.Join(dir, "certs", "ca.pem"), "other.pem")
	for _, f := range entries(t, packaged(t, options(loaded(t, dir), pack.SAM)).Zip).File {
		if !f.Mode().IsRegular() {
			t.Errorf("%s is %v", f.Name, f.Mode())
		}
	}
}

func replaceByLink(t *testing.T, path, to string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func TestNoSecretOfTheEnvironmentIsPackaged(t *testing.T) {
	const canary = "canary-7f3a91"
	dir := folder(t, securedFiles())
	t.Setenv("PASSWORD", canary)
	t.Setenv("FLOWCTL_SECRET_PASSWORD", canary)
	t.Setenv("AWS_SECRET_ACCESS_KEY", canary)
	write(t, filepath.Join(dir, ".env"), "PASSWORD="+canary+"\n")
	write(t, filepath.Join(dir, ".flowctl", "data"), canary)
	write(t, filepath.Join(dir, "certs", "client.key"), canary)
	for _, format := range []pack.Format{pack.SAM, pack.CloudFormation} {
		// Even a loader that was given the value must not show it.
		app, found, err := flows.Load(dir, flows.Options{Registry: nodes.All(), Env: os.LookupEnv})
		if err != nil || len(found) > 0 {
			t.Fatal(err, found)
		}
		p := packaged(t, options(app, format))
		out := t.TempDir()
		if err := p.Write(out); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{p.ZipFile(), pack.TemplateFile, pack.ManifestFile} {
			if strings.Contains(readFile(t, filepath.Join(out, name)), canary) {
				t.Errorf("%s (%s) shows the secret", name, format)
			}
		}
		for _, f := range p.Files {
			if bytes.Contains(f.Data, []byte(canary)) {
				t.Errorf("%s in the zip shows the secret", f.Name)
			}
		}
	}
}

func TestManifestSaysWhatIsInThePackage(t *testing.T) {
	app := loaded(t, "testdata/apps/everything")
	o := options(app, pack.CloudFormation)
	o.Stage = "test"
	p := packaged(t, o)
	var m pack.Manifest
	if err := json.Unmarshal(p.Manifest, &m); err != nil {
		t.Fatal(err)
	}
	if m.App != "every_thing" || m.Stage != "test" || m.Flowctl != "v1.2.3" || m.Architecture != pack.ARM64 || m.Zip.Size != len(p.Zip) || len(m.Zip.SHA256) != 64 {
		t.Errorf("%+v", m)
	}
	if len(m.Functions) != len(app.Flows) || len(m.Files) != 3 || strings.Contains(string(p.Manifest), "testdata") {
		t.Errorf("%s", p.Manifest)
	}
	work := m.Functions[1]
	if work.LogicalID != "WorkFunction" || work.Timeout != 127 || !slices.Equal(work.Environment, []string{"FLOWCTL_FLOW", "FLOWCTL_SECRET_TOKEN", "BROKER_URL", "FLOWCTL_RESOURCE_jobs", "FLOWCTL_RESOURCE_lossy"}) {
		t.Errorf("%+v", work)
	}
	if len(work.Sources) != 2 || work.Sources[0] != (pack.Source{Node: "jobs", Type: "sqs.in", Brings: "queue jobs"}) {
		t.Errorf("%+v", work.Sources)
	}
	var kept []string
	for _, f := range m.Functions {
		if slices.ContainsFunc(f.Permissions, func(p pack.Permission) bool { return p.FailedEvents }) {
			kept = append(kept, f.Flow)
		}
	}
	if want := []string{"clock", "told", "objects", "bus"}; !slices.Equal(kept, want) {
		t.Errorf("failed events are kept of %v, want those of flows that nobody waits for: %v", kept, want)
	}
	for _, parameter := range m.Parameters {
		if want := parameter.Setting == "REGION_CODE" || parameter.Setting == "BROKER_URL"; parameter.Needed != want {
			t.Errorf("%+v", parameter)
		}
		if want := parameter.Setting == "TOKEN" || parameter.Setting == "API_KEY"; parameter.Secret != want {
			t.Errorf("%+v", parameter)
		}
	}
}

func TestGivenBootstrapMustRunOnLambda(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		program []byte
		want    string
	}{
		"good":  {headOfProgram(elf.EM_AARCH64), ""},
		"other": {headOfProgram(elf.EM_X86_64), "is built for EM_X86_64 and --arch is arm64"},
		"text":  {[]byte("#!/bin/sh\n"), "no program for Linux"},
	} {
		file := filepath.Join(dir, name)
		write(t, file, string(c.program))
		got, err := pack.Bootstrap(t.Context(), pack.ARM64, file)
		if c.want == "" && (err != nil || !bytes.Equal(got, c.program)) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := pack.Bootstrap(t.Context(), pack.ARM64, filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there is taken")
	}
}

func TestBootstrapIsBuiltFromTheSourceAtHand(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles a program")
	}
	t.Setenv("GOAMD64", "v4")
	t.Setenv("GOARM64", "v9.0")
	processors := map[pack.Arch]debug.BuildSetting{pack.ARM64: {Key: "GOARM64", Value: "v8.0"}, pack.X86: {Key: "GOAMD64", Value: "v1"}}
	for _, arch := range []pack.Arch{pack.ARM64, pack.X86} {
		program, err := pack.Bootstrap(t.Context(), arch, "")
		if err != nil {
			t.Fatal(err)
		}
		if info, err := buildinfo.Read(bytes.NewReader(program)); err != nil || !slices.Contains(info.Settings, processors[arch]) {
			t.Errorf("%s: %v, %v; want %v", arch, info, err, processors[arch])
		}
		o := options(loaded(t, "../../examples/taxi"), pack.SAM)
		o.Arch, o.Bootstrap = arch, program
		p := packaged(t, o)
		if len(p.Zip) >= 8<<20 {
			t.Errorf("%s: the zip has %d bytes, 8 MiB or more", arch, len(p.Zip))
		}
		var m pack.Manifest
		if err := json.Unmarshal(p.Manifest, &m); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(m.Modules, func(m pack.Module) bool {
			return m.Path == "github.com/aws/aws-lambda-go" && m.Version != "" && m.Sum != ""
		}) {
			t.Errorf("the modules are %v", m.Modules)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pack.Bootstrap(ended, pack.ARM64, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := pack.Bootstrap(t.Context(), pack.ARM64, ""); err == nil || !strings.Contains(err.Error(), "--bootstrap FILE") {
		t.Errorf("without a toolchain: %v", err)
	}
}

func TestAppThatIsTooLargeForATemplateIsRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\nname: large\nflows:\n")
	for i := range 101 { // five resources each
		fmt.Fprintf(&b, "  f%d: {nodes: {i%d: {type: invoke.in, next: l%d}, l%d: {type: log, message: x}}}\n", i, i, i, i)
	}
	app := loaded(t, folder(t, map[string]string{"flow.yaml": b.String()}))
	o := options(app, pack.SAM)
	if _, err := pack.New(o); err == nil || !strings.Contains(err.Error(), "505 resources, and CloudFormation takes 500") {
		t.Errorf("%v", err)
	}
	o.Flows = []string{"f1", "f100"}
	if p := packaged(t, o); len(p.Functions) != 2 {
		t.Errorf("%d functions", len(p.Functions))
	}
}

package pack

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

const (
	modulePath    = "github.com/flowctl-dev/flowctl"
	bootstrapPath = modulePath + "/cmd/bootstrap"
)

// Embedded are the architectures whose bootstrap this program holds.
func Embedded() []Arch {
	var out []Arch
	for _, a := range []Arch{ARM64, X86} {
		if _, err := fs.Stat(embedded, embeddedName(a)); err == nil {
			out = append(out, a)
		}
	}
	return out
}

func embeddedName(a Arch) string { return "bootstrap/" + string(a) + ".gz" }

// goarch is Go's name of an architecture, and machine the one in the head of an
// executable.
func (a Arch) goarch() string {
	if a == X86 {
		return "amd64"
	}
	return "arm64"
}

func (a Arch) machine() elf.Machine {
	if a == X86 {
		return elf.EM_X86_64
	}
	return elf.EM_AARCH64
}

// Bootstrap is the program that runs a flow on AWS Lambda: the one in file if
// that is not "", else the embedded one, else one built with the Go toolchain.
// The error says what to do.
func Bootstrap(ctx context.Context, arch Arch, file string) ([]byte, error) {
	if file != "" {
		program, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		return program, arch.check(file, program)
	}
	if zipped, err := embedded.ReadFile(embeddedName(arch)); err == nil {
		r, err := gzip.NewReader(bytes.NewReader(zipped))
		if err != nil {
			return nil, fmt.Errorf("the embedded bootstrap: %w", err)
		}
		return io.ReadAll(r)
	}
	return compile(ctx, arch)
}

// check looks that a program can run on AWS Lambda at all.
func (a Arch) check(name string, program []byte) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("%s is no program for Linux (%w); build one with GOOS=linux GOARCH=%s", name, err, a.goarch())
	}
	if f.Machine != a.machine() {
		return fmt.Errorf("%s is built for %s and --arch is %s; build it with GOOS=linux GOARCH=%s, or give another --arch", name, f.Machine, a, a.goarch())
	}
	return nil
}

// buildFlags make the same program on every machine. lambda.norpc leaves out
// what only the old go1.x runtime needs, nethttpomithttp2 the HTTP/2 that no AWS
// service asks for.
var buildFlags = []string{"-trimpath", "-buildvcs=false", "-tags", "lambda.norpc,nethttpomithttp2", "-ldflags", "-s -w -buildid="}

// compile builds the bootstrap from the source at hand, or for a released
// flowctl from the module of its version.
func compile(ctx context.Context, arch Arch) ([]byte, error) {
	tool, err := exec.LookPath("go")
	if err != nil {
		return nil, errors.New("this flowctl was built without the bootstraps for AWS Lambda, and there is no Go toolchain to build one; use a flowctl built with `make build`, install Go from https://go.dev/dl, or give one with --bootstrap FILE")
	}
	dir, err := os.MkdirTemp("", "flowctl-bootstrap-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	// Code for the newest processors would not run on all that Lambda has.
	env := append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch.goarch(), "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=")
	if source := sourceFolder(ctx, tool); source != "" {
		out := filepath.Join(dir, "bootstrap")
		args := slices.Concat([]string{"build"}, buildFlags, []string{"-o", out, bootstrapPath})
		return output(ctx, exec.CommandContext(ctx, tool, args...), source, env, out)
	}
	version := moduleVersion()
	if version == "" {
		return nil, fmt.Errorf("this flowctl was built without the bootstraps for AWS Lambda, and neither is the folder here a checkout of %s; build flowctl with `make build`, run this inside the checkout, or give one with --bootstrap FILE", modulePath)
	}
	// `go install` of another platform's program goes below GOPATH only.
	cache, err := exec.CommandContext(ctx, tool, "env", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOMODCACHE: %w", err)
	}
	env = append(env, "GOPATH="+dir, "GOMODCACHE="+strings.TrimSpace(string(cache)), "GOBIN=")
	args := slices.Concat([]string{"install"}, buildFlags, []string{bootstrapPath + "@" + version})
	out := filepath.Join(dir, "bin", "linux_"+arch.goarch(), "bootstrap")
	if runtime.GOOS == "linux" && runtime.GOARCH == arch.goarch() {
		out = filepath.Join(dir, "bin", "bootstrap")
	}
	return output(ctx, exec.CommandContext(ctx, tool, args...), dir, env, out)
}

// output runs a build and reads what it made.
func output(ctx context.Context, build *exec.Cmd, dir string, env []string, file string) ([]byte, error) {
	build.Dir, build.Env = dir, env
	if said, err := build.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("building the bootstrap for AWS Lambda failed (%w); correct what it says, or give one with --bootstrap FILE:\n%s", err, bytes.TrimSpace(said))
	}
	return os.ReadFile(file)
}

// sourceFolder is where the module's source is: the checkout around the current
// folder, or the one that this program was built from; "" if there is none.
func sourceFolder(ctx context.Context, tool string) string {
	list := exec.CommandContext(ctx, tool, "list", "-m", "-f", "{{.Dir}}", modulePath)
	list.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off")
	if out, err := list.Output(); err == nil {
		if dir := strings.TrimSpace(string(out)); isFolder(filepath.Join(dir, "cmd", "bootstrap")) && dir != "" {
			return dir
		}
	}
	// With -trimpath this is no path of a file.
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	if filepath.IsAbs(file) && isFolder(filepath.Join(dir, "cmd", "bootstrap")) {
		return dir
	}
	return ""
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// moduleVersion is the released version of this program, "" for one that was
// built from a checkout.
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != modulePath || info.Main.Sum == "" {
		return ""
	}
	return info.Main.Version
}

// Module is a Go module that the bootstrap is made of.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"`
}

// modules are those linked into a program, sorted; none for a program that does
// not tell.
func modules(program []byte) []Module {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return nil
	}
	out := []Module{}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		out = append(out, Module{m.Path, m.Version, m.Sum})
	}
	slices.SortFunc(out, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	return out
}

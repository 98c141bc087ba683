package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxSize bounds the program, in bytes: what a cold start loads.
const maxSize = 16_000_000

// linked are the packages in the program.
func linked(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc,nethttpomithttp2", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 100 {
		t.Fatalf("only %d packages: %v", len(packages), packages)
	}
	return packages
}

func TestNothingOfTheCommandLineOrTheStandInsIsLinked(t *testing.T) {
	for _, p := range linked(t) {
		for _, banned := range []string{
			"github.com/flowctl-dev/flowctl/internal/local", "github.com/flowctl-dev/flowctl/internal/host", "github.com/flowctl-dev/flowctl/internal/pack",
			"github.com/flowctl-dev/flowctl/cmd/flowctl", "github.com/spf13/", "go.etcd.io/bbolt", "github.com/nats-io/", "testing",
			// What keeps the linker from leaving out unused methods.
			"net/rpc", "text/template", "html/template",
			// The credentials and services that only a person at a terminal needs.
			"github.com/aws/aws-sdk-go-v2/config", "github.com/aws/aws-sdk-go-v2/service/sso", "github.com/aws/aws-sdk-go-v2/service/sts",
		} {
			if p == banned || strings.HasPrefix(p, strings.TrimSuffix(banned, "/")+"/") {
				t.Errorf("%s is linked", p)
			}
		}
	}
}

// TestMakeBuildsTheProgramAnewWhenAPackageChanges holds the Makefile's sources of
// the bootstraps to what is linked: flowctl would package an old one.
func TestMakeBuildsTheProgramAnewWhenAPackageChanges(t *testing.T) {
	const module = "github.com/flowctl-dev/flowctl/"
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^BOOTSTRAP_SOURCES .*shell find ([a-z/ ]+) -name`).FindSubmatch(makefile)
	if found == nil {
		t.Fatal("the Makefile's BOOTSTRAP_SOURCES name no folders")
	}
	folders := strings.Fields(string(found[1]))
	for _, p := range linked(t) {
		p, own := strings.CutPrefix(p, module)
		if own && !slices.ContainsFunc(folders, func(f string) bool { return p == f || strings.HasPrefix(p, f+"/") }) {
			t.Errorf("%s is linked, and not in the Makefile's BOOTSTRAP_SOURCES", p)
		}
	}
}

func TestTheProgramIsSmallOnBothArchitectures(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program twice")
	}
	for _, arch := range []string{"arm64", "amd64"} {
		file := filepath.Join(t.TempDir(), "bootstrap")
		build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc,nethttpomithttp2", "-ldflags", "-s -w -buildid=", "-o", file, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", arch, err, out)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.2f MiB", arch, float64(info.Size())/(1<<20))
		if info.Size() >= maxSize {
			t.Errorf("%s: %d bytes, want less than %d; `go tool nm -size -sort size` shows what is large", arch, info.Size(), maxSize)
		}
	}
}

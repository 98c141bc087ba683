package lambdatest

import (
	"archive/zip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// pack runs `flowctl package` for this machine's processor and gives the folder
// of what it wrote.
func pack(t *testing.T, path string, env ...string) (dir, output string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command(flowctl.file(t), "package", path, "-o", dir, "--arch", "x86_64")
	cmd.Env = plainEnv(env...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("flowctl package: %v\n%s", err, text)
	}
	return dir, string(text)
}

// unpack writes a zip's files into a folder, as AWS Lambda does.
func unpack(t *testing.T, file string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, f.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAPackageHoldsNoSecret(t *testing.T) {
	t.Parallel()
	path := appWith(t, "testdata/secrets")
	for name, text := range map[string]string{".env": "SIGNING_KEY=" + canary("key"), "id.pem": "-----BEGIN PRIVATE KEY-----\n" + canaryCore, "notes.txt": canaryCore} {
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir, output := pack(t, path, "SIGNING_KEY="+canary("key"), "MQTT_PASSWORD="+canary("password"), "BROKER=mqtt://flow:"+canaryCore+"@broker.example.com")
	checkForCanaries(t, "the output of flowctl package", output)
	files := 0
	for _, from := range []string{dir, unpack(t, filepath.Join(dir, "secrets.zip"))} {
		err := filepath.WalkDir(from, func(file string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			text, err := os.ReadFile(file)
			checkForCanaries(t, filepath.Base(file), string(text))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 5 { // zip, template, manifest; flow file and bootstrap
		t.Errorf("only %d files were looked at", files)
	}
}

func TestWhatIsPackagedRunsAsItIs(t *testing.T) {
	t.Parallel()
	dir, _ := pack(t, "../../examples/taxi")
	root := unpack(t, filepath.Join(dir, "taxi.zip"))
	a, mqtt := deploy(t, load(t, "../../examples/taxi"))
	packed := &program{path: "bootstrap", build: func() (string, error) { return filepath.Join(root, "bootstrap"), nil }}
	hear := listen(t, mqtt, "testtopic")
	start := func(flow string) *function {
		return startFunction(t, functionOptions{program: packed, path: root, flow: flow, account: a, env: []string{"MQTT_URL=" + mqtt}})
	}
	requests, dispatch := start("request"), start("dispatch")
	_, stop := mapQueue(t, a, "passengers", 10, 1, dispatch)
	defer stop()
	ask := gateway(t, eventV2, func(string) *function { return requests })
	got := ask(request{method: "POST", path: "/passenger/request", header: [][2]string{{"Content-Type", "application/json"}},
		body: []byte(`{"areacode":"2331","name":"John","seat":"4"}`)})
	if got.status != 202 {
		t.Fatalf("answered with %s", got.line())
	}
	eventually(t, "the message is done", func() bool { return a.depth("passengers") == 0 })
	heard := hear.all("end")
	if len(heard) != 1 || heard[0] != (publication{"testtopic/4seater", `{"areacode":"2331","name":"John","seat":"4"}`}) {
		t.Errorf("published: %v", heard)
	}
}

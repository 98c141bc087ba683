package pack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	"github.com/flowctl-dev/flowctl/nodes/mqtt"
)

// File is a file of the zip. Names have slashes and begin at the folder of the
// app.
type File struct {
	Name string
	Data []byte
	// Program: the file is run, not read.
	Program bool
}

// LeftOut is a file or folder that is in the app's folder or named by the app
// and not in the zip.
type LeftOut struct{ Name, Why string }

// maxCertificate bounds a file with certificates; the largest bundles of
// authorities have a few hundred KiB.
const maxCertificate = 1 << 20

// collector gathers the files of a zip.
type collector struct {
	app   *flows.App
	root  *os.Root
	files []File
	left  []LeftOut
	known map[string]bool // what files or left names
}

// collect gathers an app's files. Nothing outside of the app's folder is read,
// by whichever way a name or a symbolic link leads there.
func collect(app *flows.App) ([]File, []LeftOut, error) {
	root, err := os.OpenRoot(app.Dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	c := &collector{app: app, root: root, known: map[string]bool{}}
	for _, f := range app.Files {
		if err := c.flowFile(f); err != nil {
			return nil, nil, err
		}
	}
	for _, r := range app.Resources {
		switch config := r.Config.(type) {
		case *mqtt.Broker:
			err = c.brokerFiles(r, config)
		case *dynamodb.Table:
			if config.Seed != "" {
				c.leave(config.Seed, "seeds a table of flowctl run; `flowctl table dump` there and `flowctl table load --aws` fill the deployed one")
			}
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if err := c.rest(); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(c.files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.left, func(a, b LeftOut) int { return strings.Compare(a.Name, b.Name) })
	return c.files, c.left, nil
}

// loneName is what an app's only file is called in the zip if its own name is
// not one by which a flow file is found in a folder.
const loneName = "flow.yaml"

func (c *collector) flowFile(file string) error {
	rel, err := filepath.Rel(c.app.Dir, file)
	if err != nil {
		return err
	}
	name := filepath.ToSlash(rel)
	data, err := c.read(name, flows.MaxFileSize)
	if err != nil {
		return err
	}
	c.known[name] = true
	if !flows.IsFileName(name) {
		name = loneName
	}
	c.files = append(c.files, File{Name: name, Data: data})
	return nil
}

// brokerFiles takes the certificates that a broker names. They are public;
// private keys are not, and stay where they are.
func (c *collector) brokerFiles(r *flows.Resource, b *mqtt.Broker) error {
	for _, f := range []struct {
		field string
		value *expr.Value[string]
	}{{"tls.ca", &b.TLS.CA}, {"tls.cert", &b.TLS.Cert}} {
		name := atPackaging(f.value)
		if name == "" || path.IsAbs(name) || c.known[path.Clean(name)] {
			continue // an absolute path is one on Lambda, such as of a layer
		}
		data, err := c.read(name, maxCertificate)
		if err != nil {
			return fmt.Errorf("%s of the broker %s: %w", f.field, r.Name, err)
		}
		if strings.Contains(string(data), "PRIVATE KEY-----") {
			return fmt.Errorf("%s of the broker %s: %s holds a private key, which is not packaged; keep certificates and keys in files of their own", f.field, r.Name, name)
		}
		c.known[path.Clean(name)] = true
		c.files = append(c.files, File{Name: path.Clean(name), Data: data})
	}
	if key := atPackaging(&b.TLS.Key); key != "" && !path.IsAbs(key) {
		c.leave(key, privateKey)
	}
	return nil
}

func (c *collector) read(name string, most int64) ([]byte, error) {
	// Opening a named pipe would wait for somebody to write.
	info, err := c.root.Stat(filepath.FromSlash(name))
	if err != nil {
		if pe := (*fs.PathError)(nil); errors.As(err, &pe) && strings.Contains(pe.Err.Error(), "escapes") {
			return nil, fmt.Errorf("%s leads out of the app's folder; move the file into it", name)
		}
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	f, err := c.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s is larger than %d KiB", name, most>>10)
	}
	return data, err
}

func (c *collector) leave(name, why string) {
	if name = path.Clean(filepath.ToSlash(name)); !c.known[name] {
		c.known[name] = true
		c.left = append(c.left, LeftOut{name, why})
	}
}

const privateKey = "looks like a private key, which belongs into a secret"

// rest says of everything else in the app's folder that it stays there.
func (c *collector) rest() error {
	entries, err := os.ReadDir(c.app.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case c.known[name] || e.IsDir() && c.knowsBelow(name):
		case name == ".flowctl":
			c.leave(name, "the data of flowctl run")
		case strings.HasPrefix(name, ".env") || strings.HasSuffix(name, ".env"):
			c.leave(name, "holds settings; give them as parameters when deploying")
		case strings.HasPrefix(name, ".") && e.IsDir():
		case flows.IsFileName(name):
			c.leave(name, "is not part of the app that was named")
		case slices.Contains([]string{".pem", ".key", ".p12", ".pfx", ".jks"}, filepath.Ext(name)) || strings.HasPrefix(name, "id_"):
			c.leave(name, privateKey)
		default:
			c.leave(name, "the flows do not name it")
		}
	}
	return nil
}

func (c *collector) knowsBelow(folder string) bool {
	for name := range c.known {
		if strings.HasPrefix(name, folder+"/") {
			return true
		}
	}
	return false
}

package events

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Bucket is the config of the resource s3.bucket.
type Bucket struct {
	Bucket     expr.Value[string] `yaml:"bucket" doc:"Name of a bucket that exists already. It may read env; empty text counts as not given. Nothing is created then."`
	BucketName string             `yaml:"name" doc:"Name of the bucket that the packaged app creates. Names are shared by all accounts of the world; without it, one is made from the names of app, stage and resource."`
}

var bucketKind = engine.DefineResource(engine.ResourceSpec[Bucket]{
	Type: "s3.bucket",
	Doc: `A bucket of Amazon S3. The packaged app creates it unless ` + "`bucket`" + ` is given.

There is no local stand-in for buckets: ` + "`flowctl invoke`" + ` hands events to the flows behind them.`,
	Check: (*Bucket).check,
	Examples: []engine.Example{
		{Doc: "A bucket of the app.", YAML: `{type: s3.bucket}`},
		{Doc: "A bucket that exists already.", YAML: `{type: s3.bucket, bucket: example-photos}`},
	},
})

// Outside is the name of a bucket that the author named and that the app does
// not create; "" when the bucket is the app's own. It may be called once the
// resource's expressions are compiled.
func (b *Bucket) Outside() (string, error) { return b.Bucket.Get(new(expr.Env)) }

// Name is the name that the author wants for a bucket of the app, "" where one
// is to be made up.
func (b *Bucket) Name() string { return b.BucketName }

// The length is compared beside the pattern, as in topicName.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]+[a-z0-9]$`)

func (b *Bucket) check() []engine.Finding {
	var found []engine.Finding
	for _, n := range []struct{ field, name string }{{"bucket", literal(&b.Bucket)}, {"name", b.BucketName}} {
		if n.name != "" && (len(n.name) > 63 || !bucketName.MatchString(n.name) || strings.Contains(n.name, "..")) {
			found = append(found, engine.Finding{Field: n.field, Message: fmt.Sprintf("%q cannot be the name of a bucket", n.name), Hint: "use 3 to 63 lower-case letters, digits, - and single dots"})
		}
	}
	if b.Bucket.Given() && b.BucketName != "" {
		found = append(found, engine.Finding{Field: "name", Message: "the bucket exists already", Hint: "give bucket for one that exists, or name for one of this app"})
	}
	return found
}

package events

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/events/envelope"
)

// S3In is the config of s3.in.
type S3In struct {
	Bucket engine.Ref[Bucket] `yaml:"bucket,required" doc:"The s3.bucket resource whose changes to take."`
	Events []string           `yaml:"events" doc:"Which changes to take, such as s3:ObjectCreated:* or s3:ObjectRemoved:Delete. Without it, s3:ObjectCreated:*."`
	Prefix string             `yaml:"prefix" doc:"Only objects whose key begins with this, such as incoming/ or year=2026/; as it is in the key, not encoded."`
	Suffix string             `yaml:"suffix" doc:"Only objects whose key ends in this, such as .jpg."`
}

var s3Kind = engine.Define(engine.Spec[S3In]{
	Type: "s3.in",
	Doc: `Takes the changes in an S3 bucket, which calls the packaged flow. A change that fails is brought again by Lambda, twice; after that it goes to the packaged app's
queue STACK-FLOW-failed. Where failed changes are to come again by themselves, let them go through a queue: sqs.in with ` + "`unwrap: s3`" + `.

` + "`event`" + ` has: ` + "`bucket`, `key`" + ` (decoded), ` + "`size`" + ` in bytes, ` + "`etag`, `version_id`, `sequencer`" + ` (what tells the order of two changes of one key), ` + "`name`" + ` (such as
ObjectCreated:Put), ` + "`time` and `region`" + `. What S3 did not say is null: size and etag of an object that is gone. A change may come twice, and later than the next one.

The test event that S3 sends when the notification is set up is taken without a run.

` + "`flowctl run`" + ` has no stand-in for buckets: there the source waits for nothing. ` + "`flowctl invoke`" + ` hands it the event of a change.`,
	Source:  newS3,
	Event:   func(*S3In) expr.Type { return envelope.ChangeType },
	Check:   (*S3In).check,
	Traits:  engine.Traits{Acknowledges: true},
	Trigger: (*S3In).trigger,
	Examples: []engine.Example{
		{Doc: "New objects.", YAML: `{type: s3.in, bucket: photos, next: done}`},
		{Doc: "Pictures that came or went.", YAML: "type: s3.in\nbucket: photos\nevents: [\"s3:ObjectCreated:*\", \"s3:ObjectRemoved:*\"]\nprefix: incoming/\nsuffix: .jpg\nnext: done\n"},
	},
})

const defaultEvents = "s3:ObjectCreated:*"

// changes are the names of what can happen, as the S3 user guide lists them
// under "Supported event types". Each group may be named whole with *.
var changes = []string{
	"s3:TestEvent", "s3:ReducedRedundancyLostObject",
	"s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
	"s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated",
	"s3:ObjectRestore:*", "s3:ObjectRestore:Post", "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete",
	"s3:Replication:*", "s3:Replication:OperationFailedReplication", "s3:Replication:OperationMissedThreshold",
	"s3:Replication:OperationReplicatedAfterThreshold", "s3:Replication:OperationNotTracked",
	"s3:LifecycleExpiration:*", "s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated", "s3:LifecycleTransition",
	"s3:IntelligentTiering", "s3:ObjectTagging:*", "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete", "s3:ObjectAcl:Put",
}

func (c *S3In) events() []string {
	if len(c.Events) == 0 {
		return []string{defaultEvents}
	}
	return c.Events
}

func (c *S3In) check() []engine.Finding {
	var found []engine.Finding
	for i, name := range c.Events {
		if slices.Contains(changes, name) {
			continue
		}
		hint := expr.Nearest(name, changes)
		if hint == "" {
			hint = "write for example s3:ObjectCreated:* or s3:ObjectRemoved:*"
		}
		found = append(found, engine.Finding{Field: fmt.Sprintf("events[%d]", i), Message: fmt.Sprintf("S3 has no event %q", name), Hint: hint})
	}
	for _, affix := range []struct{ field, text string }{{"prefix", c.Prefix}, {"suffix", c.Suffix}} {
		if strings.Contains(affix.text, "*") {
			found = append(found, engine.Finding{Field: affix.field, Message: "S3 compares it as it is, and * stands for itself", Hint: "leave the * out"})
		}
	}
	return found
}

func (c *S3In) trigger() engine.Trigger {
	return engine.BucketTrigger{Resource: c.Bucket.Name, Events: c.events(), Prefix: c.Prefix, Suffix: c.Suffix}
}

type s3Source struct {
	handed
	*S3In
	deps engine.Deps
}

var _ engine.Invoked = (*s3Source)(nil)

func newS3(c *S3In, d engine.Deps) (engine.Source, error) { return &s3Source{S3In: c, deps: d}, nil }

// Messages implements engine.Invoked.
func (s *s3Source) Messages(payload []byte) ([]*engine.Message, error) {
	all, err := envelope.ParseChanges(payload)
	if err != nil {
		return nil, wrongEvent(s.deps, "s3.in", err)
	}
	var out []*engine.Message
	for _, c := range all {
		if !s.takes(c) {
			return nil, wrongEvent(s.deps, "s3.in", envelope.Wrong("it takes %s, this is %s of %q", s.wanted(), c.Name(), c.Key()))
		}
		out = append(out, engine.NewMessage(expr.Fields(c.Fields()), c.Request()))
	}
	return out, nil
}

// wanted says which changes the source takes.
func (s *s3Source) wanted() string {
	text := strings.Join(s.events(), ", ")
	if s.Prefix != "" {
		text += fmt.Sprintf(" of keys that begin with %q", s.Prefix)
	}
	if s.Suffix != "" {
		text += fmt.Sprintf(" of keys that end in %q", s.Suffix)
	}
	return text
}

// takes reports whether S3 was asked to tell of the change.
func (s *s3Source) takes(c *envelope.Change) bool {
	if !strings.HasPrefix(c.Key(), s.Prefix) || !strings.HasSuffix(c.Key(), s.Suffix) {
		return false
	}
	return slices.ContainsFunc(s.events(), func(name string) bool {
		name = strings.TrimPrefix(name, "s3:")
		if group, whole := strings.CutSuffix(name, "*"); whole {
			return strings.HasPrefix(c.Name(), group)
		}
		return name == c.Name()
	})
}

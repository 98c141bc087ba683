package envelope

import (
	"net/url"
	"strings"

	"github.com/flowctl-dev/flowctl/engine/expr"
)

// testEvent is what S3 sends when a notification is set up.
const testEvent = "s3:TestEvent"

// Change is something that happened to an object of a bucket: a record of the
// "Event message structure" of the Amazon S3 user guide.
type Change struct {
	EventSource      string
	AWSRegion        string `json:"awsRegion"`
	EventTime        string
	EventName        string
	ResponseElements map[string]any
	S3               *struct {
		Bucket struct{ Name, ARN string }
		Object struct {
			Key       string
			Size      *int
			ETag      string
			VersionID string `json:"versionId"`
			Sequencer string
		}
	}
	key string // decoded
}

// ChangeType types Fields.
var ChangeType = expr.Object(map[string]expr.Type{
	"bucket": expr.String, "key": expr.String, "size": expr.Int, "etag": expr.String, "version_id": expr.String,
	"sequencer": expr.String, "name": expr.String, "time": expr.Time, "region": expr.String,
})

// ParseChanges reads a notification of S3. A test event, which S3 sends when the
// notification is set up, has no changes.
func ParseChanges(data []byte) ([]*Change, error) {
	const what = "an event of Amazon S3"
	var event struct {
		Event   string
		Records []*Change
	}
	if err := decode(data, &event, what); err != nil {
		return nil, err
	}
	if event.Event == testEvent {
		return nil, nil
	}
	for _, c := range event.Records {
		if c == nil || c.EventSource != "aws:s3" || c.S3 == nil {
			return nil, Wrong("it is not %s", what)
		}
		var err error
		if c.key, err = url.QueryUnescape(c.S3.Object.Key); err != nil {
			return nil, Wrong("the key %q of an object is not encoded as in a URL: %v", c.S3.Object.Key, err)
		}
	}
	if len(event.Records) == 0 {
		return nil, Wrong("it is not %s", what)
	}
	return event.Records, nil
}

// Bucket is the name of the bucket.
func (c *Change) Bucket() string { return c.S3.Bucket.Name }

// Key is the object's key, decoded.
func (c *Change) Key() string { return c.key }

// Name is what happened, such as ObjectCreated:Put.
func (c *Change) Name() string { return strings.TrimPrefix(c.EventName, "s3:") }

// Request is the id of the request that made the change, "" where S3 does not
// say.
func (c *Change) Request() string {
	id, _ := c.ResponseElements["x-amz-request-id"].(string)
	return id
}

// Fields are the change as ChangeType types it. Size and etag are null where the
// object is gone.
func (c *Change) Fields() map[string]any {
	o := &c.S3.Object
	fields := map[string]any{
		"bucket": c.S3.Bucket.Name, "key": c.key, "size": nil, "etag": orNull(o.ETag), "version_id": orNull(o.VersionID),
		"sequencer": orNull(o.Sequencer), "name": c.Name(), "time": instant(c.EventTime), "region": c.AWSRegion,
	}
	if o.Size != nil {
		fields["size"] = *o.Size
	}
	return fields
}

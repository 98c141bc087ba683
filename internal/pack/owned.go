package pack

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	"github.com/flowctl-dev/flowctl/nodes/events"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// addOwned adds the queues, tables, topics and buckets that the template makes.
func (t *template) addOwned() error {
	for _, r := range t.used() {
		p := t.places[r.Name]
		if p.id == "" {
			continue
		}
		switch c := r.Config.(type) {
		case *sqs.Queue:
			t.addQueue(r, p, c)
		case *dynamodb.Table:
			t.addTable(r, p, c)
		case *events.Topic:
			t.addTopic(r, p, c)
		case *events.Bucket:
			t.addBucket(r, p)
		default:
			return fmt.Errorf("resource %s: a template cannot make a %s", r.Name, r.Kind.Type)
		}
	}
	return nil
}

// longestVisibility is that of SQS.
const longestVisibility = 12 * time.Hour

// visibility is how long a queue hides a message, in seconds: what the file
// says, and six times the time that a function may work on it beside the time
// in which a batch comes together ("Using Lambda with Amazon SQS", configuring
// a queue), so that throttled batches are tried again before they come back.
func (t *template) visibility(r *flows.Resource, q *sqs.Queue) int {
	least := int(q.Visibility.Std() / time.Second)
	for _, f := range t.flows {
		for _, s := range triggersOf[engine.QueueTrigger](f) {
			if s.Resource == r.Name {
				least = max(least, 6*t.timeouts[f.Name]+int(s.Window.Std()/time.Second))
			}
		}
	}
	return min(least, int(longestVisibility/time.Second))
}

func (t *template) addQueue(r *flows.Resource, p place, q *sqs.Queue) {
	dead, target := "", any(nil)
	if to := deadLettersTo(t.app, r); to != nil {
		target = t.places[to.Name].arn
	} else if q.DeadLetterName(r.Name) != "" {
		dead = t.id(camel(r.Name) + "DeadLetterQueue")
		target = getAtt(dead, "Arn")
	}
	name, deadName := t.queueNames(r, q)
	properties := Map{{Key: "QueueName", Value: name}}
	properties = append(properties,
		Entry{Key: "VisibilityTimeout", Value: t.visibility(r, q)},
		Entry{Key: "MessageRetentionPeriod", Value: int(q.Retention.Std() / time.Second)},
		Entry{Key: "MaximumMessageSize", Value: int(q.MaxSize)})
	if q.Delay > 0 {
		properties = append(properties, Entry{Key: "DelaySeconds", Value: int(q.Delay.Std() / time.Second)})
	}
	properties = append(properties, queueKind(q)...)
	if target != nil {
		properties = append(properties, Entry{Key: "RedrivePolicy", Value: Map{{Key: "deadLetterTargetArn", Value: target}, {Key: "maxReceiveCount", Value: q.After()}}})
	}
	t.resource(p.id, "AWS::SQS::Queue", append(properties, t.tagList("")), Entry{Key: "DeletionPolicy", Value: "Delete"}, Entry{Key: "UpdateReplacePolicy", Value: "Delete"})
	if dead != "" {
		t.addDeadLetters(r, q, dead, name, deadName)
	}
	t.output(p.id+"Url", "URL of the queue "+r.Name+".", ref(p.id))
	t.addOldestParameter()
	t.alarm(camel(r.Name)+"AgeAlarm", "", "Messages wait in the queue "+r.Name+" longer than they should.", "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", queueDimension(p.id), ref(pOldest))
}

// addDeadLetters adds the dead-letter queue of a queue, which takes messages
// from that one only.
func (t *template) addDeadLetters(r *flows.Resource, q *sqs.Queue, id string, source, name any) {
	properties := Map{{Key: "QueueName", Value: name}, {Key: "MessageRetentionPeriod", Value: int(deadLettersKept / time.Second)}}
	properties = append(properties, queueKind(q)...)
	// The two queues name each other, which only works by name.
	text, ok := source.(string)
	if !ok {
		text = source.(Intrinsic).Arg.(string)
	}
	from := sub("arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:" + text)
	properties = append(properties, Entry{Key: "RedriveAllowPolicy", Value: Map{{Key: "redrivePermission", Value: "byQueue"}, {Key: "sourceQueueArns", Value: []any{from}}}})
	t.resource(id, "AWS::SQS::Queue", append(properties, t.tagList("")), Entry{Key: "DeletionPolicy", Value: "Delete"}, Entry{Key: "UpdateReplacePolicy", Value: "Delete"})
	t.output(id+"Url", "URL of the queue for messages of "+r.Name+" that failed too often.", ref(id))
	t.alarm(camel(r.Name)+"DeadLettersAlarm", "", "Messages of the queue "+r.Name+" failed too often and wait in its dead-letter queue.", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", queueDimension(id), 0)
}

// deadLettersKept is as long as SQS keeps a message.
const deadLettersKept = 14 * 24 * time.Hour

func queueDimension(id string) []any {
	return []any{Map{{Key: "Name", Value: "QueueName"}, {Key: "Value", Value: getAtt(id, "QueueName")}}}
}

func (t *template) addOldestParameter() {
	if !slices.ContainsFunc(t.parameters, func(e Entry) bool { return e.Key == pOldest }) {
		t.parameter(pOldest, "Age of the oldest message in a queue, in seconds, from which an alarm is raised.",
			Entry{Key: "Type", Value: "Number"}, Entry{Key: "Default", Value: 900}, Entry{Key: "MinValue", Value: 60})
	}
}

// queueNames are the names of a queue and of its dead-letter queue: those that
// the file gives, else made from the name of the stack.
func (t *template) queueNames(r *flows.Resource, q *sqs.Queue) (name, dead any) {
	if q.QueueName != "" {
		name = t.staged(q.Name(r.Name))
	} else {
		name = named(q.Name(r.Name))
	}
	if q.QueueName != "" || q.DeadLetter.Queue != "" {
		return name, t.staged(q.DeadLetterName(r.Name))
	}
	return name, named(q.DeadLetterName(r.Name))
}

// queueKind is what a queue and its dead-letter queue have in common.
func queueKind(q *sqs.Queue) Map {
	m := Map{{Key: "SqsManagedSseEnabled", Value: true}}
	if q.KMSKey != "" {
		m = Map{{Key: "KmsMasterKeyId", Value: q.KMSKey}}
	}
	if !q.IsFIFO() {
		return m
	}
	m = append(m, Entry{Key: "FifoQueue", Value: true}, Entry{Key: "ContentBasedDeduplication", Value: q.ContentDedup})
	if q.HighThroughput {
		m = append(m, Entry{Key: "DeduplicationScope", Value: "messageGroup"}, Entry{Key: "FifoThroughputLimit", Value: "perMessageGroupId"})
	}
	return m
}

var (
	retained        = []Entry{{Key: "DeletionPolicy", Value: "Retain"}, {Key: "UpdateReplacePolicy", Value: "Retain"}}
	pointInTime     = Entry{Key: "PointInTimeRecoverySpecification", Value: Map{{Key: "PointInTimeRecoveryEnabled", Value: true}}}
	encryptedAtRest = Entry{Key: "SSESpecification", Value: Map{{Key: "SSEEnabled", Value: true}}}
)

func (t *template) addTable(r *flows.Resource, p place, c *dynamodb.Table) {
	// A name of CloudFormation's own would let it put an empty table in the
	// place of this one when the key changes.
	var name any = named(r.Name)
	if c.TableName != "" {
		name = t.staged(c.TableName)
	}
	properties := Map{{Key: "TableName", Value: name}, {Key: "BillingMode", Value: "PAY_PER_REQUEST"},
		{Key: "AttributeDefinitions", Value: attributeDefinitions(c)}, {Key: "KeySchema", Value: keySchema(c.Key)}}
	for _, kind := range []struct {
		key   string
		local bool
	}{{"GlobalSecondaryIndexes", false}, {"LocalSecondaryIndexes", true}} {
		if list := indexes(c, kind.local); len(list) > 0 {
			properties = append(properties, Entry{Key: kind.key, Value: list})
		}
	}
	if c.TTL != "" {
		properties = append(properties, Entry{Key: "TimeToLiveSpecification", Value: Map{{Key: "AttributeName", Value: c.TTL}, {Key: "Enabled", Value: true}}})
	}
	t.resource(p.id, "AWS::DynamoDB::Table", append(properties, pointInTime, encryptedAtRest, t.tagList("")), retained...)
	t.output(p.id+"Name", "Name of the table "+r.Name+".", ref(p.id))
}

func keySchema(k dynamodb.KeySchema) []any {
	var out []any
	for i, a := range k.Attributes {
		out = append(out, Map{{Key: "AttributeName", Value: a.Name}, {Key: "KeyType", Value: []string{"HASH", "RANGE"}[i]}})
	}
	return out
}

// attributeDefinitions are the types of all attributes of keys.
func attributeDefinitions(c *dynamodb.Table) []any {
	keys := []dynamodb.KeySchema{c.Key}
	for _, x := range c.Indexes {
		keys = append(keys, x.Key)
	}
	var out []any
	seen := map[string]bool{}
	for _, k := range keys {
		for _, a := range k.Attributes {
			if !seen[a.Name] {
				seen[a.Name] = true
				out = append(out, Map{{Key: "AttributeName", Value: a.Name}, {Key: "AttributeType", Value: a.Type}})
			}
		}
	}
	return out
}

func indexes(c *dynamodb.Table, local bool) []any {
	var out []any
	for _, x := range c.Indexes {
		if x.Local != local {
			continue
		}
		projection := Map{{Key: "ProjectionType", Value: "ALL"}}
		switch x.Projection {
		case "keys_only":
			projection[0].Value = "KEYS_ONLY"
		case "include":
			projection = Map{{Key: "ProjectionType", Value: "INCLUDE"}, {Key: "NonKeyAttributes", Value: x.Include}}
		}
		out = append(out, Map{{Key: "IndexName", Value: x.Name}, {Key: "KeySchema", Value: keySchema(x.Key)}, {Key: "Projection", Value: projection}})
	}
	return out
}

func (t *template) addTopic(r *flows.Resource, p place, c *events.Topic) {
	var name any = named(r.Name)
	if c.TopicName != "" {
		name = t.staged(c.TopicName)
	}
	t.resource(p.id, "AWS::SNS::Topic", Map{{Key: "TopicName", Value: name}, t.tagList("")})
	t.output(p.id+"Arn", "ARN of the topic "+r.Name+".", ref(p.id))
}

func (t *template) addBucket(r *flows.Resource, p place) {
	properties := Map{
		{Key: "BucketName", Value: p.address},
		{Key: "PublicAccessBlockConfiguration", Value: Map{{Key: "BlockPublicAcls", Value: true}, {Key: "BlockPublicPolicy", Value: true}, {Key: "IgnorePublicAcls", Value: true}, {Key: "RestrictPublicBuckets", Value: true}}},
		{Key: "BucketEncryption", Value: Map{{Key: "ServerSideEncryptionConfiguration", Value: []any{Map{{Key: "ServerSideEncryptionByDefault", Value: Map{{Key: "SSEAlgorithm", Value: "AES256"}}}}}}}},
		{Key: "OwnershipControls", Value: Map{{Key: "Rules", Value: []any{Map{{Key: "ObjectOwnership", Value: "BucketOwnerEnforced"}}}}}},
	}
	var configurations []any
	var after []string
	for _, n := range t.notifications[r.Name] {
		after = append(after, n.permission)
		for _, event := range n.trigger.Events {
			configurations = append(configurations, append(Map{{Key: "Event", Value: event}, {Key: "Function", Value: getAtt(n.function, "Arn")}}, keyFilter(n.trigger)...))
		}
	}
	attributes := slices.Clone(retained)
	if len(configurations) > 0 {
		properties = append(properties, Entry{Key: "NotificationConfiguration", Value: Map{{Key: "LambdaConfigurations", Value: configurations}}})
		// S3 tries whether it may call the function when it gets the configuration.
		attributes = append(attributes, Entry{Key: "DependsOn", Value: after})
	}
	t.resource(p.id, "AWS::S3::Bucket", append(properties, t.tagList("")), attributes...)
	t.output(p.id+"Name", "Name of the bucket "+r.Name+".", ref(p.id))
}

func keyFilter(s engine.BucketTrigger) Map {
	var rules []any
	for _, rule := range []struct{ name, value string }{{"prefix", s.Prefix}, {"suffix", s.Suffix}} {
		if rule.value != "" {
			rules = append(rules, Map{{Key: "Name", Value: rule.name}, {Key: "Value", Value: filterValue(rule.value)}})
		}
	}
	if len(rules) == 0 {
		return nil
	}
	return Map{{Key: "Filter", Value: Map{{Key: "S3Key", Value: Map{{Key: "Rules", Value: rules}}}}}}
}

// filterValue is a part of a key as a filter of S3 wants it: encoded as the
// keys in its events are, with + for a space. As it is, year=2026/ would fit no
// object ("Configuring event notifications using object key name filtering").
func filterValue(text string) string {
	return strings.NewReplacer("%2F", "/", "~", "%7E").Replace(url.QueryEscape(text))
}

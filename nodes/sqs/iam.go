package sqs

import (
	"regexp"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
)

// iam is what sqs.send does: its batches need no action of their own (SQS
// Developer Guide, "Amazon SQS API permissions"), and the queue's address is
// given, so that it is not looked up.
func (c *Send) iam() []engine.Statement {
	return statements(c.Queue, []string{"sqs:SendMessage"}, "kms:Decrypt", "kms:GenerateDataKey")
}

// iam is what the event source mapping that polls the queue does with the
// function's role, and sqs.in when it changes the visibility itself (Lambda
// Developer Guide, "Configuring scaling behavior for SQS", permissions).
func (c *In) iam() []engine.Statement {
	return statements(c.Queue, []string{"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}, "kms:Decrypt")
}

func (c *In) trigger() engine.Trigger {
	return engine.QueueTrigger{Resource: c.Queue.Name, Batch: c.Batch}
}

// statements are those for a queue and, if it has one, the key that encrypts
// it, as "Key management" in the SQS Developer Guide lists them.
func statements(queue engine.Ref[Queue], actions []string, key ...string) []engine.Statement {
	out := []engine.Statement{{Actions: actions, Resource: queue.Name}}
	if arn := queue.Resource.keyARN(); arn != "" {
		out = append(out, engine.Statement{Actions: key, ARN: arn})
	}
	return out
}

// managedKey is the alias of the key that SQS manages itself: its policy lets
// in whoever may use the queue.
const managedKey = "alias/aws/sqs"

// keyARN is the ARN of the queue's key, "" if it needs no permission or the
// file gives only an alias, which no permission can be written for.
func (q *Queue) keyARN() string {
	switch {
	case q.KMSKey == "" || strings.Contains(q.KMSKey, "alias/"):
		return ""
	case strings.HasPrefix(q.KMSKey, "arn:"):
		return q.KMSKey
	}
	region, account := "${AWS::Region}", "${AWS::AccountId}"
	// A queue is encrypted by a key of its own region.
	if at, err := q.Outside(); err == nil {
		if m := regionalURL.FindStringSubmatch(at); m != nil {
			region, account = m[1], m[2]
		}
	}
	return "arn:${AWS::Partition}:kms:" + region + ":" + account + ":key/" + q.KMSKey
}

var regionalURL = regexp.MustCompile(`^https://sqs(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([0-9]{12})/`)

// KeyAlias is the alias by which the file names the queue's key, "" if it names
// none or does so by id or ARN, or if the key is the one that SQS manages. A
// permission is given on a key: for an alias none can be written, as it may
// stand for another key tomorrow.
func (q *Queue) KeyAlias() string {
	alias := q.KMSKey
	if i := strings.Index(alias, ":alias/"); i >= 0 && strings.HasPrefix(alias, "arn:") {
		alias = alias[i+1:]
	}
	if !strings.HasPrefix(alias, "alias/") || alias == managedKey {
		return ""
	}
	return alias
}

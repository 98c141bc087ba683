package lambdatest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	dynamosdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	sqssdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/local"
	"github.com/flowctl-dev/flowctl/nodes"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// account is the SQS and DynamoDB that one side of a comparison works on.
type account struct {
	t        testing.TB
	endpoint string
	app      *flows.App
	sqs      *sqssdk.Client
	dynamodb *dynamosdk.Client
}

func load(t testing.TB, path string) *flows.App {
	t.Helper()
	app, found, err := flows.Load(path, flows.Options{Registry: nodes.All()})
	if err != nil || len(found) > 0 {
		t.Fatal(err, found)
	}
	return app
}

func newAccount(t testing.TB, app *flows.App, endpoint string) *account {
	who := credentials.NewStaticCredentialsProvider("local", "local", "")
	return &account{t: t, endpoint: endpoint, app: app,
		sqs:      sqssdk.New(sqssdk.Options{BaseEndpoint: &endpoint, Region: local.Region, Credentials: who}),
		dynamodb: dynamosdk.New(dynamosdk.Options{BaseEndpoint: &endpoint, Region: local.Region, Credentials: who})}
}

// deploy starts stand-ins and makes an app's queues and tables in them, as the
// template of the packaged app does in an account. The broker is at mqtt.
func deploy(t testing.TB, app *flows.App) (a *account, mqtt string) {
	t.Helper()
	l, err := local.Start(t.Context(), local.Options{Dir: t.TempDir(), AWSAddr: "127.0.0.1:0", MQTTAddr: "127.0.0.1:0",
		Relaxed: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("closing the stand-ins: %v", err)
		}
	})
	a = newAccount(t, app, l.AWSEndpoint())
	for _, r := range app.Resources {
		switch c := r.Config.(type) {
		case *sqs.Queue:
			_, err = sqs.Create(t.Context(), a.sqs, r.Name, c)
		case *dynamodb.Table:
			err = a.createTable(r.Name, c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return a, "mqtt://" + l.MQTTAddr()
}

func (a *account) createTable(resource string, c *dynamodb.Table) error {
	name := c.Name(resource)
	if _, err := dynamodb.Create(a.t.Context(), a.dynamodb, name, c); err != nil || c.Seed == "" {
		return err
	}
	items, err := a.app.Items(c.Seed)
	if err != nil {
		return err
	}
	return dynamodb.Seed(a.t.Context(), a.dynamodb, name, items)
}

// addresses are the resources' addresses by their names, as the template puts
// them into a function's environment.
func (a *account) addresses() map[string]string {
	all := map[string]string{}
	for _, r := range a.app.Resources {
		switch c := r.Config.(type) {
		case *sqs.Queue:
			all[r.Name] = a.queueURL(c.Name(r.Name))
		case *dynamodb.Table:
			all[r.Name] = c.Name(r.Name)
		}
	}
	return all
}

func (a *account) queueURL(name string) string {
	return a.endpoint + "/" + local.Account + "/" + name
}

// queues are the names of the app's queues, dead of those behind them.
func (a *account) queues() (names, dead []string) {
	for _, r := range a.app.Resources {
		if q, ok := r.Config.(*sqs.Queue); ok {
			names = append(names, q.Name(r.Name))
			dead = append(dead, q.DeadLetterName(r.Name))
		}
	}
	return names, dead
}

// send puts a message into a queue; group is empty for a standard queue.
func (a *account) send(queue, group, id, body string) {
	a.t.Helper()
	in := &sqssdk.SendMessageInput{QueueUrl: aws.String(a.queueURL(queue)), MessageBody: &body}
	if group != "" {
		in.MessageGroupId, in.MessageDeduplicationId = &group, &id
	}
	if id != "" {
		in.MessageAttributes = map[string]sqstypes.MessageAttributeValue{
			"number": {DataType: aws.String("String"), StringValue: &id},
			"bytes":  {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 254, 255}},
		}
	}
	if _, err := a.sqs.SendMessage(a.t.Context(), in); err != nil {
		a.t.Fatal(err)
	}
}

// depth counts a queue's messages, those in flight included.
func (a *account) depth(queue string) int {
	a.t.Helper()
	out, err := a.sqs.GetQueueAttributes(a.t.Context(), &sqssdk.GetQueueAttributesInput{QueueUrl: aws.String(a.queueURL(queue)),
		AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll}})
	if err != nil {
		a.t.Fatal(err)
	}
	n := 0
	for _, key := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		var part int
		if _, err := fmt.Sscan(out.Attributes[key], &part); err != nil {
			a.t.Fatalf("%s is %q", key, out.Attributes[key])
		}
		n += part
	}
	return n
}

// letter is a message that was taken from a queue. receives leaves those out
// that took it.
type letter struct {
	body, group string
	receives    int
}

// drain takes all messages of a queue. The reply of a receive can get lost, on a
// busy machine even here; its messages then come again, with a receive more.
func (a *account) drain(queue string) (all []letter) {
	a.t.Helper()
	url := a.queueURL(queue)
	for taken := 1; ; {
		out, err := a.sqs.ReceiveMessage(a.t.Context(), &sqssdk.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, VisibilityTimeout: 5,
			MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"All"}, WaitTimeSeconds: int32(taken - 1)})
		if err != nil {
			a.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			if a.depth(queue) == 0 {
				return all
			}
			taken = 2
		}
		for _, m := range out.Messages {
			receives, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
			if err != nil {
				a.t.Fatal(err)
			}
			all = append(all, letter{*m.Body, m.Attributes["MessageGroupId"], receives - taken})
			if _, err := a.sqs.DeleteMessage(a.t.Context(), &sqssdk.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				a.t.Fatal(err)
			}
		}
	}
}

// tables gives every item of the app's tables as a line of JSON.
func (a *account) tables() (lines []string) {
	a.t.Helper()
	for _, r := range a.app.Resources {
		c, ok := r.Config.(*dynamodb.Table)
		if !ok {
			continue
		}
		pages := dynamosdk.NewScanPaginator(a.dynamodb, &dynamosdk.ScanInput{TableName: aws.String(c.Name(r.Name))})
		for pages.HasMorePages() {
			page, err := pages.NextPage(a.t.Context())
			if err != nil {
				a.t.Fatal(err)
			}
			for _, item := range page.Items {
				lines = append(lines, "table "+r.Name+": "+itemText(a.t, item))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func itemText(t testing.TB, item map[string]dynamotypes.AttributeValue) string {
	t.Helper()
	tagged := map[string]string{}
	for name, v := range item {
		tagged[name] = strings.TrimPrefix(fmt.Sprintf("%T ", v), "*types.AttributeValueMember") + attributeText(v)
	}
	text, err := json.Marshal(tagged)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func attributeText(v dynamotypes.AttributeValue) string {
	switch v := v.(type) {
	case *dynamotypes.AttributeValueMemberS:
		return v.Value
	case *dynamotypes.AttributeValueMemberN:
		return v.Value
	case *dynamotypes.AttributeValueMemberBOOL:
		return fmt.Sprint(v.Value)
	case *dynamotypes.AttributeValueMemberL:
		var parts []string
		for _, e := range v.Value {
			parts = append(parts, attributeText(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case *dynamotypes.AttributeValueMemberM:
		var parts []string
		for name, e := range v.Value {
			parts = append(parts, name+"="+attributeText(e))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	return fmt.Sprintf("%v", v)
}

// queueTriggers are the queues that call flows, by the flow's name.
func queueTriggers(app *flows.App) map[string][]engine.QueueTrigger {
	all := map[string][]engine.QueueTrigger{}
	for _, f := range app.Flows {
		for _, n := range f.Nodes {
			if !n.Kind.IsSource() {
				continue
			}
			if q, ok := n.Kind.Trigger(n.Config).(engine.QueueTrigger); ok {
				all[f.Name] = append(all[f.Name], q)
			}
		}
	}
	return all
}

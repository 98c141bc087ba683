package conformance

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local"
)

// startAll starts SQS, DynamoDB and the broker as flowctl run does.
func startAll(t *testing.T) *local.Local {
	t.Helper()
	return startLocal(t, local.Options{Dir: t.TempDir(), AWSAddr: "127.0.0.1:0", MQTTAddr: "127.0.0.1:0"})
}

// tool finds a program, or skips the test and says how to get it.
func tool(t testing.TB, name, how string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: %s", name, how)
	}
	return path
}

// output runs a program to its end, with credentials that nobody checks, and gives what it wrote to standard output.
func output(t testing.TB, env []string, path string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var failure strings.Builder
	cmd.Stderr = &failure
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", path, args, err, out, failure.String())
	}
	return strings.TrimSpace(string(out))
}

func TestBoto3UsesQueuesAndTables(t *testing.T) {
	python := tool(t, "python3", "install Python 3 with boto3")
	if err := exec.Command(python, "-c", "import boto3").Run(); err != nil {
		t.Skip("boto3 is not installed: pip install boto3")
	}
	if got := output(t, nil, python, "smoke/boto.py", startOurs(t).url); got != "ok" {
		t.Error(got)
	}
}

// aws runs the aws command line and decodes its output.
func aws(t *testing.T, path, endpoint string, args ...string) map[string]any {
	t.Helper()
	out := output(t, nil, path, append([]string{"--endpoint-url", endpoint, "--output", "json"}, args...)...)
	if out == "" {
		return nil
	}
	var reply map[string]any
	if err := json.Unmarshal([]byte(out), &reply); err != nil {
		t.Fatalf("aws %q: %v in %s", args, err, out)
	}
	return reply
}

func TestAWSCommandLineUsesQueuesAndTables(t *testing.T) {
	path := tool(t, "aws", "install awscli 1.29.82 or newer")
	endpoint := startOurs(t).url
	run := func(args ...string) map[string]any { t.Helper(); return aws(t, path, endpoint, args...) }
	url, _ := run("sqs", "create-queue", "--queue-name", "work")["QueueUrl"].(string)
	sent := run("sqs", "send-message", "--queue-url", url, "--message-body", "hello", "--message-attributes", "colour={DataType=String,StringValue=red}")
	messages, _ := run("sqs", "receive-message", "--queue-url", url, "--wait-time-seconds", "5", "--message-attribute-names", "All")["Messages"].([]any)
	if len(messages) != 1 {
		t.Fatalf("received %v", messages)
	}
	m := messages[0].(map[string]any)
	if m["Body"] != "hello" || m["MessageId"] != sent["MessageId"] || compact(m["MessageAttributes"]) != `{"colour":{"DataType":"String","StringValue":"red"}}` {
		t.Errorf("received %v", m)
	}
	run("sqs", "delete-message", "--queue-url", url, "--receipt-handle", m["ReceiptHandle"].(string))
	run("dynamodb", "create-table", "--table-name", "drivers", "--billing-mode", "PAY_PER_REQUEST",
		"--attribute-definitions", "AttributeName=area_code,AttributeType=S", "--key-schema", "AttributeName=area_code,KeyType=HASH")
	run("dynamodb", "wait", "table-exists", "--table-name", "drivers")
	run("dynamodb", "put-item", "--table-name", "drivers", "--item", `{"area_code":{"S":"2331"},"n":{"N":"1.50"}}`)
	if got := compact(run("dynamodb", "get-item", "--table-name", "drivers", "--key", `{"area_code":{"S":"2331"}}`)); got != `{"Item":{"area_code":{"S":"2331"},"n":{"N":"1.5"}}}` {
		t.Errorf("got %s", got)
	}
	scanned := run("dynamodb", "scan", "--table-name", "drivers", "--filter-expression", "n > :n", "--expression-attribute-values", `{":n":{"N":"1"}}`)
	if scanned["Count"] != 1.0 {
		t.Errorf("scanned %v", scanned)
	}
}

// node runs one of the scripts with the packages of FLOWCTL_NODE_MODULES.
func node(t *testing.T, name, address string) {
	t.Helper()
	path := tool(t, "node", "install Node.js 20 or newer")
	if got := output(t, []string{"NODE_PATH=" + nodeModules(t), "NODE_NO_WARNINGS=1"}, path, "smoke/"+name, address); got != "ok" {
		t.Error(got)
	}
}

func nodeModules(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("FLOWCTL_NODE_MODULES")
	if dir == "" {
		t.Skip(`FLOWCTL_NODE_MODULES is not set: export FLOWCTL_NODE_MODULES="$(.ci/install-npm)" to try the JavaScript clients`)
	}
	return dir
}

func TestJavaScriptSDKUsesQueuesAndTables(t *testing.T) { node(t, "clients.cjs", startOurs(t).url) }

func TestSQSConsumerHandlesAllMessages(t *testing.T) { node(t, "consumer.cjs", startOurs(t).url) }

func TestMQTTJSUsesTheBroker(t *testing.T) { node(t, "mqtt.cjs", startAll(t).MQTTAddr()) }

func TestMosquittoClientsUseTheBroker(t *testing.T) {
	publish := tool(t, "mosquitto_pub", "install mosquitto-clients")
	subscribe := tool(t, "mosquitto_sub", "install mosquitto-clients")
	host, port, _ := strings.Cut(startAll(t).MQTTAddr(), ":")
	at := []string{"-h", host, "-p", port, "-V", "311"}
	session := slices.Concat(at, []string{"-q", "1", "-c", "-i", "smoke", "-t", "inbox/#"})
	output(t, nil, subscribe, slices.Concat(session, []string{"-E"})...)
	for _, text := range []string{"one", "two", "three"} {
		output(t, nil, publish, slices.Concat(at, []string{"-q", "2", "-t", "inbox/x", "-m", text})...)
	}
	if got := output(t, nil, subscribe, slices.Concat(session, []string{"-C", "3", "-F", "%t %q %p"})...); got != "inbox/x 1 one\ninbox/x 1 two\ninbox/x 1 three" {
		t.Errorf("got %s", got)
	}
}

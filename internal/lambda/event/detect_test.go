package event

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// table reads lines of a file name and a Kind.
func table(t *testing.T, name string) map[string]Kind {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]Kind{}
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		file, kind, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || names[Kind(kind)] == "" {
			t.Fatalf("%s: the line %q names no file and kind", name, line)
		}
		kinds[file] = Kind(kind)
	}
	return kinds
}

// lambdaSamples is the folder of sample events of aws-lambda-go.
func lambdaSamples(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skip("github.com/aws/aws-lambda-go is not in the module cache; run: go mod download github.com/aws/aws-lambda-go")
	}
	return filepath.Join(dir, "events", "testdata")
}

func TestDetectKnowsEverySampleOfAWSLambdaGo(t *testing.T) {
	dir := lambdaSamples(t)
	want := table(t, "aws-lambda-go.tsv")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) < len(want) {
		t.Fatalf("%s has %d samples, the table %d (%v)", dir, len(files), len(want), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := Detect(raw); got != want[name] {
			t.Errorf("%s: got %s, want %s", name, got, want[name])
		}
		if got := slowly(raw); json.Valid(raw) && got != want[name] {
			t.Errorf("%s: the reference says %s", name, got)
		}
	}
}

func TestDetectKnowsItsOwnSamples(t *testing.T) {
	want := table(t, "samples.tsv")
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) != len(want) {
		t.Fatalf("there are %d samples and %d lines in the table (%v)", len(files), len(want), err)
	}
	seen := map[Kind]bool{}
	for _, file := range files {
		name := filepath.Base(file)
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seen[want[name]] = true
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			t.Errorf("%s is not JSON: %v", name, err)
		}
		for form, payload := range map[string][]byte{"as it stands": raw, "compact": compact.Bytes()} {
			if got := Detect(payload); got != want[name] {
				t.Errorf("%s %s: got %s, want %s", name, form, got, want[name])
			}
			if got := slowly(payload); got != want[name] {
				t.Errorf("%s %s: the reference says %s, want %s", name, form, got, want[name])
			}
		}
	}
	for kind := range names {
		if !seen[kind] {
			t.Errorf("no sample is of the kind %s", kind)
		}
	}
}

func TestDetectTakesWhatHasNoEnvelopeAsDirect(t *testing.T) {
	for _, payload := range []string{
		``, ` `, `null`, `true`, `12.5`, `"text"`, `[]`, `[{"eventSource":"aws:sqs"}]`, `{}`, `{"a":1}`,
		`{"Records":[]}`, `{"Records":null}`, `{"Records":{}}`, `{"Records":[1]}`, `{"Records":["aws:sqs"]}`,
		`{"Records":[{}]}`, `{"Records":[{"eventSource":"aws:other"}]}`, `{"Records":[{"EventSource":"aws:sqs"}]}`,
		`{"Records":[{"eventSource":"aws:sns"}]}`, `{"records":[{"eventSource":"aws:sqs"}]}`, `{"Records":[{"a":{"eventSource":"aws:sqs"}}]}`,
		`{"Records":[{"x":1},{"eventSource":"aws:sqs"}]}`, `{"a":{"Records":[{"eventSource":"aws:sqs"}]}}`,
		`{"detail-type":"x","source":"y"}`, `{"detail-type":"x","source":"y","detail":null}`,
		`{"httpMethod":"GET"}`, `{"version":"2.0","requestContext":{}}`, `{"version":"2.0","requestContext":{"http":"GET"}}`,
		`{"requestContext":{"elb":"no"}}`, `{"requestContext":null}`, `{"awslogs":{}}`, `{"awslogs":"data"}`,
		`{"eventSource":"aws:kafka"}`, `{"invocationId":"i"}`, `{"Event":"s3:Other"}`,
		`{"Records":[{"eventSource":"aws:sqs"`, `{"detail-type":"x","source":"y","detail":{}`,
	} {
		if got := Detect([]byte(payload)); got != Direct {
			t.Errorf("%s: got %s", payload, got)
		}
	}
}

func TestDetectReadsEscapedKeysAndValues(t *testing.T) {
	payload := `{"\u0052ecords":[{"body":"\\\"}]","event\u0053ource":"aws:s\u0071s"}]}`
	if got := Detect([]byte(payload)); got != SQS {
		t.Errorf("got %s", got)
	}
}

func TestEveryKindHasANameWithAnArticle(t *testing.T) {
	for kind, name := range names {
		if kind.Name() != name || !strings.HasPrefix(name, "a ") && !strings.HasPrefix(name, "an ") {
			t.Errorf("%s: %q", kind, name)
		}
	}
	if got := Kind("new").Name(); got != "an event of the kind new" {
		t.Errorf("a kind without a name: %q", got)
	}
}

func TestOnlyKindsThatAreHTTPCanBeOpened(t *testing.T) {
	for kind := range names {
		_, err := Open(kind, []byte(`{"httpMethod":"GET","requestContext":{"http":{"method":"GET"}}}`))
		if kind.HTTP() != (err == nil) {
			t.Errorf("%s: HTTP is %v, Open says %v", kind, kind.HTTP(), err)
		}
	}
}

// slowly is Detect over the decoded payload: each question is asked of maps, in
// the order of its table of kinds.
func slowly(payload []byte) Kind {
	var e map[string]any
	if json.Unmarshal(payload, &e) != nil || e == nil {
		return Direct
	}
	record := at[map[string]any](at[[]any](e, "Records"), 0)
	context := at[map[string]any](e, "requestContext")
	text := func(m map[string]any, key string) string { return at[string](m, key) }
	has := func(m map[string]any, key string) bool { _, ok := m[key].(string); return ok }
	object := func(m map[string]any, key string) bool { _, ok := m[key].(map[string]any); return ok }
	list := func(m map[string]any, key string) bool { _, ok := m[key].([]any); return ok }
	domain := text(context, "domainName")
	second := text(e, "version") == "2.0"
	authorizes := text(e, "type") == "TOKEN" || text(e, "type") == "REQUEST"
	for _, question := range []struct {
		is   bool
		kind Kind
	}{
		{object(record, "cf"), CloudFront},
		{text(record, "eventSource") == "aws:sqs", SQS},
		{text(record, "EventSource") == "aws:sns", SNS},
		{text(record, "eventSource") == "aws:s3", S3},
		{text(record, "eventSource") == "aws:dynamodb", DynamoDB},
		{text(record, "eventSource") == "aws:kinesis", Kinesis},
		{text(record, "eventSource") == "aws:ses", SES},
		{text(record, "eventSource") == "aws:codecommit", CodeCommit},
		{object(context, "elb"), ALB},
		{has(context, "connectionId") && has(context, "eventType"), WebSocket},
		{authorizes && (has(e, "methodArn") || has(e, "routeArn")), Authorizer},
		{second && object(context, "http") && strings.Contains(domain, ".lambda-url."), FunctionURL},
		{second && object(context, "http"), HTTPAPI},
		{second && has(context, "serviceNetworkArn"), Lattice},
		{has(e, "raw_path") && has(e, "method"), Lattice},
		{text(e, "version") == "1.0" && has(e, "httpMethod") && has(e, "resource"), HTTPAPIv1},
		{has(e, "httpMethod") && (has(e, "resource") || has(context, "resourceId") || has(context, "resourcePath")), REST},
		{has(at[map[string]any](e, "awslogs"), "data"), CloudWatchLogs},
		{text(e, "eventSource") == "aws:kafka" && object(e, "records"), Kafka},
		{text(e, "eventSource") == "aws:SelfManagedKafka" && object(e, "records"), Kafka},
		{text(e, "eventSource") == "aws:mq" && list(e, "messages"), ActiveMQ},
		{text(e, "eventSource") == "aws:amq" && list(e, "messages"), ActiveMQ},
		{text(e, "eventSource") == "aws:rmq" && object(e, "rmqMessagesByQueue"), RabbitMQ},
		{has(e, "invocationId") && list(e, "records") && has(e, "applicationArn"), KinesisAnalytics},
		{has(e, "invocationId") && list(e, "records"), Firehose},
		{object(e, "getObjectContext") || object(e, "headObjectContext"), S3Object},
		{object(e, "listObjectsContext") || object(e, "listObjectsV2Context"), S3Object},
		{has(e, "invocationSchemaVersion") && list(e, "tasks"), S3Batch},
		{text(e, "Event") == "s3:TestEvent", S3Test},
		{text(e, "source") == "aws.cloudwatch" && e["alarmData"] != nil, Alarm},
		{!has(e, "detail-type") || !has(e, "source") || e["detail"] == nil, Direct},
		{text(e, "source") == "aws.events" && text(e, "detail-type") == "Scheduled Event", Schedule},
		{text(e, "source") == "aws.scheduler", Schedule},
	} {
		if question.is {
			return question.kind
		}
	}
	return EventBridge
}

// at is the member of a map or a list, the zero T where there is none of that
// type.
func at[T any](of any, key any) T {
	var v any
	switch of := of.(type) {
	case map[string]any:
		v = of[key.(string)]
	case []any:
		if i := key.(int); i < len(of) {
			v = of[i]
		}
	}
	member, _ := v.(T)
	return member
}

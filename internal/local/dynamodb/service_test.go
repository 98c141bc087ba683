package dynamodb

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	"github.com/flowctl-dev/flowctl/internal/local/clock"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// server is a stand-in over a data folder of its own, with a real client in front.
type server struct {
	*sdk.Client
	t       testing.TB
	url     string
	clock   *clock.Fake
	service *Service
	stop    func()
}

func newServer(t testing.TB) *server {
	t.Helper()
	s := startServer(t, t.TempDir(), store.Options{Relaxed: true})
	t.Cleanup(s.stop)
	return s
}

func startServer(t testing.TB, dir string, o store.Options) *server {
	t.Helper()
	db, err := store.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	fake := clock.NewFake(testStart)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	service, err := New(Options{Store: db, Clock: fake, Log: log, Region: "eu-west-1", Account: "123456789012"})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(awsjson.NewHandler(log, service))
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	client := sdk.New(sdk.Options{
		BaseEndpoint: aws.String(h.URL), Region: "eu-west-1", RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	})
	stopped := false
	return &server{Client: client, t: t, url: h.URL, clock: fake, service: service, stop: func() {
		if stopped {
			return
		}
		stopped = true
		transport.CloseIdleConnections()
		h.Close()
		if err := service.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}}
}

// call sends a raw request, for what the SDK would not send, and gives the status and the body.
func (s *server) call(op, body string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	r.Header.Set("X-Amz-Date", "20260101T000000Z")
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer reply.Body.Close()
	b, err := io.ReadAll(reply.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply.StatusCode, string(b)
}

// ok sends a raw request that must succeed.
func (s *server) ok(op, body string) string {
	s.t.Helper()
	status, reply := s.call(op, body)
	if status != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s", op, body, status, reply)
	}
	return reply
}

// create makes the table that most tests use: a string partition key "pk", a number sort key "sk", a local index "local"
// by "a" and a global index "global" by "g" and "sk".
func (s *server) create() {
	s.t.Helper()
	s.ok("CreateTable", `{"TableName":"things","BillingMode":"PAY_PER_REQUEST",
		"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},
			{"AttributeName":"a","AttributeType":"S"},{"AttributeName":"g","AttributeType":"B"}],
		"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
		"LocalSecondaryIndexes":[{"IndexName":"local","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"a","KeyType":"RANGE"}],
			"Projection":{"ProjectionType":"KEYS_ONLY"}}],
		"GlobalSecondaryIndexes":[{"IndexName":"global","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
			"Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["x"]}}]}`)
}

func TestTheSDKCreatesATableAndItsWaiterSeesItActive(t *testing.T) {
	s := newServer(t)
	ctx := t.Context()
	out, err := s.CreateTable(ctx, &sdk.CreateTableInput{
		TableName: aws.String("taxis"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.TableDescription.TableStatus != types.TableStatusCreating {
		t.Errorf("status %s in the reply, want CREATING", out.TableDescription.TableStatus)
	}
	if err := sdk.NewTableExistsWaiter(s.Client).Wait(ctx, &sdk.DescribeTableInput{TableName: aws.String("taxis")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutItem(ctx, &sdk.PutItemInput{TableName: aws.String("taxis"), Item: map[string]types.AttributeValue{
		"id": &types.AttributeValueMemberS{Value: "1"}, "n": &types.AttributeValueMemberN{Value: "12.50"}}}); err != nil {
		t.Fatal(err)
	}
	got, err := s.GetItem(ctx, &sdk.GetItemInput{TableName: aws.String("taxis"), Key: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	if n := got.Item["n"].(*types.AttributeValueMemberN).Value; n != "12.5" {
		t.Errorf("n is %s", n)
	}
	if _, err := s.DeleteTable(ctx, &sdk.DeleteTableInput{TableName: aws.String("taxis")}); err != nil {
		t.Fatal(err)
	}
	if err := sdk.NewTableNotExistsWaiter(s.Client).Wait(ctx, &sdk.DescribeTableInput{TableName: aws.String("taxis")}, time.Minute); err != nil {
		t.Fatal(err)
	}
}

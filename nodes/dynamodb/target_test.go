package dynamodb

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// getOne is a node that reads the item 1.
func getOne(s *server, table engine.Ref[Table]) *flow {
	c := enginetest.Config[Get](s.t)
	c.Table, c.Key = table, expr.Of(map[string]any{"area_code": "1"})
	return node(s, getSpec, c)
}

func TestErrorsOfTheServiceHaveTheClassThatFits(t *testing.T) {
	s := newServer(t)
	table := s.table("drivers", drivers(t), map[string]any{"area_code": "1"})
	n := getOne(s, table)
	for _, tt := range []struct {
		status        int
		kind, message string
		class         engine.Class
		code          string
		calls         int
	}{
		{400, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "Requested resource not found", engine.Permanent, "not_found", 1},
		{400, "com.amazon.coral.validate#ValidationException", "One or more parameter values were invalid", engine.Permanent, "validation", 1},
		{400, "com.amazon.coral.service#AccessDeniedException", "not authorized", engine.Permanent, "access_denied", 1},
		{400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "slow down", engine.Retryable, "throttled", 3},
		{500, "com.amazonaws.dynamodb.v20120810#InternalServerError", "oops", engine.Retryable, "unavailable", 3},
	} {
		t.Run(tt.code, func(t *testing.T) {
			s.intercept(func(w http.ResponseWriter, _ request) bool { return refuse(w, tt.status, tt.kind, tt.message) })
			s.took("")
			n.fail(nil, tt.class, tt.code, `reading from table "drivers": `+tt.message)
			equal(t, len(s.took("GetItem")), tt.calls)
		})
	}
}

func TestACallThatFailedOnceIsTriedAgain(t *testing.T) {
	s := newServer(t)
	n := getOne(s, s.table("drivers", drivers(t), map[string]any{"area_code": "1"}))
	for name, broken := range map[string]func(w http.ResponseWriter){
		"throttled": func(w http.ResponseWriter) {
			refuse(w, 400, "com.amazonaws.dynamodb.v20120810#ThrottlingException", "slow down")
		},
		"connection lost": func(w http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"bad checksum": func(w http.ResponseWriter) {
			w.Header().Set("X-Amz-Crc32", "1")
			_, _ = w.Write([]byte(`{}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			s.intercept(func(w http.ResponseWriter, _ request) bool {
				if calls++; calls > 1 {
					return false
				}
				broken(w)
				return true
			})
			_, out := n.do(nil)
			equal(t, out["found"], true)
			equal(t, calls, 2)
		})
	}
}

func TestAReplyThatCannotBeReadIsTriedAgainLater(t *testing.T) {
	s := newServer(t)
	table := s.table("drivers", drivers(t))
	s.intercept(func(w http.ResponseWriter, _ request) bool {
		const item = `{"area_code":{"S":"1"},"nested":{"M":{"n":{"N":"many"}}}}`
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = w.Write([]byte(`{"Item":` + item + `,"Attributes":` + item + `}`))
		return true
	})
	const text = "the reply cannot be read: nested.n: the service gave a number that is none"
	getOne(s, table).fail(nil, engine.Retryable, "invalid_reply", text)
	c := enginetest.Config[Delete](t)
	c.Table, c.Key = table, expr.Of(map[string]any{"area_code": "1"})
	node(s, deleteSpec, c).fail(nil, engine.Retryable, "invalid_reply", text)
}

func TestANodeIsNotMadeOfAConfigThatWasNotChecked(t *testing.T) {
	s := newServer(t)
	ref := engine.Ref[Table]{Name: "drivers", Resource: drivers(t)}
	d := engine.Deps{Services: s.services}
	wrong := map[string]expr.Value[any]{"x": expr.Of[any]("y")}
	for name, made := range map[string]func() (engine.Node, error){
		"get":       func() (engine.Node, error) { return newGet(&Get{Table: ref, Attributes: []string{"a..b"}}, d) },
		"put":       func() (engine.Node, error) { return newPut(&Put{Table: ref, Condition: "a ="}, d) },
		"delete":    func() (engine.Node, error) { return newDelete(&Delete{Table: ref, Condition: "= :a"}, d) },
		"update":    func() (engine.Node, error) { return newUpdate(&Update{Table: ref}, d) },
		"constants": func() (engine.Node, error) { return newUpdate(&Update{Table: ref, Add: wrong}, d) },
		"query":     func() (engine.Node, error) { return newQuery(&Query{Table: ref}, d) },
		"scan":      func() (engine.Node, error) { return newScan(&Scan{Table: ref, Filter: "a IN ()"}, d) },
	} {
		if _, err := made(); err == nil {
			t.Errorf("%s: a node was made", name)
		}
	}
}

func TestAServerThatNeverAnswersIsATimeout(t *testing.T) {
	s := newServer(t, func(o *awsclient.Options) { o.AttemptTimeout = 30 * time.Millisecond })
	n := getOne(s, s.table("drivers", drivers(t)))
	hang := make(chan struct{})
	s.intercept(func(http.ResponseWriter, request) bool { <-hang; return true })
	n.fail(nil, engine.Retryable, "timeout", "no complete answer within 30ms")
	close(hang)
}

func TestACallEndsWithItsContext(t *testing.T) {
	s := newServer(t)
	n := getOne(s, s.table("drivers", drivers(t)))
	ctx, cancel := context.WithCancel(t.Context())
	hang := make(chan struct{})
	s.intercept(func(http.ResponseWriter, request) bool { cancel(); <-hang; return true })
	_, _, err := n.try(ctx, nil)
	close(hang)
	if err == nil || engine.CodeOf(err) != "stopped" || engine.ClassOf(err) != engine.Retryable {
		t.Errorf("got %v", err)
	}
}

func TestTheTableIsTheOneThatIsNamedNearest(t *testing.T) {
	none := &engine.Services{}
	engine.Provide(none, awsclient.New(awsclient.Options{}))
	localOnly := &engine.Services{}
	engine.Provide(localOnly, awsclient.New(awsclient.Options{LocalEndpoint: "http://127.0.0.1:1"}))
	addressed := &engine.Services{}
	engine.Provide(addressed, awsclient.New(awsclient.Options{LocalEndpoint: "http://127.0.0.1:1"}))
	engine.Provide(addressed, awsclient.Addresses{"drivers": "stack-drivers-1"})
	const arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/customers"
	for _, tt := range []struct {
		name     string
		services *engine.Services
		table    Table
		address  string
		local    bool
	}{
		{"the resource's name in the stand-in", localOnly, Table{}, "drivers", true},
		{"the resource's name in the account", none, Table{}, "drivers", false},
		{"a name of its own", localOnly, Table{TableName: "taxi-drivers"}, "taxi-drivers", true},
		{"an address given at start", addressed, Table{TableName: "taxi-drivers"}, "stack-drivers-1", false},
		{"an outside table", addressed, Table{Table: expr.Of(arn)}, arn, false},
		{"an empty outside table", localOnly, Table{Table: expr.Of("")}, "drivers", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := newTarget(&engine.Ref[Table]{Name: "drivers", Resource: &tt.table}, engine.Deps{Services: tt.services}, "testing")
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got.address, tt.address)
			equal(t, got.local, tt.local)
		})
	}
	bad := &Table{Table: expr.Of("https://example.com/table")}
	if _, err := newTarget(&engine.Ref[Table]{Name: "drivers", Resource: bad}, engine.Deps{Services: none}, "testing"); err == nil || !strings.Contains(err.Error(), "neither the name nor the ARN") {
		t.Errorf("got %v", err)
	}
	if _, err := newTarget(&engine.Ref[Table]{Name: "drivers", Resource: &Table{}}, engine.Deps{}, "testing"); err == nil {
		t.Error("no AWS clients, and no error")
	}
}

func TestTheAccountIsAskedOnlyWhenAMessageComes(t *testing.T) {
	s := newServer(t)
	loads, wrong := 0, errors.New("no profile")
	account := awsclient.New(awsclient.Options{LoadConfig: func(context.Context) (aws.Config, error) {
		if loads++; loads == 1 {
			return aws.Config{}, wrong
		}
		return aws.Config{Region: "eu-west-1", BaseEndpoint: s.client.Options().BaseEndpoint, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}, nil
	}})
	t.Cleanup(account.CloseIdle)
	table := s.table("drivers", drivers(t), map[string]any{"area_code": "1", "n": 1})
	engine.Provide(s.services, account)
	n := getOne(s, table)
	equal(t, loads, 0)
	if _, _, err := n.try(t.Context(), nil); !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
	_, out := n.do(nil)
	equal(t, out["item"], map[string]any{"area_code": "1", "n": 1})
	n.do(nil)
	equal(t, loads, 2)
}

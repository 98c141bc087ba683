package dynamodb

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/value"
)

func describeTable(t *testing.T, s *server, name string) *types.TableDescription {
	t.Helper()
	d, err := describe(t.Context(), s.client, name)
	if err != nil || d == nil {
		t.Fatalf("%s: %v, %v", name, d, err)
	}
	return d
}

func TestCreateMakesTheTableOnceWithAllThatBelongsToIt(t *testing.T) {
	s := newServer(t)
	table := orders(t)
	table.TTL = "expires"
	table.Indexes = append(table.Indexes, Index{Name: "by_email", Key: key(t, "email", "S"), Projection: "include", Include: []string{"name"}})
	for i, want := range []bool{true, false} {
		created, err := Create(t.Context(), s.client, "shop-orders", table)
		if err != nil || created != want {
			t.Fatalf("call %d: %v, %v", i+1, created, err)
		}
	}
	d := describeTable(t, s, "shop-orders")
	equal(t, schemaOf(d.KeySchema, d), table.Key)
	equal(t, d.BillingModeSummary.BillingMode, types.BillingModePayPerRequest)
	equal(t, len(d.LocalSecondaryIndexes), 1)
	projections := map[string]types.ProjectionType{}
	for _, g := range d.GlobalSecondaryIndexes {
		projections[aws.ToString(g.IndexName)] = g.Projection.ProjectionType
	}
	equal(t, projections, map[string]types.ProjectionType{"by_status": types.ProjectionTypeKeysOnly, "by_email": types.ProjectionTypeInclude})
	ttl, err := s.client.DescribeTimeToLive(t.Context(), &sdk.DescribeTimeToLiveInput{TableName: aws.String("shop-orders")})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, aws.ToString(ttl.TimeToLiveDescription.AttributeName), "expires")
}

func TestCreateAddsAnIndexToATableThatIsThere(t *testing.T) {
	s := newServer(t)
	before := &Table{Key: key(t, "customer", "S", "at", "N")}
	s.table("orders", before, placed(3, "")...)
	after := &Table{Key: before.Key, Indexes: []Index{{Name: "by_status", Key: key(t, "status", "S", "total", "N")}}, TTL: "expires"}
	created, err := Create(t.Context(), s.client, "orders", after)
	if err != nil || created {
		t.Fatalf("%v, %v", created, err)
	}
	reply, err := s.client.Scan(t.Context(), &sdk.ScanInput{TableName: aws.String("orders"), IndexName: aws.String("by_status")})
	if err != nil || len(reply.Items) != 6 {
		t.Fatalf("the index has %d items, %v", len(reply.Items), err)
	}
}

func TestCreateKeepsATableThatIsNotWhatTheFileSays(t *testing.T) {
	s := newServer(t)
	table := orders(t)
	table.TTL = "expires"
	s.table("orders", table)
	for name, tt := range map[string]struct {
		table *Table
		want  string
	}{
		"another key":      {&Table{Key: key(t, "customer", "S")}, "is there with the key {customer: S, at: N}, but the file says {customer: S}"},
		"key turned round": {&Table{Key: key(t, "at", "N", "customer", "S")}, "but the file says {at: N, customer: S}"},
		"another type":     {&Table{Key: key(t, "customer", "S", "at", "S")}, "but the file says {customer: S, at: S}"},
		"another index key": {&Table{Key: table.Key, Indexes: []Index{{Name: "by_status", Key: key(t, "status", "S")}}},
			"the index by_status of the table \"orders\" is there with the key {status: S, at: N}"},
		"a new local index": {&Table{Key: table.Key, Indexes: []Index{{Name: "by_name", Key: key(t, "customer", "S", "name", "S"), Local: true}}},
			"has no local index by_name, and one can only be made together with the table"},
		"another time of expiry": {&Table{Key: table.Key, TTL: "until"}, `items expire by "expires" already, but the file says "until"`},
	} {
		t.Run(name, func(t *testing.T) {
			created, err := Create(t.Context(), s.client, "orders", tt.table)
			if created || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, %v; want %s", created, err, tt.want)
			}
		})
	}
}

func TestCreateWaitsUntilTheTableIsReady(t *testing.T) {
	s := newServer(t)
	looks := 0
	s.intercept(func(w http.ResponseWriter, r request) bool {
		if r.op != "DescribeTable" {
			return false
		}
		if looks++; looks != 2 {
			return false
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Table": map[string]any{"TableStatus": "CREATING"}})
		return true
	})
	if created, err := Create(t.Context(), s.client, "drivers", drivers(t)); err != nil || !created {
		t.Fatalf("%v, %v", created, err)
	}
	if looks != 3 {
		t.Errorf("looked %d times", looks)
	}
}

func TestCreateGivesUpWithItsContext(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.intercept(func(w http.ResponseWriter, r request) bool {
		if r.op != "DescribeTable" {
			return false
		}
		cancel()
		_ = json.NewEncoder(w).Encode(map[string]any{"Table": map[string]any{"TableStatus": "CREATING"}})
		return true
	})
	if _, err := Create(ctx, s.client, "drivers", drivers(t)); err == nil {
		t.Error("no error")
	}
}

func TestSeedWritesAllItemsInBatches(t *testing.T) {
	s := newServer(t)
	s.table("drivers", drivers(t))
	var items []map[string]any
	for i := range 60 {
		items = append(items, map[string]any{"area_code": fmt.Sprintf("%03d", i), "n": value.Number("9223372036854775808"), "list": []any{i, nil, "x"}})
	}
	s.took("")
	if err := Seed(t.Context(), s.client, "drivers", items); err != nil {
		t.Fatal(err)
	}
	equal(t, len(s.took("BatchWriteItem")), 3)
	for i := range items {
		equal(t, s.item("drivers", map[string]any{"area_code": items[i]["area_code"]}), items[i])
	}
}

func TestSeedWritesAgainWhatTheServiceLeftOver(t *testing.T) {
	s := newServer(t)
	s.table("drivers", drivers(t))
	first := true
	s.intercept(func(w http.ResponseWriter, r request) bool {
		if r.op != "BatchWriteItem" || !first {
			return false
		}
		first = false
		left := r.body["RequestItems"].(map[string]any)["drivers"].([]any)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_ = json.NewEncoder(w).Encode(map[string]any{"UnprocessedItems": map[string]any{"drivers": left}})
		return true
	})
	items := []map[string]any{{"area_code": "1"}, {"area_code": "2"}}
	if err := Seed(t.Context(), s.client, "drivers", items); err != nil {
		t.Fatal(err)
	}
	equal(t, len(s.took("BatchWriteItem")), 2)
	equal(t, s.item("drivers", map[string]any{"area_code": "2"}), items[1])
}

func TestSeedStopsWhenTheServiceTakesNothing(t *testing.T) {
	s := newServer(t)
	s.table("drivers", drivers(t))
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	s.intercept(func(w http.ResponseWriter, r request) bool {
		if tries++; tries == 3 {
			cancel()
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"UnprocessedItems": r.body["RequestItems"]})
		return true
	})
	if err := Seed(ctx, s.client, "drivers", []map[string]any{{"area_code": "1"}}); err == nil || tries > 3 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

func TestSeedNamesTheItemThatCannotBeStored(t *testing.T) {
	s := newServer(t)
	s.table("drivers", drivers(t))
	s.took("")
	err := Seed(t.Context(), s.client, "drivers", []map[string]any{{"area_code": "1"}, {"area_code": "2", "n": value.Number("1e200")}})
	if err == nil || !strings.Contains(err.Error(), `seeding the table "drivers": item 2.n: the number's magnitude`) || engine.ClassOf(err) != engine.Permanent {
		t.Errorf("got %v", err)
	}
	if r := s.took("BatchWriteItem"); len(r) != 0 {
		t.Error("something was written")
	}
	err = Seed(t.Context(), s.client, "drivers", []map[string]any{{"name": "x"}})
	if err == nil || !strings.Contains(err.Error(), "items 1 to 1") {
		t.Errorf("got %v", err)
	}
}

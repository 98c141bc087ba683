package dynamodb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

func writer(t *testing.T, key ...KeyAttribute) (*server, *Writer) {
	t.Helper()
	s := newServer(t)
	table := &Table{Key: KeySchema{key}}
	if _, err := Create(t.Context(), s.client, "things", table); err != nil {
		t.Fatal(err)
	}
	return s, NewWriter(s.client, "things", table.Key)
}

func put(t *testing.T, w *Writer, item map[string]any) {
	t.Helper()
	attributes, err := MarshalItem(item)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Put(t.Context(), attributes); err != nil {
		t.Fatal(err)
	}
}

func TestWriterWritesAllItemsAndTheLastOfAKeyStays(t *testing.T) {
	s, w := writer(t, KeyAttribute{"id", "N"}, KeyAttribute{"at", "S"})
	for i := range 60 {
		put(t, w, map[string]any{"id": i, "at": "x", "round": 1})
	}
	// 3 and 3.0 are one number, and so one key.
	put(t, w, map[string]any{"id": 3, "at": "x", "round": 2})
	put(t, w, map[string]any{"id": 3.0, "at": "x", "round": 3})
	put(t, w, map[string]any{"id": 3, "at": "y", "round": 4})
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.Written() != 63 {
		t.Errorf("%d written", w.Written())
	}
	rounds := ""
	for _, at := range []string{"x", "y"} {
		key, err := KeySchema{[]KeyAttribute{{"id", "N"}, {"at", "S"}}}.Marshal(map[string]any{"id": 3, "at": at})
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.client.GetItem(t.Context(), &sdk.GetItemInput{TableName: aws.String("things"), Key: key})
		if err != nil {
			t.Fatal(err)
		}
		item, err := UnmarshalItem(out.Item)
		if err != nil {
			t.Fatal(err)
		}
		rounds += fmt.Sprint(item["round"], " ")
	}
	if rounds != "3 4 " {
		t.Errorf("rounds %s", rounds)
	}
	out, err := s.client.Scan(t.Context(), &sdk.ScanInput{TableName: aws.String("things")})
	if err != nil || out.Count != 61 {
		t.Errorf("%d items, %v", out.Count, err)
	}
}

func TestWriterRefusesAnItemWithoutItsKey(t *testing.T) {
	_, w := writer(t, KeyAttribute{"id", "S"})
	for _, item := range []map[string]any{{"name": "x"}, {"id": 7}, {"id": ""}} {
		attributes, err := MarshalItem(item)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Put(t.Context(), attributes); err == nil || !strings.Contains(err.Error(), "key") {
			t.Errorf("%v: %v", item, err)
		}
	}
	if err := w.Flush(t.Context()); err != nil || w.Written() != 0 {
		t.Errorf("%d written, %v", w.Written(), err)
	}
}

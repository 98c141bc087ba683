package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	nodedynamodb "github.com/flowctl-dev/flowctl/nodes/dynamodb"
)

// table makes a table with the given key attributes, NAME:TYPE.
func (s *standIns) table(name string, key ...string) {
	s.t.Helper()
	table := &nodedynamodb.Table{}
	for _, k := range key {
		attribute, kind, _ := strings.Cut(k, ":")
		if err := table.Key.SetEntry(attribute, kind); err != nil {
			s.t.Fatal(err)
		}
	}
	if _, err := nodedynamodb.Create(s.t.Context(), s.tables, name, table); err != nil {
		s.t.Fatal(err)
	}
}

// must runs a command that must succeed and gives what it printed.
func (s *standIns) must(stdin string, args ...string) (stdout, stderr string) {
	s.t.Helper()
	stdout, stderr, err := s.flowctl(stdin, args...)
	if err != nil {
		s.t.Fatalf("flowctl %s: %v", strings.Join(args, " "), err)
	}
	return stdout, stderr
}

func TestTableDumpWithTypesKeepsSetsAndBytes(t *testing.T) {
	s := startStandIns(t)
	s.table("source", "id:B")
	s.table("copy", "id:B")
	_, err := s.tables.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("source"), Item: map[string]types.AttributeValue{
		"id":   &types.AttributeValueMemberB{Value: []byte{0, 1, 2}},
		"tags": &types.AttributeValueMemberSS{Value: []string{"a", "b"}},
		"deep": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberNS{Value: []string{"1", "2"}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	typed, words := s.must("", "table", "dump", "source", "--types")
	if want := `{"Item":{"deep":{"L":[{"NS":["1","2"]}]},"id":{"B":"AAEC"},"tags":{"SS":["a","b"]}}}` + "\n"; typed != want || words != "" {
		t.Errorf("%s%s\nwant %s", typed, words, want)
	}
	s.must(typed, "table", "load", "copy", "--types")
	if again, _ := s.must("", "table", "dump", "copy", "--types"); again != typed {
		t.Errorf("%s came back as %s", typed, again)
	}
	plain, words := s.must("", "table", "dump", "source")
	if want := `{"deep":[[1,2]],"id":"AAEC","tags":["a","b"]}` + "\n"; plain != want {
		t.Errorf("%s\nwant %s", plain, want)
	}
	if want := "1 item with sets or bytes, which plain JSON shows as lists and texts; --types keeps what they are\n"; words != want {
		t.Errorf("%q", words)
	}
	if got, _ := s.must("", "table", "get", "source", "AAEC", "--output", "json"); got != plain {
		t.Errorf("get gives %s", got)
	}
}

func TestTableLoadAndDumpManyItems(t *testing.T) {
	s := startStandIns(t)
	s.table("many", "id:N")
	var lines strings.Builder
	for i := range 1234 {
		fmt.Fprintf(&lines, `{"id":%d,"text":%q}`+"\n", i, strings.Repeat("x", 2000)) // more than one page of 1 MB
	}
	file := filepath.Join(t.TempDir(), "many.jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _ := s.must("", "table", "load", "many", file); out != "stored 1234 items in many\n" {
		t.Errorf("%q", out)
	}
	dump, _ := s.must("", "table", "dump", "many")
	if n := strings.Count(dump, "\n"); n != 1234 {
		t.Errorf("%d lines", n)
	}
	for _, n := range []int{1, 7, 1233} {
		out, words := s.must("", "table", "scan", "many", "--count", fmt.Sprint(n), "--output", "json")
		if got := strings.Count(out, "\n"); got != n || !strings.Contains(words, "there are more") {
			t.Errorf("--count %d gives %d and says %q", n, got, words)
		}
	}
	for _, n := range []int{0, 1234, 2000} {
		out, words := s.must("", "table", "scan", "many", "--count", fmt.Sprint(n), "--output", "json")
		if got := strings.Count(out, "\n"); got != 1234 || words != "" {
			t.Errorf("--count %d gives %d and says %q", n, got, words)
		}
	}
}

func TestTableLoadKeepsWhatCameBeforeABadLine(t *testing.T) {
	s := startStandIns(t)
	s.table("things", "id:S")
	_, _, err := s.flowctl(`{"id":"1"}`+"\n"+`{"id":"2"}`+"\n"+`{"name":"x"}`+"\n"+`{"id":"4"}`+"\n", "table", "load", "things")
	if err == nil || err.Error() != "line 3: the item has no id; the table's key is {id: S}\n2 items stored in things" {
		t.Error(err)
	}
	if out, _ := s.must("", "table", "scan", "things", "--output", "json"); strings.Count(out, "\n") != 2 {
		t.Errorf("stored %s", out)
	}
	_, _, err = s.flowctl(`{"id":"`+strings.Repeat("x", maxLine)+`"}`, "table", "load", "things")
	if err == nil || !strings.Contains(err.Error(), "line 1 is longer than 8 MiB") {
		t.Error(err)
	}
}

func TestTableLsShowsIndexes(t *testing.T) {
	s := startStandIns(t)
	s.table("plain", "id:S", "at:N")
	table := &nodedynamodb.Table{Indexes: []nodedynamodb.Index{{Name: "by_at"}}}
	for _, err := range []error{table.Key.SetEntry("id", "S"), table.Indexes[0].Key.SetEntry("at", "N")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := nodedynamodb.Create(t.Context(), s.tables, "indexed", table); err != nil {
		t.Fatal(err)
	}
	out, _ := s.must("", "table", "ls", "--output", "json")
	want := `{"name":"indexed","status":"ACTIVE","key":[{"name":"id","type":"S"}],"indexes":["by_at"],"items":0,"bytes":0}
{"name":"plain","status":"ACTIVE","key":[{"name":"id","type":"S"},{"name":"at","type":"N"}],"items":0,"bytes":0}
`
	if out != want {
		t.Errorf("%s\nwant %s", out, want)
	}
}

func TestTableScanShowsValuesOnOneLine(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{"plain text", "plain text"},
		{"two\nlines", `"two\nlines"`},
		{"tab\there", `"tab\there"`},
		{"", `""`},
		{nil, "null"},
		{true, "true"},
		{[]any{"a", 1}, `["a",1]`},
	} {
		if got, err := cell(c.value); err != nil || got != c.want {
			t.Errorf("%v: %s, %v", c.value, got, err)
		}
	}
}

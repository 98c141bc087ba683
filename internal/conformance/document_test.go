package conformance

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb"
	"github.com/flowctl-dev/flowctl/internal/local/sqs"
)

const documentFile = "../../docs/stand-ins.md"

// TestStandInsAreDocumented compares the generated parts of docs/stand-ins.md with what the cases, their explanations
// and the running stand-ins give. They stand between comments that name them; the text around them is written by hand.
func TestStandInsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	for _, part := range []struct {
		name string
		make func(testing.TB) string
	}{
		{"sqs operations", func(t testing.TB) string { return operationTable(t, "sqs", (*sqs.Service)(nil).Operations()) }},
		{"sqs differences", func(testing.TB) string { return differenceList("sqs") }},
		{"sqs errors", func(testing.TB) string { return errorTable("sqs") }},
		{"dynamodb operations", func(t testing.TB) string { return operationTable(t, "dynamodb", (*dynamodb.Service)(nil).Operations()) }},
		{"dynamodb differences", func(testing.TB) string { return differenceList("dynamodb") }},
		{"dynamodb errors", func(testing.TB) string { return errorTable("dynamodb") }},
		{"not offered", refusalTable},
		{"sqs moto", func(testing.TB) string { return motoTable(sqsExplanations) }},
		{"dynamodb moto", func(testing.TB) string { return motoTable(dynamoExplanations) }},
	} {
		begin, end := "<!-- generated: "+part.name+" -->\n", "<!-- end -->\n"
		before, rest, found := strings.Cut(got, begin)
		_, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Fatalf("%s has no part %q", documentFile, part.name)
		}
		got = before + begin + part.make(t) + end + after
	}
	checkGolden(t, documentFile, got)
}

// shownBy counts the requests of the cases to an operation: how many succeed, and how many have each error. A file's
// setup counts once.
type shownBy struct {
	succeed int
	errors  map[string]int
}

func countRequests(t testing.TB, service string) map[string]*shownBy {
	counts := map[string]*shownBy{}
	seen := map[string]bool{}
	for _, s := range loadScripts(t, service) {
		for _, step := range s.steps {
			at := fmt.Sprint(s.file, step.line)
			if seen[at] {
				continue
			}
			seen[at] = true
			if counts[step.op] == nil {
				counts[step.op] = &shownBy{errors: map[string]int{}}
			}
			if step.code == "" {
				counts[step.op].succeed++
			} else {
				counts[step.op].errors[step.code]++
			}
		}
	}
	return counts
}

func operationTable(t testing.TB, service string, operations []string) string {
	counts := countRequests(t, service)
	var b strings.Builder
	b.WriteString("| operation | succeeds | refused with | differences |\n|---|---|---|---|\n")
	for _, op := range operations {
		c := counts[op]
		if c == nil {
			t.Fatalf("no case of %s %s", service, op)
		}
		var refused, differences []string
		for _, code := range sortedKeys(c.errors) {
			refused = append(refused, fmt.Sprintf("`%s` (%d)", code, c.errors[code]))
		}
		for n, k := range differencesOf(service) {
			if k.covers(op) {
				differences = append(differences, fmt.Sprint(n+1))
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", op, c.succeed, strings.Join(refused, ", "), strings.Join(differences, ", "))
	}
	return b.String()
}

func differencesOf(service string) []knownDifference {
	return slices.DeleteFunc(slices.Clone(knownDifferences), func(k knownDifference) bool { return k.service != service })
}

func differenceList(service string) string {
	var b strings.Builder
	for n, k := range differencesOf(service) {
		where := "All operations"
		if k.operations != "*" {
			where = strings.Join(strings.Fields(k.operations), ", ")
		}
		fmt.Fprintf(&b, "%d. %s: %s\n", n+1, where, k.what)
	}
	return b.String()
}

func errorTable(service string) string {
	var b strings.Builder
	b.WriteString("| error | of | why not |\n|---|---|---|\n")
	for _, u := range notShown {
		if u.service != service {
			continue
		}
		where := "all operations"
		if u.operations != "*" {
			where = strings.Join(strings.Fields(u.operations), ", ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.Join(strings.Fields(u.errors), "`, `"), where, u.why)
	}
	return b.String()
}

// refusals are requests that the stand-ins do not serve, one of each family, as people may try them.
var refusals = []struct{ what, target, contentType, body string }{
	{"the older Query protocol of SQS", "", "application/x-www-form-urlencoded", "Action=SendMessage&Version=2012-11-05"},
	{"PartiQL", "DynamoDB_20120810.ExecuteStatement", jsonType, "{}"},
	{"streams", "DynamoDBStreams_20120810.ListStreams", jsonType, "{}"},
	{"replicas of a table", "DynamoDB_20120810.UpdateTable", jsonType, `{"TableName":"things","ReplicaUpdates":[{"Create":{"RegionName":"eu-west-1"}}]}`},
	{"backups and point-in-time recovery", "DynamoDB_20120810.DescribeContinuousBackups", jsonType, "{}"},
	{"export and import", "DynamoDB_20120810.ImportTable", jsonType, "{}"},
	{"global tables", "DynamoDB_20120810.CreateGlobalTable", jsonType, "{}"},
	{"resource policies", "DynamoDB_20120810.PutResourcePolicy", jsonType, "{}"},
	{"contributor insights", "DynamoDB_20120810.DescribeContributorInsights", jsonType, "{}"},
	{"any other service", "AmazonSNS.Publish", jsonType, "{}"},
}

// refusalTable shows what the stand-ins answer to what they do not have.
func refusalTable(t testing.TB) string {
	e := startOurs(t)
	var b strings.Builder
	b.WriteString("| asked for | answer |\n|---|---|\n")
	for _, r := range refusals {
		o, err := e.post(context.Background(), r.target, r.contentType, r.body, nil)
		if err != nil {
			t.Fatal(err)
		}
		if o.code == "" {
			t.Errorf("%s is offered", r.what)
		}
		fmt.Fprintf(&b, "| %s | %d `%s`: %s |\n", r.what, o.status, o.code, strings.ReplaceAll(o.message, "|", `\|`))
	}
	return b.String()
}

func motoTable(explanations []explanation) string {
	var b strings.Builder
	b.WriteString("| difference | right by the documentation | see |\n|---|---|---|\n")
	for _, e := range explanations {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", e.title, e.right, strings.ReplaceAll(e.docs, "|", `\|`))
	}
	return b.String()
}

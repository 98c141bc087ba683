package pack_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/pack"
	"github.com/flowctl-dev/flowctl/nodes"
)

// lines are the statements of an app's policies, one a line, with the nodes that
// need them.
func lines(t *testing.T, app *flows.App) map[string][]string {
	t.Helper()
	policies, err := pack.Policies(app)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, p := range policies {
		for _, s := range p.Statements {
			on := strings.Join(slices.DeleteFunc([]string{string(s.Target.Kind), s.Target.Name + s.Target.Below, s.Target.ARN}, func(s string) bool { return s == "" }), " ")
			var needs []string
			for _, n := range s.Nodes {
				needs = append(needs, fmt.Sprintf("%s@%d", n.Node, n.At.Line))
			}
			out[p.Flow] = append(out[p.Flow], strings.TrimSpace(fmt.Sprintf("%s: %s on %s %s", s.Sid, strings.Join(s.Actions, " "), on, strings.Join(needs, " "))))
		}
	}
	return out
}

func checkLines(t *testing.T, got map[string][]string, flow string, want ...string) {
	t.Helper()
	if !slices.Equal(got[flow], want) {
		t.Errorf("%s: got\n%s\nwant\n%s", flow, strings.Join(got[flow], "\n"), strings.Join(want, "\n"))
	}
}

var lineNumber = regexp.MustCompile(`@[0-9]+`)

func TestPoliciesOfTheTaxiExampleWordForWord(t *testing.T) {
	got := lines(t, loaded(t, "../../examples/taxi"))
	for _, list := range got {
		for i := range list {
			list[i] = lineNumber.ReplaceAllString(list[i], "")
		}
	}
	checkLines(t, got, "request",
		"QueuePassengers: sqs:SendMessage on resource passengers enqueue",
		"Logs: logs:CreateLogStream logs:PutLogEvents on log-group")
	checkLines(t, got, "dispatch",
		"QueuePassengers: sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage on resource passengers requests",
		"TableDrivers: dynamodb:GetItem on resource drivers driver",
		"Logs: logs:CreateLogStream logs:PutLogEvents on log-group")
}

func TestPoliciesNameEachThingOnceWithAllThatNeedIt(t *testing.T) {
	got := lines(t, loaded(t, "testdata/policy/forms.flow.yaml"))
	checkLines(t, got, "keep",
		"TableParts: dynamodb:GetItem dynamodb:PutItem on resource parts look@17 save@18 again@19",
		"TablePartsIndexByName: dynamodb:Query on resource parts/index/by-name find@20",
		"QueueOwn: sqs:SendMessage on resource own tell@21",
		"QueueManaged: sqs:SendMessage on resource managed note@22",
		"QueueThere: sqs:SendMessage on resource there key@23",
		"QueueSharedKey: sqs:SendMessage on resource shared_key other@24",
		"Kms: kms:Decrypt kms:GenerateDataKey on arn arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/1234abcd-12ab-34cd-56ef-1234567890ab tell@21",
		"Kms2: kms:Decrypt kms:GenerateDataKey on arn arn:${AWS::Partition}:kms:eu-west-1:123456789012:key/5678abcd-12ab-34cd-56ef-1234567890ab key@23",
		"Kms3: kms:Decrypt kms:GenerateDataKey on arn arn:aws:kms:eu-west-1:123456789012:key/5678abcd-12ab-34cd-56ef-1234567890ab other@24",
		"SecretToken: ssm:GetParameter on secret TOKEN",
		"Logs: logs:CreateLogStream logs:PutLogEvents on log-group")
	checkLines(t, got, "take",
		"QueueOwn: sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage on resource own in@29",
		"Kms: kms:Decrypt on arn arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/1234abcd-12ab-34cd-56ef-1234567890ab in@29",
		"Logs: logs:CreateLogStream logs:PutLogEvents on log-group")
}

func TestPolicyTellsWhichSettingsTheFunctionReads(t *testing.T) {
	policies, err := pack.Policies(loaded(t, "testdata/policy/forms.flow.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := policies[0].Settings; !slices.Equal(got, []string{"GREETING", "TOKEN"}) {
		t.Errorf("keep reads %v", got)
	}
	if got := policies[1].Settings; len(got) > 0 {
		t.Errorf("take reads %v", got)
	}
}

func TestEveryPolicyHasItsOwnSids(t *testing.T) {
	app, found := flows.Parse("sids.flow.yaml", []byte(`version: 1
name: sids
resources:
  a_b: {type: sqs.queue}
  aB: {type: sqs.queue}
flows:
  both:
    nodes:
      in: {type: http.in, method: POST, path: /, next: [one, two]}
      one: {type: sqs.send, queue: a_b, body: a, next: end}
      two: {type: sqs.send, queue: aB, body: a, next: end}
      end: {type: drop}
`), flows.Options{Registry: nodes.All()})
	if len(found) > 0 {
		t.Fatal(found)
	}
	checkLines(t, lines(t, app), "both",
		"QueueAB: sqs:SendMessage on resource a_b one@10",
		"QueueAB2: sqs:SendMessage on resource aB two@11",
		"Logs: logs:CreateLogStream logs:PutLogEvents on log-group")
}

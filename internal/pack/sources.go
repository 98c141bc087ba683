package pack

import (
	"regexp"
	"strings"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/events"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// What MaximumConcurrency of an event source mapping may be (Lambda API
// reference, ScalingConfig).
const (
	leastPollers = 2
	mostPollers  = 1000
)

// parameterInPath is {name} or {name+} of a route.
var parameterInPath = regexp.MustCompile(`\{[^{}]*\}`)

// queue adds the mapping that polls a queue and calls the function with batches.
func (f *function) queue(n *engine.NodePlan, s engine.QueueTrigger) {
	batch, calls := f.share(n, s)
	properties := Map{{Key: "BatchSize", Value: batch}}
	if window := int(s.Window.Std() / time.Second); window > 0 {
		properties = append(properties, Entry{Key: "MaximumBatchingWindowInSeconds", Value: window})
	}
	properties = append(properties, Entry{Key: "FunctionResponseTypes", Value: []string{"ReportBatchItemFailures"}})
	if calls > 0 {
		properties = append(properties, Entry{Key: "ScalingConfig", Value: Map{{Key: "MaximumConcurrency", Value: calls}}})
	}
	arn := f.places[s.Resource].arn
	if f.format == SAM {
		f.event(camel(n.Name), "SQS", append(Map{{Key: "Queue", Value: arn}}, properties...))
		return
	}
	f.resource(f.template.id(f.id+camel(n.Name)+"Mapping"), "AWS::Lambda::EventSourceMapping",
		append(Map{{Key: "EventSourceArn", Value: arn}, {Key: "FunctionName", Value: ref(f.fn)}}, properties...))
}

// share is how many messages a call brings and how many calls there may be at a
// time, 0 for any number, so that together they are no more than the flow's
// concurrency. A call brings no more than are worked on at once: those that had
// to wait in it could reach its deadline untouched, and each time count as
// received, up to the dead-letter queue.
func (f *function) share(n *engine.NodePlan, s engine.QueueTrigger) (batch, calls int) {
	batch = s.Batch
	if in, ok := n.Config.(*sqs.In); ok {
		batch = min(batch, max(in.MaxInFlight, 1))
	}
	switch most := f.flow.Concurrency; {
	case most == 0:
		return batch, 0
	case f.reserved() > 0:
		// The function's own concurrency bounds the calls; few pollers get few
		// refusals.
		return 1, leastPollers
	default:
		most /= len(triggersOf[engine.QueueTrigger](f.flow))
		batch = min(batch, most/leastPollers)
		if calls = most / batch; calls > mostPollers {
			calls = 0
		}
		return batch, calls
	}
}

// schedule adds a schedule with a role that lets it call the function.
func (f *function) schedule(n *engine.NodePlan, s engine.ScheduleTrigger) {
	role := f.template.id(f.id + camel(n.Name) + "ScheduleRole")
	f.resource(role, "AWS::IAM::Role", Map{
		{Key: "Description", Value: "Lets the schedule " + n.Name + " call the function of the flow " + f.flow.Name + "."},
		{Key: "AssumeRolePolicyDocument", Value: trust("scheduler.amazonaws.com", Map{{Key: "StringEquals", Value: Map{{Key: "aws:SourceAccount", Value: ref("AWS::AccountId")}}}})},
		{Key: "PermissionsBoundary", Value: ifElse(cBoundary, ref(pBoundary), noValue)},
		{Key: "Policies", Value: []any{Map{{Key: "PolicyName", Value: n.Name}, {Key: "PolicyDocument", Value: document([]any{
			Map{{Key: "Sid", Value: "Invoke"}, {Key: "Effect", Value: "Allow"}, {Key: "Action", Value: []string{"lambda:InvokeFunction"}}, {Key: "Resource", Value: getAtt(f.fn, "Arn")}}})}}}},
		f.tagList(f.flow.Name),
	})
	properties := Map{{Key: "ScheduleExpression", Value: s.Expression}}
	if s.Timezone != "" {
		properties = append(properties, Entry{Key: "ScheduleExpressionTimezone", Value: s.Timezone})
	}
	f.resource(f.template.id(f.id+camel(n.Name)+"Schedule"), "AWS::Scheduler::Schedule", append(properties,
		Entry{Key: "FlexibleTimeWindow", Value: Map{{Key: "Mode", Value: "OFF"}}},
		Entry{Key: "Target", Value: Map{{Key: "Arn", Value: getAtt(f.fn, "Arn")}, {Key: "RoleArn", Value: getAtt(role, "Arn")}, {Key: "Input", Value: events.ScheduleInput(n.Name)}}}))
}

// topic adds a subscription.
func (f *function) topic(n *engine.NodePlan, s engine.TopicTrigger) {
	arn := f.places[s.Resource].arn
	permission := f.permission(f.id+camel(n.Name)+"Permission", "sns.amazonaws.com", arn)
	properties := Map{{Key: "TopicArn", Value: arn}, {Key: "Protocol", Value: "lambda"}, {Key: "Endpoint", Value: getAtt(f.fn, "Arn")}}
	if len(s.Filter) > 0 {
		properties = append(properties, Entry{Key: "FilterPolicyScope", Value: "MessageAttributes"}, Entry{Key: "FilterPolicy", Value: s.Filter})
	}
	f.resource(f.template.id(f.id+camel(n.Name)+"Subscription"), "AWS::SNS::Subscription", properties, Entry{Key: "DependsOn", Value: permission})
}

// notification is what a bucket tells a function.
type notification struct {
	function, permission string
	trigger              engine.BucketTrigger
}

// bucket lets a bucket call the function. One that the template makes gets its
// notifications with addOwned; the configuration of any other belongs to its
// owner, whom an output tells what to add.
func (f *function) bucket(n *engine.NodePlan, s engine.BucketTrigger) {
	at := f.places[s.Resource]
	id := f.permission(f.id+camel(n.Name)+"Permission", "s3.amazonaws.com", at.arn, Entry{Key: "SourceAccount", Value: ref("AWS::AccountId")})
	if at.id != "" {
		f.notifications[s.Resource] = append(f.notifications[s.Resource], notification{f.fn, id, s})
		return
	}
	what := "Let the bucket of the resource " + s.Resource + " notify this function of " + strings.Join(s.Events, ", ")
	if s.Prefix != "" {
		what += " with the prefix " + filterValue(s.Prefix)
	}
	if s.Suffix != "" {
		what += " with the suffix " + filterValue(s.Suffix)
	}
	f.output(f.id+camel(n.Name)+"Notification", what+".", getAtt(f.fn, "Arn"))
}

// pattern adds a rule on an event bus.
func (f *function) pattern(n *engine.NodePlan, s engine.PatternTrigger) {
	rule := f.template.id(f.id + camel(n.Name) + "Rule")
	var properties Map
	if s.Bus != "" {
		properties = Map{{Key: "EventBusName", Value: s.Bus}}
	}
	f.resource(rule, "AWS::Events::Rule", append(properties,
		Entry{Key: "EventPattern", Value: s.Pattern}, Entry{Key: "State", Value: "ENABLED"},
		Entry{Key: "Targets", Value: []any{Map{{Key: "Id", Value: f.fn}, {Key: "Arn", Value: getAtt(f.fn, "Arn")}}}}))
	f.permission(f.id+camel(n.Name)+"Permission", "events.amazonaws.com", getAtt(rule, "Arn"))
}

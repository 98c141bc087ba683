package pack

import (
	"fmt"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

const (
	// gatewayPatience is how long an HTTP API waits for a function ("Quotas for
	// HTTP APIs").
	gatewayPatience = 30 * time.Second
	// longestTimeout is that of a function ("Lambda quotas").
	longestTimeout = 15 * time.Minute
	// usualTimeout is that of a function whose flow sets itself no limit.
	usualTimeout = 30 * time.Second
	// cutting is the time to cut off a run and write the answer.
	cutting = 250 * time.Millisecond
)

// FunctionTimeout is how long the function of a flow may run, in whole seconds:
// as long as a run may take and what the function keeps to answer before it is
// ended, the longer one of half a second and a twentieth; 30s for a flow without
// a limit. It is not held to what AWS allows, which Lint looks at.
func FunctionTimeout(f *engine.FlowPlan) time.Duration {
	var longest time.Duration
	for _, n := range f.Nodes {
		if !n.Kind.IsSource() {
			continue
		}
		limit := f.Timeout
		if in, ok := n.Config.(*http.In); ok && (limit == 0 || in.Deadline.Std() < limit) {
			limit = in.Deadline.Std()
		}
		if limit == 0 {
			limit = usualTimeout - 2*time.Second
		}
		longest = max(longest, limit)
	}
	whole := max(longest+500*time.Millisecond, longest*20/19) + cutting
	return (whole + time.Second - 1).Truncate(time.Second)
}

// deadlines finds HTTP requests for which the run may go on when nobody waits
// any more.
func deadlines(l *linter) {
	for _, f := range l.flows {
		for _, n := range f.Nodes {
			in, ok := n.Config.(*http.In)
			if !ok || in.Deadline.Std() < gatewayPatience || f.Timeout != 0 && f.Timeout < gatewayPatience {
				continue
			}
			l.node(f, n, "deadline", "aws-deadline", fmt.Sprintf("API Gateway waits 30s for an answer, this request may take %s", in.Deadline),
				"give less than 30s; for longer work answer with 202 and send the work to a queue")
		}
	}
}

// timeouts finds flows that may run longer than a function.
func timeouts(l *linter) {
	for _, f := range l.flows {
		if FunctionTimeout(f.FlowPlan) > longestTimeout && f.Timeout != 0 {
			l.flow(f, "timeout", "aws-timeout", fmt.Sprintf("a Lambda function runs for 15m at most, and keeps some of that to say how far it came; this flow may run for %s", engine.Duration(f.Timeout)),
				"give at most 14m, or divide the work over several flows with queues between them")
		}
	}
}

// visibilities finds queues whose file says a shorter visibility than the
// function that takes from them may run, which Lambda refuses ("Using Lambda
// with Amazon SQS"). What the file does not say, the template sets.
func visibilities(l *linter) {
	byName := map[string]*flows.Resource{}
	for _, r := range l.resources {
		byName[r.Name] = r
	}
	for _, f := range l.flows {
		for _, t := range inOrder(f, triggersOf[engine.QueueTrigger](f)) {
			r := byName[t.Resource]
			if r == nil || !l.ResourceSays(r.Name, "visibility") {
				continue
			}
			timeout := FunctionTimeout(f.FlowPlan)
			if q, ok := r.Config.(*sqs.Queue); ok && q.Visibility.Std() < timeout {
				l.resource(r, "visibility", "aws-visibility", fmt.Sprintf("a message is hidden for %s, but the function of the flow %s may work on it for %s", q.Visibility, f.Name, engine.Duration(timeout)),
					fmt.Sprintf("give at least %s, six times that, leave it out, or give the flow a shorter timeout", engine.Duration(min(6*timeout, 12*time.Hour))))
			}
		}
	}
}

package pack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
)

// apart is what to do with two sources of one flow.
const apart = "lead both ways from the one source, or put this source into a flow of its own"

// repeats finds sources that take from the same queue or topic as another one of
// their flow: Lambda keeps one mapping of a queue to a function
// (CreateEventSourceMapping, ResourceConflictException), Amazon SNS one
// subscription of an endpoint to a topic (Subscribe).
func repeats(l *linter) {
	for _, f := range l.flows {
		queues, topics := map[string]string{}, map[string]string{}
		for _, n := range sourcesOf(f) {
			switch t := n.Kind.Trigger(n.Config).(type) {
			case engine.QueueTrigger:
				if first := queues[t.Resource]; first != "" {
					l.node(f, n, "queue", "aws-overlap", fmt.Sprintf("the source %s takes from the queue %s too, and AWS Lambda brings a function the messages of a queue once", first, t.Resource), apart)
					continue
				}
				queues[t.Resource] = n.Name
			case engine.TopicTrigger:
				if first := topics[t.Resource]; first != "" {
					l.node(f, n, "topic", "aws-overlap", fmt.Sprintf("the source %s takes from the topic %s too, and Amazon SNS subscribes a function once", first, t.Resource), apart)
					continue
				}
				topics[t.Resource] = n.Name
			}
		}
	}
}

// listener is a source that a bucket notifies of an event.
type listener struct {
	flow    *flows.Flow
	node    *engine.NodePlan
	event   string
	trigger engine.BucketTrigger
}

// notifications finds notifications of a bucket that overlap, of which S3 takes
// none, be they for one function or several: those of one event whose prefixes
// and whose suffixes both overlap ("Configuring event notifications using object
// key name filtering", Amazon S3 User Guide).
func notifications(l *linter) {
	var before []listener
	for _, f := range l.flows {
		for n, t := range inOrder(f, triggersOf[engine.BucketTrigger](f)) {
			var own []listener
			for _, event := range t.Events {
				own = append(own, listener{f, n, event, t})
			}
			for i, this := range own {
				if other, ok := this.rival(slices.Concat(before, own[:i])); ok {
					l.overlap(this, other)
					break
				}
			}
			before = append(before, own...)
		}
	}
}

func (l *linter) overlap(this, other listener) {
	field, hint := "", "let one flow take the objects, or give both prefixes or suffixes that no key can have at once, such as in/ and out/"
	if this.node == other.node {
		field, hint = "events", fmt.Sprintf("leave %s out", this.event)
		if strings.HasSuffix(this.event, "*") {
			hint = fmt.Sprintf("leave %s out", other.event)
		}
	}
	l.node(this.flow, this.node, field, "aws-overlap", fmt.Sprintf("it would be told of %s beside %s of the flow %s, which is told of %s; Amazon S3 takes no two notifications of one bucket that overlap",
		this.event, other.node.Name, other.flow.Name, other.event), hint)
}

// rival is the first of the others whose notification overlaps.
func (x listener) rival(others []listener) (listener, bool) {
	for _, y := range others {
		if x.trigger.Resource == y.trigger.Resource && sameEvent(x.event, y.event) &&
			(strings.HasPrefix(x.trigger.Prefix, y.trigger.Prefix) || strings.HasPrefix(y.trigger.Prefix, x.trigger.Prefix)) &&
			(strings.HasSuffix(x.trigger.Suffix, y.trigger.Suffix) || strings.HasSuffix(y.trigger.Suffix, x.trigger.Suffix)) {
			return y, true
		}
	}
	return listener{}, false
}

// sameEvent reports whether something can be an event of both names, of which
// one that ends in * is that of a group.
func sameEvent(a, b string) bool {
	groupA, wholeA := strings.CutSuffix(a, "*")
	groupB, wholeB := strings.CutSuffix(b, "*")
	return a == b || wholeA && strings.HasPrefix(b, groupA) || wholeB && strings.HasPrefix(a, groupB)
}

package pack

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes/http"
)

// sources finds those that nothing on AWS can call.
func sources(l *linter) {
	for _, f := range l.flows {
		for _, n := range sourcesOf(f) {
			if n.Kind.Trigger(n.Config) != nil {
				continue
			}
			hint := "take the messages from a queue or another source that AWS calls, or package the other flows with --flow"
			if n.Kind.Type == "mqtt.in" {
				hint = "let a rule of AWS IoT Core send the messages to a queue and take them with sqs.in, or package the other flows with --flow"
			}
			l.node(f, n, "type", "aws-source", fmt.Sprintf("a Lambda function runs only when it is called, and nothing calls it for %s", n.Kind.Type), hint)
		}
	}
}

// routes finds paths that API Gateway does not route as flowctl run does: it
// takes a path as it is written, with {name} for a segment and {name+} for one
// or more at the end ("Create routes for HTTP APIs", API Gateway Developer
// Guide). Of a path that ends in / it makes no route, without a word, and SAM
// gives the permission for one without the slash (aws/serverless-application-model
// issues 665 and 1949).
func routes(l *linter) {
	for _, f := range l.flows {
		for n, t := range inOrder(f, triggersOf[engine.RouteTrigger](f)) {
			switch path := t.Path; {
			case strings.HasSuffix(path, "/{$}") && path != "/{$}":
				own := strings.TrimSuffix(path, "{$}")
				l.node(f, n, "path", "aws-route", fmt.Sprintf("API Gateway has no routes that end in /, so that requests for %s find none", own),
					fmt.Sprintf("write %s, without the slash, or %s{rest...} for all paths below it", strings.TrimSuffix(own, "/"), own))
			case strings.HasSuffix(path, "}"):
			case path == "/":
				l.node(f, n, "path", "aws-route", "on API Gateway this is the path / alone, with flowctl run every path that no other source takes",
					"write /{$} for / alone, or /{rest...} for all paths")
			case strings.HasSuffix(path, "/"):
				l.node(f, n, "path", "aws-route", fmt.Sprintf("on API Gateway %s does not take the paths below it", path),
					fmt.Sprintf("write %s{rest...} for them, or %s, without the slash, for one path", path, strings.TrimSuffix(path, "/")))
			}
		}
	}
}

// inOrder gives triggers in the order of their sources in the file.
func inOrder[T engine.Trigger](f *flows.Flow, triggers map[*engine.NodePlan]T) func(yield func(*engine.NodePlan, T) bool) {
	return func(yield func(*engine.NodePlan, T) bool) {
		for _, n := range f.Nodes {
			if t, ok := triggers[n]; ok && !yield(n, t) {
				return
			}
		}
	}
}

var parameter = regexp.MustCompile(`\{[^{}.]*`)

// preflights finds paths whose sources are in several flows and let pages of
// other origins call: the preflight request goes to one function, which knows
// only its own flow's methods.
func preflights(l *linter) {
	type asked struct {
		flow *flows.Flow
		cors http.CORS
	}
	first := map[string]asked{}
	for _, f := range l.flows {
		for n, t := range inOrder(f, triggersOf[engine.RouteTrigger](f)) {
			in, ok := n.Config.(*http.In)
			if !ok || !t.Preflight {
				continue
			}
			path := parameter.ReplaceAllString(t.Path, "{")
			other, there := first[path]
			if !there {
				first[path] = asked{f, in.CORS}
				continue
			}
			if other.flow == f || len(in.CORS.Methods) > 0 && sameSet(in.CORS.Methods, other.cors.Methods) {
				continue
			}
			l.node(f, n, "cors", "aws-preflight", fmt.Sprintf("preflight requests for %s go to the function of the flow %s, which does not know the methods of this one", t.Path, other.flow.Name),
				"put both sources into one flow, or give both the same list in cors.methods")
		}
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}

// What a synchronous call of a function takes ("Lambda quotas"). Bytes travel
// in base64, three as four.
const (
	maxPayload = 6 << 20
	maxBytes   = maxPayload / 4 * 3
)

// bodies finds http.in sources that would take more than a function can get.
func bodies(l *linter) {
	for _, f := range l.flows {
		for _, n := range f.Nodes {
			in, ok := n.Config.(*http.In)
			if !ok {
				continue
			}
			switch {
			case in.MaxBody > maxPayload:
				l.node(f, n, "max_body", "aws-body", fmt.Sprintf("a body of %s never arrives: a call of a Lambda function carries 6MiB", in.MaxBody), "give at most 6MiB, or let clients upload to a bucket")
			case in.MaxBody > maxBytes && in.Format == "bytes":
				l.node(f, n, "max_body", "aws-body", fmt.Sprintf("a body of %s never arrives: a call of a Lambda function carries 6MiB, and bytes grow by a third on the way", in.MaxBody), "give at most 4608KiB, or let clients upload to a bucket")
			}
		}
	}
}

// selfFeeding finds nodes that send to a queue from which their own flow takes,
// be it by way of other flows and their queues.
func selfFeeding(l *linter) {
	takers := map[string][]*flows.Flow{}
	for _, f := range l.flows {
		for _, t := range triggersOf[engine.QueueTrigger](f) {
			takers[t.Resource] = append(takers[t.Resource], f)
		}
	}
	for _, f := range l.flows {
		for _, n := range f.Nodes {
			for _, queue := range sendsTo(n) {
				way := wayBack(takers, queue, f, nil)
				if way == nil {
					continue
				}
				message := fmt.Sprintf("the flow %s sends to the queue %s, from which it takes", f.Name, queue)
				if len(way) > 1 {
					message = fmt.Sprintf("the queue %s leads back to this flow: %s", queue, strings.Join(way, " > "))
				}
				l.node(f, n, "queue", "aws-loop", message, "AWS Lambda stops such a loop after about 16 rounds; fail and let the queue deliver again, or send to a queue that another app takes from")
			}
		}
	}
}

// sendsTo are the queues that a node sends to.
func sendsTo(n *engine.NodePlan) []string {
	var out []string
	for _, s := range n.Kind.IAM(n.Config) {
		if s.Resource != "" && slices.Contains(s.Actions, "sqs:SendMessage") {
			out = append(out, s.Resource)
		}
	}
	return out
}

// wayBack are the flows through which a message in the queue comes to the flow,
// that one last; nil if it never does.
func wayBack(takers map[string][]*flows.Flow, queue string, to *flows.Flow, seen []string) []string {
	if slices.Contains(seen, queue) {
		return nil
	}
	seen = append(seen, queue)
	if slices.Contains(takers[queue], to) {
		return []string{to.Name}
	}
	for _, f := range takers[queue] {
		further := map[string]bool{}
		for _, n := range f.Nodes {
			for _, q := range sendsTo(n) {
				further[q] = true
			}
		}
		for _, q := range slices.Sorted(maps.Keys(further)) {
			if way := wayBack(takers, q, to, seen); way != nil {
				return append([]string{f.Name}, way...)
			}
		}
	}
	return nil
}

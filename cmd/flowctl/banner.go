package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/host"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	"github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/mqtt"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// banner is what `flowctl run` shows first: where everything is, and lines to
// paste.
type banner struct {
	w    io.Writer
	app  *flows.App
	host *host.Host
	data string
	path string // of the app, as it was given
	now  time.Time
}

func (b banner) print() {
	fmt.Fprintf(b.w, "\nflowctl %s is running %s", currentVersion().Version, b.app.Name)
	if b.app.Doc != "" {
		fmt.Fprintf(b.w, ": %s", strings.TrimSpace(b.app.Doc))
	}
	fmt.Fprint(b.w, "\n\n")
	t := tabwriter.NewWriter(b.w, 0, 0, 2, ' ', 0)
	for _, row := range b.rows() {
		fmt.Fprintf(t, "  %s\n", strings.Join(row, "\t"))
	}
	t.Flush()
	if lines := b.tries(); len(lines) > 0 {
		fmt.Fprint(b.w, "\nTry, from another terminal:\n\n")
		for _, l := range lines {
			fmt.Fprintf(b.w, "  %s\n", l)
		}
	}
	fmt.Fprint(b.w, "\nCtrl-C stops.\n\n")
}

func (b banner) rows() [][]string {
	var rows [][]string
	b.eachNode(func(flow, _ string, config any) {
		if in, ok := config.(*http.In); ok {
			rows = append(rows, []string{"http", fmt.Sprintf("%s %s%s (flow %s)", in.Method, b.httpURL(), in.Path, flow)})
		} else if row := b.handed(flow, config); row != nil {
			rows = append(rows, row)
		}
	})
	for _, r := range b.host.Resources() {
		switch c := r.Config.(type) {
		case *sqs.Queue:
			rows = append(rows, b.queue(r.Name, c)...)
		case *dynamodb.Table:
			rows = append(rows, b.table(r.Name, c))
		case *mqtt.Broker:
			rows = append(rows, []string{"broker", r.Name, b.brokerURL(c)})
		}
	}
	b.eachNode(func(flow, node string, config any) {
		if out, ok := config.(*mqtt.Out); ok {
			rows = append(rows, []string{"topic", topicFilter(out), fmt.Sprintf("published by %s of flow %s", node, flow)})
		}
		if in, ok := config.(*mqtt.In); ok {
			for i := range in.Topic {
				rows = append(rows, []string{"topic", in.Topic[i].Tree().Text, fmt.Sprintf("received by %s of flow %s", node, flow)})
			}
		}
	})
	if b.host.AWSEndpoint() != "" || b.host.MQTTAddr() != "" {
		rows = append(rows, []string{"data", b.data + " (kept; --fresh drops it)"})
	}
	return rows
}

// queue is a row for the queue and one for its dead-letter queue.
func (b banner) queue(name string, q *sqs.Queue) [][]string {
	if outside, err := q.Outside(); err == nil && outside != "" {
		return [][]string{{"queue", name, outside}}
	}
	rows := [][]string{{"queue", q.Name(name), "in the AWS account"}}
	if b.host.AWSEndpoint() == "" {
		return rows
	}
	rows[0][2] = b.queueURL(q.Name(name))
	if dead := q.DeadLetterName(name); dead != "" {
		rows = append(rows, []string{"queue", dead, "dead letters of " + q.Name(name)})
	}
	return rows
}

func (b banner) queueURL(name string) string {
	return b.host.AWSEndpoint() + "/000000000000/" + name
}

func (b banner) table(name string, t *dynamodb.Table) []string {
	if outside, err := t.Outside(); err == nil && outside != "" {
		return []string{"table", name, outside}
	}
	if b.host.AWSEndpoint() == "" {
		return []string{"table", t.Name(name), "in the AWS account"}
	}
	note := b.host.AWSEndpoint()
	if n, fresh := b.host.Seeded(name); fresh {
		note += fmt.Sprintf(", new, %s from %s", count(n, "item"), t.Seed)
	}
	return []string{"table", t.Name(name), note}
}

func (b banner) brokerURL(c *mqtt.Broker) string {
	if outside, err := c.Outside(); err == nil && outside != "" {
		return mqtt.Redacted(outside)
	}
	return "mqtt://" + b.host.MQTTAddr()
}

// httpURL uses the name localhost for a loopback address, as people do.
func (b banner) httpURL() string {
	a := b.host.HTTPAddr()
	if a == nil {
		return ""
	}
	hostPart, port, err := net.SplitHostPort(a.String())
	if ip := net.ParseIP(hostPart); err == nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return "http://localhost:" + port
	}
	return "http://" + a.String()
}

func (b banner) eachNode(visit func(flow, node string, config any)) {
	for _, name := range b.host.Flows() {
		for _, f := range b.app.Flows {
			if f.Name != name {
				continue
			}
			for _, n := range f.Nodes {
				visit(f.Name, n.Name, n.Config)
			}
		}
	}
}

// topicFilter is what to subscribe to for all that a node publishes.
func topicFilter(out *mqtt.Out) string {
	topic := out.Topic.Tree().Text
	before, _, dynamic := strings.Cut(topic, "${{")
	if !dynamic {
		return topic
	}
	return before[:strings.LastIndex(before, "/")+1] + "#"
}

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	"github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/mqtt"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// tries are commands to paste: first what listens, then what sends, then what
// looks inside.
func (b banner) tries() []string {
	var listen, send, first, called []string
	b.eachNode(func(flow, node string, config any) {
		switch c := config.(type) {
		case *mqtt.Out:
			if b.local(c.Broker) {
				listen = append(listen, b.subscribe(topicFilter(c))...)
			}
		case *mqtt.In:
			if b.local(c.Broker) {
				first = append(first, b.publish(c)...)
			}
		case *http.In:
			if b.host.HTTPAddr() != nil {
				first = append(first, b.curl(c))
			}
		case *sqs.In:
			send = append(send, b.send(c)...)
		default:
			if line := b.call(flow, node, config); line != "" {
				called = append(called, line)
			}
		}
	})
	// Where something else can be asked, it is what fills the queues.
	if len(first) > 0 {
		send = first
	}
	return slices.Concat(unique(listen), unique(send), called, b.looks())
}

func unique(lines []string) []string {
	var out []string
	for _, l := range lines {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// looks are commands that look into the first table and the first dead-letter
// queue.
func (b banner) looks() []string {
	e := b.host.AWSEndpoint()
	if e == "" {
		return nil
	}
	var tables, queues []string
	for _, r := range b.host.Resources() {
		switch c := r.Config.(type) {
		case *dynamodb.Table:
			if outside, err := c.Outside(); err == nil && outside == "" {
				tables = append(tables, fmt.Sprintf("aws --no-sign-request --region us-east-1 --endpoint-url %s dynamodb scan --table-name %s", e, c.Name(r.Name)))
			}
		case *sqs.Queue:
			if outside, err := c.Outside(); err == nil && outside == "" && c.DeadLetterName(r.Name) != "" {
				queues = append(queues, fmt.Sprintf("%s queue peek%s %s", self(os.Args[0]), b.endpointFlag(), c.DeadLetterName(r.Name)))
			}
		}
	}
	return slices.Concat(tables[:min(1, len(tables))], queues[:min(1, len(queues))])
}

// local reports whether the embedded broker serves a node.
func (b banner) local(ref engine.Ref[mqtt.Broker]) bool {
	outside, err := ref.Resource.Outside()
	return err == nil && outside == ""
}

func (b banner) subscribe(filter string) []string {
	filter = escaped(filter)
	return []string{
		fmt.Sprintf("%s mqtt sub%s '%s'", self(os.Args[0]), b.urlFlag(), filter),
		fmt.Sprintf("mosquitto_sub%s -v -t '%s'", mosquittoFlags(b.host.MQTTAddr()), filter),
	}
}

// mosquittoFlags name a broker that is not where mosquitto's clients look.
func mosquittoFlags(addr string) (flags string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	if host != "127.0.0.1" {
		flags = " -h " + host
	}
	if port != "1883" {
		flags += " -p " + port
	}
	return flags
}

// publish sends a sample to the first topic of a source whose name is known
// here; a wildcard's place is filled with a 1.
func (b banner) publish(in *mqtt.In) []string {
	for i := range in.Topic {
		filter := in.Topic[i].Tree().Text
		if strings.Contains(filter, "${{") {
			continue
		}
		topic := strings.NewReplacer("+", "1", "#", "1").Replace(filter)
		return []string{fmt.Sprintf("%s mqtt pub%s '%s' '%s'", self(os.Args[0]), b.urlFlag(), escaped(topic), b.sample(in.Body, "hello"))}
	}
	return nil
}

func (b banner) send(in *sqs.In) []string {
	outside, err := in.Queue.Resource.Outside()
	if err != nil || outside != "" || b.host.AWSEndpoint() == "" || in.Queue.Resource.IsFIFO() {
		return nil
	}
	return []string{fmt.Sprintf("%s queue send%s %s '%s'", self(os.Args[0]), b.endpointFlag(), in.Queue.Resource.Name(in.Queue.Name), b.sample(in.Body, "hello"))}
}

// urlFlag and endpointFlag name the servers to flowctl where they are not where
// it looks.
func (b banner) urlFlag() string {
	if url := "mqtt://" + b.host.MQTTAddr(); url != defaultBroker {
		return " --url " + url
	}
	return ""
}

func (b banner) endpointFlag() string {
	if e := b.host.AWSEndpoint(); e != defaultEndpoint {
		return " --endpoint " + e
	}
	return ""
}

// self is how to call again what was called as os.Args[0]: a newcomer has it at
// bin/flowctl, and not where the shell looks.
func self(called string) string {
	if strings.ContainsRune(called, filepath.Separator) && !strings.ContainsAny(called, " '\"$") {
		return called
	}
	return "flowctl"
}

// sample is a body of the schema as JSON to stand between single quotes, or else
// the given text where there is none.
func (b banner) sample(s engine.Schema, without string) string {
	if value := b.app.Sample(s.Name); value != nil {
		if text, err := json.Marshal(value); err == nil {
			return escaped(string(text))
		}
	}
	return without
}

// sampleValue is a value of the schema, or else the given one.
func (b banner) sampleValue(s engine.Schema, without any) any {
	if value := b.app.Sample(s.Name); value != nil {
		return value
	}
	return without
}

// escaped is a text to stand between single quotes in a shell.
func escaped(text string) string { return strings.ReplaceAll(text, "'", `'\''`) }

func (b banner) curl(in *http.In) string {
	method, body := "", ""
	if text := b.sample(in.Body, ""); text != "" {
		body = fmt.Sprintf(" -d '%s'", text)
	}
	if in.Method != "GET" && in.Method != "ANY" && (in.Method != "POST" || body == "") {
		method = " -X " + in.Method
	}
	url := strings.TrimPrefix(b.httpURL(), "http://") + strings.TrimSuffix(in.Path, "{$}")
	return fmt.Sprintf("curl -si%s %s%s", method, quoted(url), body)
}

package pack

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	"github.com/flowctl-dev/flowctl/nodes/events"
	"github.com/flowctl-dev/flowctl/nodes/mqtt"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

const brokerType = "mqtt.broker"

// addressField is the key under which a resource says that it is there already.
func addressField(r *flows.Resource) string {
	switch r.Kind.Type {
	case "dynamodb.table":
		return "table"
	case "sns.topic":
		return "arn"
	case "s3.bucket":
		return "bucket"
	}
	return "url"
}

// outside is the address that the file gives a resource, "" if it gives none.
func outside(r *flows.Resource) string {
	if place, ok := r.Config.(interface{ Outside() (string, error) }); ok {
		if at, err := place.Outside(); err == nil {
			return at
		}
	}
	return ""
}

// maxNames are how long names in the account may be (API references of the
// services).
var maxNames = map[string]int{"sqs.queue": 80, "dynamodb.table": 255, "sns.topic": 256, "s3.bucket": 63}

// stageRoom is what a stage may add to names, with its hyphen.
const stageRoom = 12

// bucketEnd stands for what is added to the name of a bucket for which the file
// gives none, so that no other bucket in the world has it.
const bucketEnd = "-xxxxxxxx"

// made are the names in the account of what the template makes for a resource,
// without a stage: as the file gives them, else with the stack's in front, which
// is that of the app.
func made(app *flows.App, r *flows.Resource) []string {
	if outside(r) != "" {
		return nil
	}
	in := func(name string, field string) string {
		if app.ResourceSays(r.Name, field) {
			return name
		}
		return app.Name + "-" + name
	}
	switch c := r.Config.(type) {
	case *sqs.Queue:
		names := []string{in(c.Name(r.Name), "name")}
		if deadLettersTo(app, r) != nil {
			return names
		}
		if dead := c.DeadLetterName(r.Name); dead != "" && app.ResourceSays(r.Name, "dead_letter.queue") {
			names = append(names, dead)
		} else if dead != "" {
			names = append(names, in(dead, "name"))
		}
		return names
	case *dynamodb.Table:
		return []string{in(c.Name(r.Name), "name")}
	case *events.Topic:
		return []string{in(c.Name(r.Name), "name")}
	case *events.Bucket:
		if app.ResourceSays(r.Name, "name") {
			return []string{c.BucketName}
		}
		return []string{strings.ReplaceAll(app.Name, "_", "-") + "-" + strings.ReplaceAll(r.Name, "_", "-") + bucketEnd}
	}
	return nil
}

// maxFunctionName is how long a function's name may be.
const maxFunctionName = 64

// names finds what would be called more than AWS takes when a stage is added.
func names(l *linter) {
	for _, f := range l.flows {
		if name := l.Name + "-" + f.Name; len(name)+stageRoom > maxFunctionName {
			l.flow(f, "", "aws-name", fmt.Sprintf("the function %s has a name of %d characters, and with a stage of up to %d more than the %d that AWS takes", name, len(name), stageRoom-1, maxFunctionName),
				"shorten the name of the flow or of the app")
		}
	}
	for _, r := range l.resources {
		for _, name := range made(l.App, r) {
			if most := maxNames[r.Kind.Type]; len(name)+stageRoom > most {
				l.resource(r, "name", "aws-name", fmt.Sprintf("%s has %d characters, and with a stage of up to %d more than the %d that AWS takes", name, len(name), stageRoom-1, most),
					"give the resource or the app a shorter name")
				break
			}
		}
	}
}

// twins finds resources that would be made twice under one name, and those that
// are one under flowctl run and would be two.
func twins(l *linter) {
	first, here := map[string]string{}, map[string]string{}
	for _, r := range l.resources {
		other, name := "", ""
		for _, made := range made(l.App, r) {
			key := r.Kind.Type + " " + made
			if first[key] == "" {
				first[key] = r.Name
			} else if other == "" {
				other, name = first[key], made
			}
		}
		if other != "" {
			l.resource(r, "name", "aws-name", fmt.Sprintf("the resource %s makes %s too, and there can be only one in an account", other, name), "give one of them another name, or use one resource in both places")
			continue
		}
		key := r.Kind.Type + " " + localName(r)
		if one := here[key]; one != "" {
			l.resource(r, "name", "aws-name", fmt.Sprintf("under flowctl run it is the same as the resource %s, as both are called %s; on AWS they are two, since only a name that the file gives is taken as it is", one, localName(r)),
				"use one resource in both places, or give one of them another name")
		} else if localName(r) != "" {
			here[key] = r.Name
		}
	}
}

// localName is what the stand-in of flowctl run calls a resource, "" for one
// that has none.
func localName(r *flows.Resource) string {
	if outside(r) != "" {
		return ""
	}
	switch c := r.Config.(type) {
	case *sqs.Queue:
		return c.Name(r.Name)
	case *dynamodb.Table:
		return c.Name(r.Name)
	}
	return ""
}

// addresses finds what is there already at a place that no permission can be
// made for.
func addresses(l *linter) {
	for _, r := range l.resources {
		if place, ok := r.Config.(interface{ Outside() (string, error) }); ok && r.Kind.Type != brokerType {
			if _, err := place.Outside(); err != nil {
				l.resource(r, addressField(r), "aws-address", err.Error(), "give the name or the ARN of what is there, or leave it out for one of the app's own")
			}
		}
		at := outside(r)
		if r.Kind.Type != queueType || at == "" {
			continue
		}
		const hint = "write https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
		switch {
		case !queueURL.MatchString(at):
			l.resource(r, "url", "aws-address", fmt.Sprintf("%q does not tell region, account and name of the queue, which the permission to use it needs", at), hint)
		case fromSetting(r) != "" && !currentQueueURL.MatchString(at):
			l.resource(r, "url", "aws-address", fmt.Sprintf("%q is the URL's older form, and the permission goes by the place of the region in the newer one where a parameter may give another queue", at), hint)
		}
	}
}

var currentQueueURL = regexp.MustCompile(queueURLNow)

// keyAliases finds queues whose key no permission can be written for.
func keyAliases(l *linter) {
	for _, r := range l.resources {
		if q, ok := r.Config.(*sqs.Queue); ok && q.KeyAlias() != "" {
			l.resource(r, "kms_key", "aws-key", fmt.Sprintf("a permission is given on a key, and the alias %s may stand for any", strings.TrimPrefix(q.KeyAlias(), "alias/")), "give the key's id or ARN")
		}
	}
}

// brokers finds brokers that a function cannot reach. A url that reads a setting
// is given when the template is deployed.
func brokers(l *linter) {
	for _, r := range l.resources {
		b, ok := r.Config.(*mqtt.Broker)
		if !ok || !l.used[r.Name] {
			continue
		}
		if len(l.SettingsAt(r.Name, "url")) == 0 && outside(r) == "" {
			l.resource(r, "url", "aws-broker", "the broker has no url, and the one that flowctl run brings along is not there on AWS", fmt.Sprintf("give it one: `url: mqtts://HOST`, or a setting for it, `url: ${{ env.%s_URL }}`", strings.ToUpper(r.Name)))
		}
		if key := atPackaging(&b.TLS.Key); key != "" && !path.IsAbs(key) {
			l.resource(r, "tls.key", "aws-tls", fmt.Sprintf("private keys are not packaged, so that %s is not there", key), "put it into a layer and give its path, /opt/…, or connect with username and password from secret settings")
		}
	}
}

// atPackaging is the text of a field as it is without any other settings than
// those that the app is packaged with, "" for one that cannot be told.
func atPackaging(v *expr.Value[string]) string {
	text, err := v.Get(new(expr.Env))
	if err != nil {
		return ""
	}
	return text
}

// permissions finds nodes that do not say exactly what they do to what.
func permissions(l *linter) {
	for _, f := range l.flows {
		for _, n := range f.Nodes {
			for _, s := range n.Kind.IAM(n.Config) {
				wild := strings.Contains(strings.Join(s.Actions, " ")+s.ARN+s.Below, "*")
				if s.ARN != "" && !wild || s.ARN == "" && !wild && resourceOf(l.App, s.Resource) != nil {
					continue
				}
				l.node(f, n, "", "aws-permission", fmt.Sprintf("what the node does %s to is only known when a message is there, and the permission for it needs a bound", strings.Join(s.Actions, ", ")),
					"name a resource of the app instead of writing an expression")
			}
		}
	}
}

package pack

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
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

// owned is the name in the account of a resource that the template makes, with
// the longest that AWS takes; "" for one that it does not make.
func owned(r *flows.Resource) (name string, most int) {
	if outside(r) != "" {
		return "", 0
	}
	switch c := r.Config.(type) {
	case *sqs.Queue:
		if dead := c.DeadLetterName(r.Name); len(dead) > len(c.Name(r.Name)) {
			return dead, 80
		}
		return c.Name(r.Name), 80
	case *dynamodb.Table:
		return c.Name(r.Name), 255
	}
	return "", 0
}

// stageRoom is what --stage may put in front of names, with its hyphen.
const stageRoom = 12

// maxFunctionName is how long a function's and a role's name may be.
const maxFunctionName = 64

// names finds what would be called more than AWS takes, with a stage in front.
func names(l *linter) {
	for _, f := range l.flows {
		if name := l.Name + "-" + f.Name; len(name)+stageRoom > maxFunctionName {
			l.flow(f, "", "aws-name", fmt.Sprintf("the function %s has a name of %d characters, and with a stage of up to %d in front it is longer than the %d that AWS Lambda takes", name, len(name), stageRoom-1, maxFunctionName),
				"shorten the name of the flow or of the app")
		}
	}
	for _, r := range l.resources {
		if name, most := owned(r); len(name)+stageRoom > most && name != "" {
			l.resource(r, "name", "aws-name", fmt.Sprintf("%s has %d characters, and with a stage of up to %d in front it is longer than the %d that AWS takes", name, len(name), stageRoom-1, most),
				"give the resource a shorter name")
		}
	}
}

// twins finds resources that would be made twice under one name.
func twins(l *linter) {
	first := map[string]string{}
	for _, r := range l.resources {
		other, name := "", ""
		for _, made := range made(r) {
			key := r.Kind.Type + " " + made
			if first[key] == "" {
				first[key] = r.Name
			} else if other == "" {
				other, name = first[key], made
			}
		}
		if other != "" {
			l.resource(r, "name", "aws-name", fmt.Sprintf("the resource %s makes %s too, and there can be only one in an account", other, name), "give one of them another name, or use one resource in both places")
		}
	}
}

// made are the names in the account of all that the template makes for a
// resource.
func made(r *flows.Resource) []string {
	if q, ok := r.Config.(*sqs.Queue); ok && outside(r) == "" {
		return slices.DeleteFunc([]string{q.Name(r.Name), q.DeadLetterName(r.Name)}, func(name string) bool { return name == "" })
	}
	if name, _ := owned(r); name != "" {
		return []string{name}
	}
	return nil
}

// addresses finds queues that are there already at a place that no permission
// can be made for.
func addresses(l *linter) {
	for _, r := range l.resources {
		if at := outside(r); r.Kind.Type == "sqs.queue" && at != "" && !queueURL.MatchString(at) {
			l.resource(r, "url", "aws-address", fmt.Sprintf("%q does not tell region, account and name of the queue, which the permission to use it needs", at), "write https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
		}
	}
}

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
		if key := constant(&b.TLS.Key); key != "" && !path.IsAbs(key) {
			l.resource(r, "tls.key", "aws-tls", fmt.Sprintf("private keys are not packaged, so that %s is not there", key), "put it into a layer and give its path, /opt/…, or connect with username and password from secret settings")
		}
	}
}

// constant is the text of a field that holds no expression, "" for any other.
func constant(v *expr.Value[string]) string {
	text, _ := v.Const()
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

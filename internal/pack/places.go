package pack

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	"github.com/flowctl-dev/flowctl/nodes/events"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// place is what stands for a resource of the app in the template.
type place struct {
	// id is the logical id of what the template makes; "" for what is there
	// already.
	id string
	// arn and address are values of a template, the address being what the
	// functions get: URL, name or ARN. They are nil for what is not in AWS.
	arn, address any
}

// uses reports whether a node of the flow uses the resource.
func uses(f *flows.Flow, resource string) bool {
	return slices.ContainsFunc(f.Nodes, func(n *engine.NodePlan) bool {
		return slices.ContainsFunc(engine.References(n.Config), func(r engine.Reference) bool { return r.Target() == resource })
	})
}

// used are the resources that the packaged flows use, and the queues that the
// dead letters of such go to.
func (t *template) used() []*flows.Resource {
	used := map[*flows.Resource]bool{}
	for _, r := range t.app.Resources {
		if slices.ContainsFunc(t.flows, func(f *flows.Flow) bool { return uses(f, r.Name) }) {
			for ; r != nil && !used[r]; r = deadLettersTo(t.app, r) {
				used[r] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(t.app.Resources), func(r *flows.Resource) bool { return !used[r] })
}

// deadLettersTo is the queue of the app that a queue's dead letters go to, which
// dead_letter.queue gives by its name; nil where they go to one that nothing
// else is known of, or to none.
func deadLettersTo(app *flows.App, r *flows.Resource) *flows.Resource {
	q, ok := r.Config.(*sqs.Queue)
	if !ok || outside(r) != "" || q.DeadLetterName(r.Name) == "" {
		return nil
	}
	for _, other := range app.Resources {
		if o, ok := other.Config.(*sqs.Queue); ok && other != r && outside(other) == "" && o.Name(other.Name) == q.DeadLetterName(r.Name) {
			return other
		}
	}
	return nil
}

// addPlaces finds out what each resource is in the template.
func (t *template) addPlaces() error {
	for _, r := range t.used() {
		var p place
		var err error
		switch at := outside(r); {
		case r.Kind.Type == brokerType:
			continue
		case at == "":
			p = t.ownedPlace(r)
		default:
			p, err = t.outsidePlace(r, at)
		}
		if err != nil {
			return fmt.Errorf("resource %s: %w", r.Name, err)
		}
		t.places[r.Name] = p
	}
	return nil
}

func (t *template) ownedPlace(r *flows.Resource) place {
	_, kind, _ := strings.Cut(r.Kind.Type, ".")
	id := t.id(camel(r.Name) + camel(kind))
	p := place{id: id, arn: getAtt(id, "Arn"), address: ref(id)}
	switch r.Kind.Type {
	case topicType:
		p.arn = ref(id)
	case bucketType:
		// The bucket's notifications name the function, so that what the
		// function is told of the bucket must not name the bucket.
		p.address = t.bucketName(r)
		p.arn = bucketARN(p.address)
	}
	return p
}

const (
	queueType  = "sqs.queue"
	topicType  = "sns.topic"
	bucketType = "s3.bucket"
)

// bucketName is a name that no other bucket in the world has, in the lower case
// that S3 asks for, which the stack's own name may not be in.
func (t *template) bucketName(r *flows.Resource) any {
	if b, ok := r.Config.(*events.Bucket); ok && b.Name() != "" {
		return t.staged(b.Name())
	}
	name := strings.Join(strings.FieldsFunc(strings.ToLower(t.staged(t.app.Name)+"-"+r.Name), func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9')
	}), "-")
	// The id of a stack ends in a UUID.
	unique := piece(0, "-", piece(2, "/", ref("AWS::StackId")))
	return subWith(name+"-${Unique}", Map{{Key: "Unique", Value: unique}})
}

func bucketARN(name any) Intrinsic {
	if text, ok := name.(string); ok {
		return sub("arn:${AWS::Partition}:s3:::" + text)
	}
	return subWith("arn:${AWS::Partition}:s3:::${Bucket}", Map{{Key: "Bucket", Value: name}})
}

// outsidePlace is a resource that is there already. Where its address is a
// setting and nothing else, it is the setting's parameter to say which one it
// is; else what the file says holds.
func (t *template) outsidePlace(r *flows.Resource, at string) (place, error) {
	var address any = at
	if name := t.settings[fromSetting(r)].parameter; name != "" {
		address = ref(name)
	}
	p := place{address: address}
	_, fixed := address.(string)
	switch {
	case r.Kind.Type == queueType && fixed:
		arn, ok := queueARN(at)
		if !ok {
			return p, fmt.Errorf("%q does not tell region, account and name of the queue; write https://sqs.REGION.amazonaws.com/ACCOUNT/NAME", at)
		}
		p.arn = arn
	case r.Kind.Type == queueType:
		p.arn = subWith("arn:${AWS::Partition}:sqs:${Region}:${Account}:${Name}", Map{
			{Key: "Region", Value: piece(1, ".", address)}, {Key: "Account", Value: piece(3, "/", address)}, {Key: "Name", Value: piece(4, "/", address)}})
		t.limit(address, queueURLNow)
	case r.Kind.Type == bucketType:
		p.arn = bucketARN(address)
	case fixed && strings.HasPrefix(at, "arn:"):
		p.arn = at
	case r.Kind.Type == "dynamodb.table" && fixed:
		p.arn = sub("arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/" + at)
	case r.Kind.Type == "dynamodb.table":
		isARN := t.id(camel(r.Name) + "IsArn")
		t.condition(isARN, Intrinsic{"Equals", []any{piece(0, ":", address), "arn"}})
		p.arn = ifElse(isARN, address, subWith("arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Name}", Map{{Key: "Name", Value: address}}))
	default: // a topic, which has no other address than its ARN
		p.arn = address
	}
	return p, nil
}

// queueURLNow is the URL of a queue in the form that services give today, whose
// parts are where a template finds them.
const queueURLNow = `^https://sqs(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[0-9]{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?$`

// onlySetting is a text that is the value of one setting.
var onlySetting = regexp.MustCompile(`^\s*\$\{\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}\s*$`)

// fromSetting is the setting whose value the address of a resource is and
// nothing else, "" for any other address.
func fromSetting(r *flows.Resource) string {
	if tree := addressTree(r); tree != nil {
		if m := onlySetting.FindStringSubmatch(tree.Text); m != nil {
			return m[1]
		}
	}
	return ""
}

func addressTree(r *flows.Resource) *expr.Tree {
	switch c := r.Config.(type) {
	case *sqs.Queue:
		return c.URL.Tree()
	case *dynamodb.Table:
		return c.Table.Tree()
	case *events.Topic:
		return c.ARN.Tree()
	case *events.Bucket:
		return c.Bucket.Tree()
	}
	return nil
}

// limit lets the parameter take only what fits the pattern; several resources
// may ask for that.
func (t *template) limit(parameter any, pattern string) {
	for i, p := range t.parameters {
		limited := Entry{Key: "AllowedPattern", Value: pattern}
		if parameter == ref(p.Key) && !slices.Contains(p.Value.(Map), limited) {
			t.parameters[i].Value = append(p.Value.(Map), limited)
		}
	}
}

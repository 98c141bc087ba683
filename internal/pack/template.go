package pack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/flows"
)

// Format is the language of a template.
type Format string

// The formats. SAM is CloudFormation with the transform AWS::Serverless, which
// writes a function and what calls it in one place.
const (
	SAM            Format = "sam"
	CloudFormation Format = "cloudformation"
)

// template is a template in the making.
type template struct {
	app    *flows.App
	flows  []*flows.Flow
	format Format
	arch   Arch
	stage  string
	// zip is the name of the file with the functions' code, key where it is put
	// in a bucket.
	zip, key string

	policies map[string]Policy // by flow
	ids      map[string]bool   // logical ids and names of parameters taken
	settings map[string]setting
	places   map[string]place // by resource
	secrets  map[string]secret
	// timeouts are how long the functions of flows may run, in seconds.
	timeouts map[string]int
	// notifications are what the template's buckets tell functions, by resource.
	notifications map[string][]notification
	// functionIDs are the logical ids of the functions, by flow.
	functionIDs map[string]string

	parameters, conditions, resources, outputs Map
	// events counts the resources that SAM makes of functions' events.
	events int
}

// names of the parameters that every template has.
const (
	pMemory      = "MemorySize"
	pRetention   = "LogRetentionDays"
	pTracing     = "Tracing"
	pLogLevel    = "LogLevel"
	pAlarmTopic  = "AlarmTopicArn"
	pBoundary    = "PermissionsBoundaryArn"
	pSubnets     = "SubnetIds"
	pGroups      = "SecurityGroupIds"
	pCodeBucket  = "CodeBucket"
	pCodeKey     = "CodeKey"
	pRate        = "ApiRequestsPerSecond"
	pBurst       = "ApiBurst"
	pOldest      = "OldestMessageAlarmSeconds"
	cAlarmTopic  = "HasAlarmTopic"
	cBoundary    = "HasPermissionsBoundary"
	cInVPC       = "InVpc"
	cTraced      = "Traced"
	idAPI        = "Api"
	idAPILog     = "ApiAccessLog"
	idAPIDefault = "ApiStage"
)

// render makes the template. What is wrong with the app itself Lint has found
// before.
func (t *template) render() ([]byte, error) {
	for _, id := range []string{pMemory, pRetention, pTracing, pLogLevel, pAlarmTopic, pBoundary, pSubnets, pGroups, pCodeBucket, pCodeKey, pRate, pBurst, pOldest, idAPI, idAPILog, idAPIDefault} {
		t.ids[id] = true
	}
	t.addCode()
	t.addSettings()
	t.addParameters()
	if err := t.addPlaces(); err != nil {
		return nil, err
	}
	t.addAPI()
	for _, f := range t.flows {
		if err := t.addFunction(f); err != nil {
			return nil, err
		}
	}
	if err := t.addOwned(); err != nil {
		return nil, err
	}
	if err := t.fits(); err != nil {
		return nil, err
	}
	return writeYAML(t.whole()), nil
}

// What a template may hold ("CloudFormation quotas").
const (
	mostResources  = 500
	mostParameters = 200
	mostOutputs    = 200
)

func (t *template) fits() error {
	for _, part := range []struct {
		what string
		n    int
		most int
	}{{"resources", len(t.resources) + t.events, mostResources}, {"parameters", len(t.parameters), mostParameters}, {"outputs", len(t.outputs), mostOutputs}} {
		if part.n > part.most {
			return fmt.Errorf("the template has %d %s, and CloudFormation takes %d; package the flows in several parts with --flow", part.n, part.what, part.most)
		}
	}
	return nil
}

func (t *template) whole() Map {
	m := Map{{Key: "AWSTemplateFormatVersion", Value: "2010-09-09"}}
	if t.format == SAM {
		m = append(m, Entry{Key: "Transform", Value: "AWS::Serverless-2016-10-31"})
	}
	if doc := shortened(t.app.Doc, 1024); doc != "" {
		m = append(m, Entry{Key: "Description", Value: doc})
	}
	for _, section := range []Entry{{Key: "Parameters", Value: t.parameters}, {Key: "Conditions", Value: t.conditions}, {Key: "Resources", Value: t.resources}, {Key: "Outputs", Value: t.outputs}} {
		if len(section.Value.(Map)) > 0 {
			m = append(m, section)
		}
	}
	return m
}

// shortened is a text on one line, cut to the first sentences that fit.
func shortened(doc string, most int) string {
	doc = strings.Join(strings.Fields(doc), " ")
	if len(doc) <= most {
		return doc
	}
	cut := []rune(doc)
	for len(string(cut)) > most-3 {
		cut = cut[:len(cut)-1]
	}
	if end := strings.LastIndex(string(cut), ". "); end > 0 {
		return string(cut)[:end+1]
	}
	return string(cut) + "..."
}

// id is a logical id that nothing else has.
func (t *template) id(wanted string) string {
	id := unique(wanted, func(id string) bool { return t.ids[id] })
	t.ids[id] = true
	return id
}

// unique is a name, with the first number from 2 on at its end that makes it
// one that is not taken.
func unique(wanted string, taken func(string) bool) string {
	name := wanted
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s%d", wanted, n)
	}
	return name
}

// parameter adds a parameter; a type other than String comes first of the rest.
func (t *template) parameter(name, doc string, rest ...Entry) {
	m := Map{{Key: "Type", Value: "String"}}
	if len(rest) > 0 && rest[0].Key == "Type" {
		m[0], rest = rest[0], rest[1:]
	}
	if doc != "" {
		m = append(m, Entry{Key: "Description", Value: shortened(doc, 4000)})
	}
	t.parameters = append(t.parameters, Entry{Key: name, Value: append(m, rest...)})
}

func (t *template) condition(name string, value any) {
	t.conditions = append(t.conditions, Entry{Key: name, Value: value})
}

func given(parameter string) Intrinsic {
	return Intrinsic{"Not", []any{Intrinsic{"Equals", []any{ref(parameter), ""}}}}
}

// resource adds a resource; attributes such as DependsOn stand before its
// properties.
func (t *template) resource(id, kind string, properties Map, attributes ...Entry) {
	m := append(Map{{Key: "Type", Value: kind}}, attributes...)
	t.resources = append(t.resources, Entry{Key: id, Value: append(m, Entry{Key: "Properties", Value: properties})})
}

// output adds an output. Names of the file that differ may give one logical id.
func (t *template) output(id, doc string, value any) {
	id = unique(id, func(id string) bool { return slices.ContainsFunc(t.outputs, func(e Entry) bool { return e.Key == id }) })
	t.outputs = append(t.outputs, Entry{Key: id, Value: Map{{Key: "Description", Value: doc}, {Key: "Value", Value: value}}})
}

// addCode adds where the functions' code is. What SAM has in a file beside the
// template, a plain template has in a bucket.
func (t *template) addCode() {
	if t.format == CloudFormation {
		t.parameter(pCodeBucket, "Bucket that the zip was copied to.", Entry{Key: "MinLength", Value: 3})
		t.parameter(pCodeKey, "Key of the zip in the bucket.", Entry{Key: "Default", Value: t.key})
	}
}

// addParameters adds those that every template has.
func (t *template) addParameters() {
	t.parameter(pMemory, "Memory of each function in MB. The share of a CPU grows with it.", Entry{Key: "Type", Value: "Number"},
		Entry{Key: "Default", Value: 256}, Entry{Key: "MinValue", Value: 128}, Entry{Key: "MaxValue", Value: 10240})
	t.parameter(pLogLevel, "The least level that is logged.", Entry{Key: "Default", Value: "INFO"},
		Entry{Key: "AllowedValues", Value: []string{"DEBUG", "INFO", "WARN", "ERROR"}})
	t.parameter(pRetention, "Days for which logs are kept.", Entry{Key: "Type", Value: "Number"}, Entry{Key: "Default", Value: 30},
		Entry{Key: "AllowedValues", Value: []any{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}})
	t.parameter(pTracing, "Active sends traces to AWS X-Ray.", Entry{Key: "Default", Value: "PassThrough"},
		Entry{Key: "AllowedValues", Value: []string{"PassThrough", "Active"}})
	t.condition(cTraced, Intrinsic{"Equals", []any{ref(pTracing), "Active"}})
	t.parameter(pAlarmTopic, "ARN of an SNS topic that alarms are sent to. Empty, they only show in CloudWatch.", Entry{Key: "Default", Value: ""})
	t.condition(cAlarmTopic, given(pAlarmTopic))
	t.parameter(pBoundary, "ARN of a policy that bounds what the functions' roles may do. Empty, there is none.", Entry{Key: "Default", Value: ""})
	t.condition(cBoundary, given(pBoundary))
	t.parameter(pSubnets, "Subnets of a VPC to run the functions in, with commas between them. Empty, they run outside of any.",
		Entry{Key: "Type", Value: "CommaDelimitedList"}, Entry{Key: "Default", Value: ""})
	t.parameter(pGroups, "Security groups of the functions, where SubnetIds are given.",
		Entry{Key: "Type", Value: "CommaDelimitedList"}, Entry{Key: "Default", Value: ""})
	t.condition(cInVPC, Intrinsic{"Not", []any{Intrinsic{"Equals", []any{Intrinsic{"Join", []any{"", ref(pSubnets)}}, ""}}}})
}

// plainName is a name in characters that tags and names of parameters take.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-", r) {
			return r
		}
		return '-'
	}, name)
}

// tags are those of a resource; flow is "" for what several flows use.
func (t *template) tags(flow string) []Entry {
	out := []Entry{{Key: "flowctl:app", Value: plainName(t.app.Name)}}
	if t.stage != "" {
		out = append(out, Entry{Key: "flowctl:stage", Value: t.stage})
	}
	if flow != "" {
		out = append(out, Entry{Key: "flowctl:flow", Value: flow})
	}
	return out
}

// tagList are tags in the form that most resource types take.
func (t *template) tagList(flow string) Entry {
	var list []any
	for _, tag := range t.tags(flow) {
		list = append(list, Map{{Key: "Key", Value: tag.Key}, {Key: "Value", Value: tag.Value}})
	}
	return Entry{Key: "Tags", Value: list}
}

// named is the name of something that the file gives none: that of the stack
// in front keeps two stacks apart.
func named(name string) Intrinsic { return sub("${AWS::StackName}-" + name) }

// staged is a name that the file gives, with the stage in front.
func staged(name, stage string) string {
	if stage == "" {
		return name
	}
	return stage + "-" + name
}

func (t *template) staged(name string) string { return staged(name, t.stage) }

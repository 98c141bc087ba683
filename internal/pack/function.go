package pack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
)

// Arch is the processor that functions run on, as AWS Lambda names it.
type Arch string

// The architectures.
const (
	ARM64 Arch = "arm64"
	X86   Arch = "x86_64"
)

// function is a flow's function in the making.
type function struct {
	*template
	flow *flows.Flow
	// id begins the logical ids of everything that belongs to it.
	id, fn, role, log, failed string
	// events are the function's sources in the form of SAM.
	events Map
	// integrated is the logical id of the integration of a plain template's API.
	integrated string
}

func (t *template) addFunction(flow *flows.Flow) error {
	id := camel(flow.Name)
	f := &function{template: t, flow: flow, id: id, fn: t.id(id + "Function"), role: t.id(id + "Role"), log: t.id(id + "Log"), failed: t.id(id + "FailedEvents")}
	t.functionIDs[flow.Name] = f.fn
	t.resource(f.log, "AWS::Logs::LogGroup", Map{
		{Key: "LogGroupName", Value: sub("/aws/lambda/${AWS::StackName}-" + flow.Name)},
		{Key: "RetentionInDays", Value: ref(pRetention)}, t.tagList(flow.Name),
	}, Entry{Key: "DeletionPolicy", Value: "Delete"}, Entry{Key: "UpdateReplacePolicy", Value: "Delete"})
	f.addRole()
	// What calls the function stands behind it.
	later := t.resources
	t.resources = nil
	if err := f.addSources(); err != nil {
		return err
	}
	sources := t.resources
	t.resources = later
	f.addFunction()
	t.resources = append(t.resources, sources...)
	f.addFailedEvents()
	f.addAlarms()
	t.output(f.fn+"Name", "Name of the function of the flow "+flow.Name+".", ref(f.fn))
	return nil
}

func (f *function) addFunction() {
	properties := Map{{Key: "FunctionName", Value: named(f.flow.Name)}}
	if doc := shortened(f.flow.Doc, 256); doc != "" {
		properties = append(properties, Entry{Key: "Description", Value: doc})
	}
	properties = append(properties, Entry{Key: "Runtime", Value: "provided.al2023"}, Entry{Key: "Handler", Value: "bootstrap"},
		Entry{Key: "Architectures", Value: []string{string(f.arch)}})
	if f.format == SAM {
		properties = append(properties, Entry{Key: "CodeUri", Value: f.zip})
	} else {
		properties = append(properties, Entry{Key: "Code", Value: Map{{Key: "S3Bucket", Value: ref(pCodeBucket)}, {Key: "S3Key", Value: ref(pCodeKey)}}})
	}
	properties = append(properties,
		Entry{Key: "MemorySize", Value: ref(pMemory)},
		Entry{Key: "Timeout", Value: f.timeouts[f.flow.Name]},
		Entry{Key: "Role", Value: getAtt(f.role, "Arn")})
	if n := f.reserved(); n > 0 {
		properties = append(properties, Entry{Key: "ReservedConcurrentExecutions", Value: n})
	}
	properties = append(properties,
		Entry{Key: "Environment", Value: Map{{Key: "Variables", Value: f.environment(f.flow)}}},
		Entry{Key: "LoggingConfig", Value: Map{{Key: "LogFormat", Value: "JSON"}, {Key: "ApplicationLogLevel", Value: ref(pLogLevel)}, {Key: "LogGroup", Value: ref(f.log)}}},
		Entry{Key: "VpcConfig", Value: ifElse(cInVPC, Map{{Key: "SecurityGroupIds", Value: ref(pGroups)}, {Key: "SubnetIds", Value: ref(pSubnets)}}, noValue)})
	if f.format == SAM {
		properties = append(properties, Entry{Key: "Tracing", Value: ref(pTracing)}, Entry{Key: "Tags", Value: Map(f.tags(f.flow.Name))})
		if len(f.events) > 0 {
			properties = append(properties, Entry{Key: "Events", Value: f.events})
		}
		f.resource(f.fn, "AWS::Serverless::Function", properties)
		return
	}
	properties = append(properties, Entry{Key: "TracingConfig", Value: Map{{Key: "Mode", Value: ref(pTracing)}}}, f.tagList(f.flow.Name))
	f.resource(f.fn, "AWS::Lambda::Function", properties)
}

// reserved is the concurrency of the function itself, 0 for none: where the file
// asks for less messages at a time in all than the two calls at least that the
// event source mapping of each queue makes.
func (f *function) reserved() int {
	if f.flow.Concurrency < leastPollers*len(triggersOf[engine.QueueTrigger](f.flow)) {
		return f.flow.Concurrency
	}
	return 0
}

func (f *function) addRole() {
	var statements []any
	for _, s := range f.policies[f.flow.Name].Statements {
		statements = append(statements, f.statement(s))
	}
	f.resource(f.role, "AWS::IAM::Role", Map{
		{Key: "Description", Value: "What the function of the flow " + f.flow.Name + " may do."},
		{Key: "AssumeRolePolicyDocument", Value: trust("lambda.amazonaws.com", nil)},
		{Key: "PermissionsBoundary", Value: ifElse(cBoundary, ref(pBoundary), noValue)},
		// What tracing and a VPC need cannot be limited to one thing. They are no
		// policies apart, as Lambda takes such a function only with a role that may.
		{Key: "ManagedPolicyArns", Value: []any{
			ifElse(cTraced, sub("arn:${AWS::Partition}:iam::aws:policy/AWSXRayDaemonWriteAccess"), noValue),
			ifElse(cInVPC, sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaENIManagementAccess"), noValue),
		}},
		{Key: "Policies", Value: []any{Map{{Key: "PolicyName", Value: f.flow.Name}, {Key: "PolicyDocument", Value: document(statements)}}}},
		f.tagList(f.flow.Name),
	})
}

func document(statements []any) Map {
	return Map{{Key: "Version", Value: "2012-10-17"}, {Key: "Statement", Value: statements}}
}

// trust lets a service take on a role.
func trust(service string, condition Map) Map {
	s := Map{{Key: "Effect", Value: "Allow"}, {Key: "Principal", Value: Map{{Key: "Service", Value: service}}}, {Key: "Action", Value: "sts:AssumeRole"}}
	if condition != nil {
		s = append(s, Entry{Key: "Condition", Value: condition})
	}
	return document([]any{s})
}

// statement is a statement of a policy, with the nodes that need it.
func (f *function) statement(s Statement) any {
	if s.Target.Kind == OnSecret {
		return f.secretStatement(s)
	}
	var nodes []string
	for _, n := range s.Nodes {
		nodes = append(nodes, n.Node)
	}
	m := Map{{Key: "Sid", Value: s.Sid}, {Key: "Effect", Value: "Allow"}, {Key: "Action", Value: s.Actions}, {Key: "Resource", Value: f.target(s.Target)}}
	if len(nodes) > 0 {
		m[0].Note = "for " + strings.Join(nodes, ", ")
	}
	return m
}

// target is the ARN of what a statement is about.
func (f *function) target(t Target) any {
	switch t.Kind {
	case OnLogGroup:
		// The attribute ends in :*, for the streams of the group.
		return getAtt(f.log, "Arn")
	case OnFailedEvents:
		return getAtt(f.failed, "Arn")
	case OnARN:
		if strings.Contains(t.ARN, "${") {
			return sub(t.ARN)
		}
		return t.ARN
	case OnAll:
		return "*"
	}
	arn := f.places[t.Name].arn
	if t.Below == "" {
		return arn
	}
	switch at := arn.(type) {
	case string:
		return at + t.Below
	case Intrinsic:
		if text, ok := at.Arg.(string); ok && at.Name == "GetAtt" {
			return sub("${" + text + "}" + t.Below)
		} else if ok && at.Name == "Sub" {
			return sub(text + t.Below)
		}
	}
	return subWith("${Arn}"+t.Below, Map{{Key: "Arn", Value: arn}})
}

// permission lets a service call the function for one thing.
func (f *function) permission(id, service string, source any, more ...Entry) string {
	id = f.template.id(id)
	f.resource(id, "AWS::Lambda::Permission", append(Map{
		{Key: "Action", Value: "lambda:InvokeFunction"}, {Key: "FunctionName", Value: ref(f.fn)},
		{Key: "Principal", Value: service}, {Key: "SourceArn", Value: source}}, more...))
	return id
}

func (f *function) addAlarms() {
	dimensions := []any{Map{{Key: "Name", Value: "FunctionName"}, {Key: "Value", Value: ref(f.fn)}}}
	f.alarm(f.id+"ErrorsAlarm", f.flow.Name, "The function of the flow "+f.flow.Name+" failed.", "AWS/Lambda", "Errors", "Sum", dimensions, 0)
	if f.reserved() > 0 {
		return // a poller that is refused while the others' calls run is no trouble
	}
	f.alarm(f.id+"ThrottlesAlarm", f.flow.Name, "The function of the flow "+f.flow.Name+" was not run as its concurrency was used up.", "AWS/Lambda", "Throttles", "Sum", dimensions, 0)
}

// alarm tells when a metric was over a limit, in five minutes.
func (t *template) alarm(id, flow, doc, namespace, metric, statistic string, dimensions []any, limit any) {
	t.resource(t.id(id), "AWS::CloudWatch::Alarm", Map{
		{Key: "AlarmDescription", Value: doc}, {Key: "Namespace", Value: namespace}, {Key: "MetricName", Value: metric}, {Key: "Dimensions", Value: dimensions},
		{Key: "Statistic", Value: statistic}, {Key: "Period", Value: 300}, {Key: "EvaluationPeriods", Value: 1},
		{Key: "ComparisonOperator", Value: "GreaterThanThreshold"}, {Key: "Threshold", Value: limit}, {Key: "TreatMissingData", Value: "notBreaching"},
		{Key: "AlarmActions", Value: ifElse(cAlarmTopic, []any{ref(pAlarmTopic)}, noValue)},
		t.tagList(flow),
	})
}

// addSources adds what calls the function.
func (f *function) addSources() error {
	for _, n := range f.flow.Nodes {
		if !n.Kind.IsSource() {
			continue
		}
		switch s := n.Kind.Trigger(n.Config).(type) {
		case engine.RouteTrigger:
			f.route(n, s)
		case engine.QueueTrigger:
			f.queue(n, s)
		case engine.ScheduleTrigger:
			f.schedule(n, s)
		case engine.TopicTrigger:
			f.topic(n, s)
		case engine.BucketTrigger:
			f.bucket(n, s)
		case engine.PatternTrigger:
			f.pattern(n, s)
		case engine.DirectTrigger:
		default:
			return fmt.Errorf("flow %s, node %s: nothing on AWS can call %s", f.flow.Name, n.Name, n.Kind.Type)
		}
	}
	return nil
}

// hasTrigger reports whether a source of the packaged flows is called by T.
func hasTrigger[T engine.Trigger](t *template) bool {
	return slices.ContainsFunc(t.flows, func(f *flows.Flow) bool { return len(triggersOf[T](f)) > 0 })
}

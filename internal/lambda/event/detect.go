package event

import (
	"bytes"
	"cmp"
)

// envelope are the members of an event by which its kind is told, as they stand
// in the payload.
type envelope struct {
	context, kind, methodArn, routeArn, version       []byte
	rawPath, method, httpMethod, resource, logs       []byte
	eventSource, messages, queues, invocation         []byte
	records, application, schema, tasks, event        []byte
	source, alarm, detailType, detail                 []byte
	getObject, headObject, listObjects, listObjectsV2 []byte
}

// Detect says what a payload looks like. What is no JSON object, and what is no
// event of a service, is Direct. It looks only at what decides: of a batch at
// the first record.
//
// The order of its questions matters, since some events have the marks of
// others: an authorizer's request those of the request that it is about, a
// request from a load balancer those of a REST API.
func Detect(payload []byte) Kind {
	c := cursor{payload}
	if !c.take('{') {
		return Direct
	}
	var e envelope
	for {
		key, ok := c.key()
		if !ok {
			break
		}
		if string(key) == "Records" {
			if kind := recordKind(c); kind != "" {
				return kind
			}
		}
		value := c.skip()
		if value == nil {
			return Direct
		}
		e.set(key, value)
	}
	if c.peek() != '}' {
		return Direct
	}
	return cmp.Or(e.ofContext(), e.ofStream(), e.ofBus(), Direct)
}

// recordKind tells the kind by the first of the records that c is at.
func recordKind(c cursor) Kind {
	if !c.take('[') || !c.take('{') {
		return ""
	}
	var edge, source, topicSource []byte
	for {
		key, ok := c.key()
		if !ok {
			break
		}
		value := c.skip()
		if value == nil {
			return ""
		}
		switch string(key) {
		case "cf":
			edge = value
		case "eventSource":
			source = value
		case "EventSource":
			topicSource = value
		}
	}
	if c.peek() != '}' {
		return ""
	}
	if isObject(edge) {
		return CloudFront
	}
	if is(topicSource, "aws:sns") && !is(source, "aws:sqs") {
		return SNS
	}
	name, _ := text(source)
	switch string(name) {
	case "aws:sqs":
		return SQS
	case "aws:s3":
		return S3
	case "aws:dynamodb":
		return DynamoDB
	case "aws:kinesis":
		return Kinesis
	case "aws:ses":
		return SES
	case "aws:codecommit":
		return CodeCommit
	}
	return ""
}

func (e *envelope) set(key, value []byte) {
	if at := e.member(key); at != nil {
		*at = value
	}
}

// member is where the value of a key is kept, nil for a key that says nothing.
func (e *envelope) member(key []byte) *[]byte {
	switch string(key) {
	case "requestContext":
		return &e.context
	case "type":
		return &e.kind
	case "methodArn":
		return &e.methodArn
	case "routeArn":
		return &e.routeArn
	case "version":
		return &e.version
	case "raw_path":
		return &e.rawPath
	case "method":
		return &e.method
	case "httpMethod":
		return &e.httpMethod
	case "resource":
		return &e.resource
	case "awslogs":
		return &e.logs
	}
	return e.streamMember(key)
}

func (e *envelope) streamMember(key []byte) *[]byte {
	switch string(key) {
	case "eventSource":
		return &e.eventSource
	case "records":
		return &e.records
	case "messages":
		return &e.messages
	case "rmqMessagesByQueue":
		return &e.queues
	case "invocationId":
		return &e.invocation
	case "applicationArn":
		return &e.application
	case "invocationSchemaVersion":
		return &e.schema
	case "tasks":
		return &e.tasks
	case "getObjectContext":
		return &e.getObject
	case "headObjectContext":
		return &e.headObject
	case "listObjectsContext":
		return &e.listObjects
	case "listObjectsV2Context":
		return &e.listObjectsV2
	case "Event":
		return &e.event
	case "source":
		return &e.source
	case "alarmData":
		return &e.alarm
	case "detail-type":
		return &e.detailType
	case "detail":
		return &e.detail
	}
	return nil
}

// requestContext are the members of an event's requestContext that decide.
type requestContext struct{ elb, connection, event, http, domain, network, resourceID, resourcePath []byte }

func readContext(value []byte) (r requestContext) {
	c := cursor{value}
	if !c.take('{') {
		return r
	}
	for {
		key, ok := c.key()
		if !ok {
			return r
		}
		value := c.skip()
		switch string(key) {
		case "elb":
			r.elb = value
		case "connectionId":
			r.connection = value
		case "eventType":
			r.event = value
		case "http":
			r.http = value
		case "domainName":
			r.domain = value
		case "serviceNetworkArn":
			r.network = value
		case "resourceId":
			r.resourceID = value
		case "resourcePath":
			r.resourcePath = value
		}
	}
}

// ofContext tells the kinds that are about requests.
func (e *envelope) ofContext() Kind {
	r := readContext(e.context)
	second := is(e.version, "2.0")
	domain, _ := text(r.domain)
	switch {
	case isObject(r.elb):
		return ALB
	case isString(r.connection) && isString(r.event):
		return WebSocket
	case (is(e.kind, "TOKEN") || is(e.kind, "REQUEST")) && (isString(e.methodArn) || isString(e.routeArn)):
		return Authorizer
	case second && isObject(r.http) && !bytes.Contains(domain, []byte(".lambda-url.")):
		return HTTPAPI
	case second && isObject(r.http):
		return FunctionURL
	case second && isString(r.network), isString(e.rawPath) && isString(e.method):
		return Lattice
	case isString(e.httpMethod) && isString(e.resource) && is(e.version, "1.0"):
		return HTTPAPIv1
	case isString(e.httpMethod) && (isString(e.resource) || isString(r.resourceID) || isString(r.resourcePath)):
		return REST
	}
	return ""
}

// ofStream tells the kinds that bring a list of things to handle.
func (e *envelope) ofStream() Kind {
	source, _ := text(e.eventSource)
	switch name := string(source); {
	case isObject(e.logs) && hasData(e.logs):
		return CloudWatchLogs
	case (name == "aws:kafka" || name == "aws:SelfManagedKafka") && isObject(e.records):
		return Kafka
	case (name == "aws:mq" || name == "aws:amq") && isArray(e.messages):
		return ActiveMQ
	case name == "aws:rmq" && isObject(e.queues):
		return RabbitMQ
	case isString(e.invocation) && isArray(e.records) && isString(e.application):
		return KinesisAnalytics
	case isString(e.invocation) && isArray(e.records):
		return Firehose
	case isObject(e.getObject), isObject(e.headObject), isObject(e.listObjects), isObject(e.listObjectsV2):
		return S3Object
	case isString(e.schema) && isArray(e.tasks):
		return S3Batch
	}
	return ""
}

// ofBus tells the kinds that are one thing that happened.
func (e *envelope) ofBus() Kind {
	switch {
	case is(e.event, "s3:TestEvent"):
		return S3Test
	case is(e.source, "aws.cloudwatch") && isGiven(e.alarm):
		return Alarm
	case !isString(e.detailType) || !isString(e.source) || !isGiven(e.detail):
		return ""
	case is(e.source, "aws.events") && is(e.detailType, "Scheduled Event"), is(e.source, "aws.scheduler"):
		return Schedule
	}
	return EventBridge
}

// hasData reports whether the object has the member data, which is a string.
func hasData(object []byte) (found bool) {
	c := cursor{object}
	c.take('{')
	for {
		key, ok := c.key()
		if !ok {
			return found
		}
		value := c.skip()
		if string(key) == "data" {
			found = isString(value)
		}
	}
}

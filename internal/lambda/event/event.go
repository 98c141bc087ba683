// Package event reads what AWS Lambda hands to a function: it tells the kinds of
// events apart and, for those that are HTTP requests, makes a request of
// net/http of the event and the reply that the caller's platform takes of the
// answer.
//
// It keeps none of a payload's bytes: a payload belongs to the caller again when
// a function of this package returns.
package event

// Kind is what an event looks like. Anyone who may invoke a function can give an
// event any shape, so a Kind chooses between the sources that a flow declares
// and grants nothing.
type Kind string

// The kinds of events that Detect tells apart.
const (
	// CloudFront is a request or a response at an edge location (Lambda@Edge).
	CloudFront Kind = "cloudfront"
	// SQS is a batch of messages of an Amazon SQS queue, standard or FIFO.
	SQS Kind = "sqs"
	// SNS is a message of an Amazon SNS topic.
	SNS Kind = "sns"
	// S3 is a change in an Amazon S3 bucket.
	S3 Kind = "s3"
	// DynamoDB is a batch of changes of an Amazon DynamoDB stream, of a tumbling
	// window or not.
	DynamoDB Kind = "dynamodb"
	// Kinesis is a batch of records of an Amazon Kinesis stream, of a tumbling
	// window or not.
	Kinesis Kind = "kinesis"
	// SES is a mail that Amazon SES received.
	SES Kind = "ses"
	// CodeCommit is a change in an AWS CodeCommit repository.
	CodeCommit Kind = "codecommit"
	// ALB is an HTTP request that an Application Load Balancer passes on.
	ALB Kind = "alb"
	// WebSocket is a connection or a message of an API Gateway WebSocket API.
	WebSocket Kind = "websocket"
	// Authorizer asks whether an API Gateway request may be made, in any of its
	// formats.
	Authorizer Kind = "authorizer"
	// HTTPAPI is a request to an API Gateway HTTP API in payload format 2.0.
	HTTPAPI Kind = "http-api"
	// FunctionURL is a request to the URL of a function.
	FunctionURL Kind = "function-url"
	// Lattice is a request from Amazon VPC Lattice, in either of its formats.
	Lattice Kind = "lattice"
	// HTTPAPIv1 is a request to an API Gateway HTTP API in payload format 1.0.
	HTTPAPIv1 Kind = "http-api-v1"
	// REST is a request to an API Gateway REST API.
	REST Kind = "rest-api"
	// CloudWatchLogs is what an Amazon CloudWatch Logs subscription passes on.
	CloudWatchLogs Kind = "cloudwatch-logs"
	// Kafka is a batch of records of Amazon MSK or a self-managed Apache Kafka.
	Kafka Kind = "kafka"
	// ActiveMQ is a batch of messages of Amazon MQ for ActiveMQ.
	ActiveMQ Kind = "activemq"
	// RabbitMQ is a batch of messages of Amazon MQ for RabbitMQ.
	RabbitMQ Kind = "rabbitmq"
	// Firehose is a batch of records that Amazon Data Firehose wants changed.
	Firehose Kind = "firehose"
	// KinesisAnalytics is a batch of records of an Amazon Kinesis Data Analytics
	// application.
	KinesisAnalytics Kind = "kinesis-analytics"
	// S3Object is a request to an Amazon S3 Object Lambda access point.
	S3Object Kind = "s3-object-lambda"
	// S3Batch is a task of an Amazon S3 Batch Operations job.
	S3Batch Kind = "s3-batch"
	// S3Test is the message by which Amazon S3 tries out that a notification
	// arrives; it is about no object.
	S3Test Kind = "s3-test"
	// Alarm is a change of an Amazon CloudWatch alarm whose action is the
	// function itself.
	Alarm Kind = "cloudwatch-alarm"
	// Schedule is a point in time, of Amazon EventBridge Scheduler or of a rule
	// with a schedule, unless it was given an input of its own: that is Direct.
	Schedule Kind = "schedule"
	// EventBridge is any other event of Amazon EventBridge.
	EventBridge Kind = "eventbridge"
	// Direct is everything else: a call by a person, a state machine's task, an
	// AWS IoT rule, and also what is no JSON object.
	Direct Kind = "direct"
)

var names = map[Kind]string{
	CloudFront:       "an Amazon CloudFront (Lambda@Edge) event",
	SQS:              "an Amazon SQS batch",
	SNS:              "an Amazon SNS message",
	S3:               "an Amazon S3 notification",
	DynamoDB:         "an Amazon DynamoDB Streams batch",
	Kinesis:          "an Amazon Kinesis Data Streams batch",
	SES:              "an Amazon SES mail",
	CodeCommit:       "an AWS CodeCommit event",
	ALB:              "an Application Load Balancer request",
	WebSocket:        "an API Gateway WebSocket event",
	Authorizer:       "an API Gateway authorizer request",
	HTTPAPI:          "an API Gateway HTTP API request (payload format 2.0)",
	FunctionURL:      "a Lambda function URL request",
	Lattice:          "an Amazon VPC Lattice request",
	HTTPAPIv1:        "an API Gateway HTTP API request (payload format 1.0)",
	REST:             "an API Gateway REST request",
	CloudWatchLogs:   "an Amazon CloudWatch Logs batch",
	Kafka:            "an Apache Kafka batch",
	ActiveMQ:         "an Amazon MQ for ActiveMQ batch",
	RabbitMQ:         "an Amazon MQ for RabbitMQ batch",
	Firehose:         "an Amazon Data Firehose transformation",
	KinesisAnalytics: "an Amazon Kinesis Data Analytics batch",
	S3Object:         "an Amazon S3 Object Lambda request",
	S3Batch:          "an Amazon S3 Batch Operations task",
	S3Test:           "an Amazon S3 test notification",
	Alarm:            "an Amazon CloudWatch alarm",
	Schedule:         "a scheduled event",
	EventBridge:      "an Amazon EventBridge event",
	Direct:           "a direct invocation",
}

// Name is the kind for people, with its article: "an Amazon SQS batch".
func (k Kind) Name() string {
	if name, ok := names[k]; ok {
		return name
	}
	return "an event of the kind " + string(k)
}

// HTTP reports whether an event of the kind is an HTTP request that Open takes.
func (k Kind) HTTP() bool {
	switch k {
	case ALB, HTTPAPI, FunctionURL, HTTPAPIv1, REST:
		return true
	}
	return false
}

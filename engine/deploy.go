package engine

// Statement is a permission that a node needs in the account of the service
// it calls: exact actions on one exact thing.
type Statement struct {
	// Actions are named as the service's policies name them, such as
	// "sqs:SendMessage"; never with a wildcard.
	Actions []string
	// Resource is the name in the app of the queue, table or the like that the
	// actions are done to; "" where ARN says it.
	Resource string
	// ARN is for what is no resource of the app, such as the key that encrypts
	// a queue. It may hold ${AWS::Partition}, ${AWS::Region} and
	// ${AWS::AccountId}, as CloudFormation's Fn::Sub has them.
	ARN string
	// Below is what follows the resource's own address where the actions are
	// done to a part of it, such as "/index/by_status".
	Below string
}

// Trigger says what brings a source its messages where the app does not fetch
// them itself but is called, as on AWS Lambda. It is one of the types below.
type Trigger interface{ trigger() }

// RouteTrigger is an HTTP request of a method ("ANY" for all) and a path, as
// patterns of net/http.ServeMux have it.
type RouteTrigger struct {
	Method, Path string
	// Preflight says that the source also answers CORS preflight requests for
	// the path.
	Preflight bool
}

// QueueTrigger is a batch of messages of a queue resource.
type QueueTrigger struct {
	Resource string
	// Batch is how many messages a call brings at most, Window how long it
	// waits for them to come together.
	Batch  int
	Window Duration
}

// ScheduleTrigger is a point in time. Expression is rate(…) or cron(…) as
// Amazon EventBridge Scheduler takes it; Timezone an IANA name, "" for UTC.
type ScheduleTrigger struct{ Expression, Timezone string }

// TopicTrigger is a message of a topic resource. Filter is a filter policy over
// the message's attributes, nil for all messages.
type TopicTrigger struct {
	Resource string
	Filter   map[string]any
}

// BucketTrigger is a change in a bucket resource, such as "s3:ObjectCreated:*".
type BucketTrigger struct {
	Resource       string
	Events         []string
	Prefix, Suffix string
}

// PatternTrigger is an event on a bus that fits a pattern. Bus is a name or an
// ARN, "" for the account's own.
type PatternTrigger struct {
	Bus     string
	Pattern map[string]any
}

// DirectTrigger is a call by whoever may make it: a person, a state machine, a
// rule. Nothing is deployed for it.
type DirectTrigger struct{}

func (RouteTrigger) trigger()    {}
func (QueueTrigger) trigger()    {}
func (ScheduleTrigger) trigger() {}
func (TopicTrigger) trigger()    {}
func (BucketTrigger) trigger()   {}
func (PatternTrigger) trigger()  {}
func (DirectTrigger) trigger()   {}

// Invoked is a Source that is handed events in the form in which AWS Lambda
// gets them. Where nothing calls the app its Run only waits for ctx to end, or
// brings the messages by other means, such as a clock.
type Invoked interface {
	Source
	// Messages makes the messages that an event holds, none for one that asks
	// for nothing to be done. The payload belongs to the caller again when it
	// returns. An error says why the event is none for this source.
	Messages(payload []byte) ([]*Message, error)
	// Reply is what the caller gets once all of the messages are done, as JSON.
	Reply(done []*Message) ([]byte, error)
}

package pack

import (
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
)

// asynchronous reports whether something calls the flow's function that does
// not wait for the outcome: Lambda then tries again by itself, and in the end
// drops the event ("Asynchronous invocation").
func asynchronous(f *flows.Flow) bool {
	return len(triggersOf[engine.ScheduleTrigger](f))+len(triggersOf[engine.TopicTrigger](f))+
		len(triggersOf[engine.BucketTrigger](f))+len(triggersOf[engine.PatternTrigger](f)) > 0
}

// addFailedEvents adds a queue for the events that the function failed on for
// the last time.
func (f *function) addFailedEvents() {
	if !asynchronous(f.flow) {
		return
	}
	f.resource(f.failed, "AWS::SQS::Queue", Map{
		{Key: "QueueName", Value: named(f.flow.Name + failedSuffix)},
		{Key: "MessageRetentionPeriod", Value: int(deadLettersKept / time.Second)},
		{Key: "SqsManagedSseEnabled", Value: true}, f.tagList(f.flow.Name),
	}, Entry{Key: "DeletionPolicy", Value: "Delete"}, Entry{Key: "UpdateReplacePolicy", Value: "Delete"})
	f.resource(f.template.id(f.id+"InvokeConfig"), "AWS::Lambda::EventInvokeConfig", Map{
		{Key: "FunctionName", Value: ref(f.fn)}, {Key: "Qualifier", Value: "$LATEST"}, {Key: "MaximumRetryAttempts", Value: 2},
		{Key: "DestinationConfig", Value: Map{{Key: "OnFailure", Value: Map{{Key: "Destination", Value: getAtt(f.failed, "Arn")}}}}}})
	f.output(f.failed+"Url", "URL of the queue for events that the flow "+f.flow.Name+" failed on.", ref(f.failed))
	f.alarm(f.id+"FailedEventsAlarm", f.flow.Name, "The flow "+f.flow.Name+" failed on events for good; they wait in its queue for failed events.",
		"AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", queueDimension(f.failed), 0)
}

// failedSuffix ends the name of a queue for failed events.
const failedSuffix = "-failed"

package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/internal/lambda/event"
	"github.com/flowctl-dev/flowctl/nodes/events/envelope"
)

func isQueue(s *source) bool    { _, ok := s.trigger.(engine.QueueTrigger); return ok }
func isTopic(s *source) bool    { _, ok := s.trigger.(engine.TopicTrigger); return ok }
func isBucket(s *source) bool   { _, ok := s.trigger.(engine.BucketTrigger); return ok }
func isSchedule(s *source) bool { _, ok := s.trigger.(engine.ScheduleTrigger); return ok }
func isPattern(s *source) bool  { _, ok := s.trigger.(engine.PatternTrigger); return ok }
func isDirect(s *source) bool   { _, ok := s.trigger.(engine.DirectTrigger); return ok }

func (f *Function) has(is func(*source) bool) bool { return len(f.which(is)) > 0 }

func (f *Function) which(is func(*source) bool) []*source {
	var found []*source
	for _, s := range f.sources {
		if is(s) {
			found = append(found, s)
		}
	}
	return found
}

// claimants are the sources that may take an event, in the order in which they
// are asked: those whose trigger fits its kind, then those that take whatever
// the others leave.
func (f *Function) claimants(kind event.Kind, payload []byte) []*source {
	var fit []*source
	switch kind {
	case event.SNS:
		topic := topicOf(payload)
		fit = f.which(func(s *source) bool { return isTopic(s) && s.mayBe(topic) })
	case event.S3:
		bucket := bucketOf(payload)
		fit = f.which(func(s *source) bool { return isBucket(s) && s.mayBe(bucket) })
	case event.S3Test:
		fit = f.which(isBucket)
	case event.Schedule:
		fit = append(f.which(isSchedule), f.which(isPattern)...)
	case event.EventBridge, event.Alarm:
		fit = f.which(isPattern)
	case event.Direct:
		fit = f.which(isSchedule) // a schedule may have been given an input of its own
	}
	return append(fit, f.which(isDirect)...)
}

// mayBe reports whether the source's resource is the one that an event names,
// as far as both are known.
func (s *source) mayBe(origin string) bool {
	return s.address == "" || origin == "" || s.address == origin
}

// topicOf is the ARN of the topic that a message is of.
func topicOf(payload []byte) string {
	var e struct {
		Records []struct {
			Sns struct{ TopicArn string }
		}
	}
	if json.Unmarshal(payload, &e) != nil || len(e.Records) == 0 {
		return ""
	}
	return e.Records[0].Sns.TopicArn
}

// bucketOf is the name of the bucket that a notification is about.
func bucketOf(payload []byte) string {
	var e struct {
		Records []struct {
			S3 struct {
				Bucket struct {
					Name string `json:"name"`
				} `json:"bucket"`
			} `json:"s3"`
		}
	}
	if json.Unmarshal(payload, &e) != nil || len(e.Records) == 0 {
		return ""
	}
	return e.Records[0].S3.Bucket.Name
}

// messages asks the sources that may take an event for its messages.
func (f *Function) messages(kind event.Kind, payload []byte) (*source, []*engine.Message, error) {
	asked := f.claimants(kind, payload)
	if len(asked) == 0 {
		return nil, nil, f.misfit(kind)
	}
	var refusals []error
	for _, s := range asked {
		found, err := messagesOf(s, payload)
		if err == nil {
			return s, found, nil
		}
		err = fmt.Errorf("source %s: %w", s.name, err)
		if code := engine.CodeOf(err); code != envelope.CodeWrong && code != "error" {
			return nil, nil, err // the event is for this source and no good, such as a body that breaks its schema
		}
		refusals = append(refusals, err)
	}
	return nil, nil, fail(CodeUnexpectedEvent, "no source of the flow %s takes this event, %s: %s", f.flow, kind.Name(), strings.ReplaceAll(errors.Join(refusals...).Error(), "\n", "; "))
}

func messagesOf(s *source, payload []byte) (found []*engine.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = engine.Fail(engine.Permanent, "panic", "the source panicked", nil)
		}
	}()
	return s.invoked.Messages(payload)
}

// misfit says what an event is and what the flow takes instead.
func (f *Function) misfit(kind event.Kind) *Error {
	var takes []string
	for _, s := range f.sources {
		takes = append(takes, s.takes())
	}
	return fail(CodeUnexpectedEvent, "this is %s, but the flow %s takes %s; let what calls the function call that of the flow that is for it", kind.Name(), f.flow, strings.Join(takes, ", "))
}

func (s *source) takes() string {
	switch t := s.trigger.(type) {
	case engine.RouteTrigger:
		return "HTTP requests for " + t.Method + " " + t.Path
	case engine.QueueTrigger:
		return "messages of the SQS queue " + t.Resource
	case engine.ScheduleTrigger:
		return "what the schedule " + t.Expression + " brings"
	case engine.TopicTrigger:
		return "messages of the SNS topic " + t.Resource
	case engine.BucketTrigger:
		return "changes in the S3 bucket " + t.Resource
	case engine.PatternTrigger:
		return "EventBridge events that fit the pattern of " + s.name
	}
	return "direct invocations"
}

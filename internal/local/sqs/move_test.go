package sqs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// deadLetters makes a dead-letter queue of a work queue and puts n dead letters of the latter into it.
func (s *sandbox) deadLetters(suffix string, n int) (work, dead string) {
	s.t.Helper()
	dead = s.create("dead" + suffix)
	work = s.create("work"+suffix, "VisibilityTimeout", "1",
		"RedrivePolicy", fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, s.arn(dead)))
	for i := range n {
		group := ""
		if suffix != "" {
			group = "g"
		}
		s.sendTo(work, fmt.Sprint("m", i), group, map[bool]string{true: fmt.Sprint(i)}[group != ""])
	}
	for s.counts(dead) != fmt.Sprintf("%d/0/0", n) {
		s.receive(work, 10)
		s.clock.Advance(time.Second)
	}
	return work, dead
}

func (s *sandbox) move(source, destination string, rate int32) (*sdk.StartMessageMoveTaskOutput, error) {
	in := &sdk.StartMessageMoveTaskInput{SourceArn: &source}
	if destination != "" {
		in.DestinationArn = &destination
	}
	if rate > 0 {
		in.MaxNumberOfMessagesPerSecond = &rate
	}
	return s.StartMessageMoveTask(ctx, in)
}

func (s *sandbox) lastTask(source string) types.ListMessageMoveTasksResultEntry {
	s.t.Helper()
	out, err := s.ListMessageMoveTasks(ctx, &sdk.ListMessageMoveTasksInput{SourceArn: &source})
	if err != nil || len(out.Results) != 1 {
		s.t.Fatalf("tasks %v, %v", out, err)
	}
	return out.Results[0]
}

// finished waits for the tasks' goroutines.
func (s *sandbox) finished(source string) types.ListMessageMoveTasksResultEntry {
	s.t.Helper()
	s.service.running.Wait()
	return s.lastTask(source)
}

func TestMoveTaskReturnsDeadLettersToWhereTheyCameFrom(t *testing.T) {
	for _, suffix := range []string{"", ".fifo"} {
		t.Run("work"+suffix, func(t *testing.T) {
			s := open(t)
			work, dead := s.deadLetters(suffix, 3)
			started, err := s.move(s.arn(dead), "", 0)
			if err != nil || *started.TaskHandle == "" {
				t.Fatal(err)
			}
			task := s.finished(s.arn(dead))
			if *task.Status != "COMPLETED" || task.ApproximateNumberOfMessagesMoved != 3 || *task.ApproximateNumberOfMessagesToMove != 3 ||
				task.DestinationArn != nil || task.TaskHandle != nil {
				t.Errorf("task %+v", task)
			}
			got := s.want(work, "m0", "m1", "m2")
			if got[0].Attributes["ApproximateReceiveCount"] != "1" || got[0].Attributes["DeadLetterQueueSourceArn"] != "" {
				t.Errorf("attributes %v", got[0].Attributes)
			}
			if got := s.counts(dead); got != "0/0/0" {
				t.Errorf("counts %s", got)
			}
		})
	}
}

func TestMoveTaskToANamedQueueLeavesWhatIsInFlight(t *testing.T) {
	s := open(t)
	_, dead := s.deadLetters("", 3)
	other := s.create("other")
	s.receive(dead, 1)
	if _, err := s.move(s.arn(dead), s.arn(other), 0); err != nil {
		t.Fatal(err)
	}
	if task := s.finished(s.arn(dead)); *task.Status != "COMPLETED" || task.ApproximateNumberOfMessagesMoved != 2 || *task.DestinationArn != s.arn(other) {
		t.Errorf("task %+v", task)
	}
	if a, b := s.counts(dead), s.counts(other); a != "0/1/0" || b != "2/0/0" {
		t.Errorf("counts %s and %s", a, b)
	}
}

func TestMoveTaskKeepsToItsRateAndCanBeCancelled(t *testing.T) {
	s := open(t)
	_, dead := s.deadLetters("", 5)
	other := s.create("other")
	source := s.arn(dead)
	started, err := s.move(source, s.arn(other), 1)
	if err != nil {
		t.Fatal(err)
	}
	s.clock.AwaitTimers(2)
	if got := s.counts(other); got != "1/0/0" {
		t.Errorf("counts %s at once", got)
	}
	_, err = s.move(source, "", 0)
	wantError(t, err, "InvalidParameterValue", "There is already a task running.")
	s.clock.Advance(time.Second)
	s.clock.AwaitTimers(2)
	task := s.lastTask(source)
	if *task.Status != "RUNNING" || task.ApproximateNumberOfMessagesMoved != 2 || *task.MaxNumberOfMessagesPerSecond != 1 || *task.TaskHandle != *started.TaskHandle {
		t.Errorf("task %+v", task)
	}
	cancel := func(handle string) error {
		_, err := s.CancelMessageMoveTask(ctx, &sdk.CancelMessageMoveTaskInput{TaskHandle: &handle})
		return err
	}
	wantError(t, cancel("nonsense"), "InvalidParameterValue", "TaskHandle is invalid")
	if err := cancel(*started.TaskHandle); err != nil {
		t.Fatal(err)
	}
	if task := s.finished(source); *task.Status != "CANCELLED" || task.ApproximateNumberOfMessagesMoved != 2 {
		t.Errorf("task %+v", task)
	}
	wantError(t, cancel(*started.TaskHandle), "InvalidParameterValue", "Only active tasks")
	if a, b := s.counts(dead), s.counts(other); a != "3/0/0" || b != "2/0/0" {
		t.Errorf("counts %s and %s", a, b)
	}
}

func TestMoveTaskGoesOnAfterARestart(t *testing.T) {
	s := open(t)
	_, dead := s.deadLetters("", 4)
	other := s.create("other")
	if _, err := s.move(s.arn(dead), s.arn(other), 1); err != nil {
		t.Fatal(err)
	}
	s.clock.AwaitTimers(2)
	s.restart()
	for range 3 {
		s.clock.AwaitTimers(2)
		s.clock.Advance(time.Second)
	}
	// After the last message the task pauses once more before it finds nothing left.
	s.clock.Advance(time.Second)
	if task := s.finished(s.arn(dead)); *task.Status != "COMPLETED" || task.ApproximateNumberOfMessagesMoved != 4 {
		t.Errorf("task %+v", task)
	}
	if got := s.counts(other); got != "4/0/0" {
		t.Errorf("counts %s", got)
	}
}

// TestACancelledMoveTaskDoesNotGoOnAfterARestart cancels a task that has no goroutine to see it, as one that is killed
// at once.
func TestACancelledMoveTaskDoesNotGoOnAfterARestart(t *testing.T) {
	s := open(t)
	_, dead := s.deadLetters("", 2)
	source := s.arn(dead)
	q, err := s.service.named("dead")
	if err != nil {
		t.Fatal(err)
	}
	task := &moveTask{cancel: make(chan struct{}), taskRecord: taskRecord{ID: "1", Source: source, Status: running, Total: 2, Started: 1}}
	q.tasks = append(q.tasks, task)
	if err := s.service.saveTask(q, task.taskRecord); err != nil {
		t.Fatal(err)
	}
	handle := task.handle()
	if _, err := s.CancelMessageMoveTask(ctx, &sdk.CancelMessageMoveTaskInput{TaskHandle: &handle}); err != nil {
		t.Fatal(err)
	}
	s.restart()
	if task := s.finished(source); *task.Status != "CANCELLED" || s.counts(dead) != "2/0/0" {
		t.Errorf("task %s, counts %s", *task.Status, s.counts(dead))
	}
	if _, err := s.move(source, "", 0); err != nil {
		t.Errorf("another task: %v", err)
	}
	if task := s.finished(source); *task.Status != "COMPLETED" {
		t.Errorf("the other task %s", *task.Status)
	}
}

func TestTasksGoWithTheirQueue(t *testing.T) {
	s := open(t)
	_, dead := s.deadLetters("", 3)
	other := s.create("other")
	source := s.arn(dead)
	if _, err := s.move(source, s.arn(other), 1); err != nil {
		t.Fatal(err)
	}
	s.clock.AwaitTimers(2)
	if _, err := s.DeleteQueue(ctx, &sdk.DeleteQueueInput{QueueUrl: &dead}); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Second)
	s.service.running.Wait()
	s.create("dead")
	s.restart()
	out, err := s.ListMessageMoveTasks(ctx, &sdk.ListMessageMoveTasksInput{SourceArn: &source})
	if err != nil || len(out.Results) > 0 {
		t.Errorf("another queue of the name has the tasks %+v, %v", out.Results, err)
	}
}

func TestMoveTaskFails(t *testing.T) {
	t.Run("when its destination is deleted", func(t *testing.T) {
		s := open(t)
		_, dead := s.deadLetters("", 3)
		other := s.create("other")
		if _, err := s.move(s.arn(dead), s.arn(other), 1); err != nil {
			t.Fatal(err)
		}
		s.clock.AwaitTimers(2)
		if _, err := s.DeleteQueue(ctx, &sdk.DeleteQueueInput{QueueUrl: &other}); err != nil {
			t.Fatal(err)
		}
		s.clock.Advance(time.Second)
		task := s.finished(s.arn(dead))
		if *task.Status != "FAILED" || *task.FailureReason != "AWS.SimpleQueueService.NonExistentQueue" || task.ApproximateNumberOfMessagesMoved != 1 {
			t.Errorf("task %+v", task)
		}
		if got := s.counts(dead); got != "2/0/0" {
			t.Errorf("counts %s", got)
		}
	})
	t.Run("when a message was sent to the dead-letter queue itself", func(t *testing.T) {
		s := open(t)
		_, dead := s.deadLetters("", 1)
		s.send(dead, "direct")
		if _, err := s.move(s.arn(dead), "", 0); err != nil {
			t.Fatal(err)
		}
		if task := s.finished(s.arn(dead)); *task.Status != "FAILED" || *task.FailureReason != "CouldNotDetermineMessageSource" {
			t.Errorf("task %+v", task)
		}
		if got := s.counts(dead); got != "2/0/0" {
			t.Errorf("counts %s", got)
		}
	})
}

func TestMoveTaskRefusals(t *testing.T) {
	s := open(t)
	work, dead := s.deadLetters("", 0)
	fifo := s.create("other.fifo")
	none := "arn:aws:sqs:us-east-1:000000000000:none"
	tests := []struct {
		name, source, destination, code, message string
	}{
		{"source is no dead-letter queue", s.arn(work), "", "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."},
		{"no such source", none, "", "ResourceNotFoundException", "SourceArn parameter doesn't exist"},
		{"no such destination", s.arn(dead), none, "ResourceNotFoundException", "DestinationArn parameter doesn't exist"},
		{"source is no ARN", "dead", "", "InvalidParameterValue", "format to specify the SourceArn"},
		{"source is the destination", s.arn(dead), s.arn(dead), "InvalidParameterValue", "cannot be the same"},
		{"other type", s.arn(dead), s.arn(fifo), "InvalidParameterValue", "same type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := s.move(test.source, test.destination, 0)
			wantError(t, err, test.code, test.message)
		})
	}
	_, err := s.move(s.arn(dead), "", 501)
	wantError(t, err, "InvalidParameterValue", "between 1 and 500")
	task := fmt.Sprintf(`{"taskId":"x","sourceArn":%q}`, s.arn(dead))
	_, err = s.CancelMessageMoveTask(ctx, &sdk.CancelMessageMoveTaskInput{TaskHandle: aws.String(base64Text(task))})
	wantError(t, err, "ResourceNotFoundException", "Task does not exist.")
}

func TestOnlyTheLastTenTasksAreListed(t *testing.T) {
	s := open(t)
	_, dead := s.deadLetters("", 0)
	for range 12 {
		if _, err := s.move(s.arn(dead), "", 0); err != nil {
			t.Fatal(err)
		}
		s.service.running.Wait()
		s.clock.Advance(time.Second)
	}
	s.restart()
	out, err := s.ListMessageMoveTasks(ctx, &sdk.ListMessageMoveTasksInput{SourceArn: aws.String(s.arn(dead)), MaxResults: aws.Int32(10)})
	if err != nil || len(out.Results) != 10 {
		t.Fatalf("%v, %v", out, err)
	}
	var statuses []string
	for i, task := range out.Results {
		statuses = append(statuses, *task.Status)
		if i > 0 && task.StartedTimestamp > out.Results[i-1].StartedTimestamp {
			t.Error("not the newest first")
		}
	}
	if strings.Count(strings.Join(statuses, " "), "COMPLETED") != 10 {
		t.Errorf("%v", statuses)
	}
}

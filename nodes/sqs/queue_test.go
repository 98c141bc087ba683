package sqs

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

func TestNamesOfAQueueAndItsDeadLetterQueue(t *testing.T) {
	for _, c := range []struct {
		about      string
		queue      Queue
		name, dead string
	}{
		{"the resource's name", Queue{}, "orders", "orders-dead"},
		{"a name of its own", Queue{QueueName: "shop-orders"}, "shop-orders", "shop-orders-dead"},
		{"FIFO", Queue{FIFO: true}, "orders.fifo", "orders-dead.fifo"},
		{"FIFO by its name", Queue{QueueName: "o.fifo"}, "o.fifo", "o-dead.fifo"},
		{"a dead-letter queue of its own", Queue{DeadLetter: DeadLetter{Queue: "lost"}}, "orders", "lost"},
		{"a FIFO one of its own", Queue{FIFO: true, DeadLetter: DeadLetter{Queue: "lost"}}, "orders.fifo", "lost.fifo"},
		{"none", Queue{DeadLetter: DeadLetter{Off: true}}, "orders", ""},
	} {
		if name, dead := c.queue.Name("orders"), c.queue.DeadLetterName("orders"); name != c.name || dead != c.dead {
			t.Errorf("%s: %q and %q, want %q and %q", c.about, name, dead, c.name, c.dead)
		}
	}
}

func TestCheckOfAQueue(t *testing.T) {
	for _, c := range []struct {
		about  string
		change func(*Queue)
		field  string // "" for none
	}{
		{"the defaults", func(*Queue) {}, ""},
		{"FIFO with all of it", func(q *Queue) { fifo(q); q.HighThroughput = true; q.DeadLetter.After = 3 }, ""},
		{"a name with a space", func(q *Queue) { q.QueueName = "my queue" }, "name"},
		{"a name and a url", func(q *Queue) { q.QueueName = "q"; q.URL = expr.Of("https://sqs.eu-west-1.amazonaws.com/1/q") }, "name"},
		{"visibility over 12h", func(q *Queue) { q.Visibility = engine.Duration(13 * time.Hour) }, "visibility"},
		{"half a second of delay", func(q *Queue) { q.Delay = engine.Duration(500 * time.Millisecond) }, "delay"},
		{"a delay over 15m", func(q *Queue) { q.Delay = engine.Duration(16 * time.Minute) }, "delay"},
		{"retention under 1m", func(q *Queue) { q.Retention = engine.Duration(time.Second) }, "retention"},
		{"messages over 1MiB", func(q *Queue) { q.MaxSize = 2 << 20 }, "max_size"},
		{"content_dedup on a standard queue", func(q *Queue) { q.ContentDedup = true }, "content_dedup"},
		{"high_throughput on a standard queue", func(q *Queue) { q.HighThroughput = true }, "high_throughput"},
		{"a dead-letter queue off and on", func(q *Queue) { q.DeadLetter = DeadLetter{Off: true, After: 3} }, "dead_letter.off"},
		{"after 1001", func(q *Queue) { q.DeadLetter.After = 1001 }, "dead_letter.after"},
		{"a dead-letter queue that cannot be", func(q *Queue) { q.DeadLetter.Queue = "a/b" }, "dead_letter.queue"},
	} {
		t.Run(c.about, func(t *testing.T) {
			q := enginetest.Config[Queue](t)
			c.change(q)
			wantFinding(t, queueKind.Check(q), c.field)
		})
	}
}

func TestAQueueIsNotItsOwnDeadLetterQueue(t *testing.T) {
	for dead, field := range map[string]string{"orders": "dead_letter.queue", "others": ""} {
		q := enginetest.Config[Queue](t)
		q.DeadLetter.Queue = dead
		wantFinding(t, queueKind.CheckName(q, "orders"), field)
	}
}

func wantFinding(t *testing.T, found []engine.Finding, field string) {
	t.Helper()
	if field == "" {
		if len(found) > 0 {
			t.Errorf("found %+v, want nothing", found)
		}
		return
	}
	if len(found) != 1 || found[0].Field != field || found[0].Message == "" {
		t.Errorf("found %+v, want one about %s", found, field)
	}
}

func TestCreateMakesTheQueueAndItsDeadLetterQueue(t *testing.T) {
	s := open(t)
	_, url := s.queue("orders", func(q *Queue) {
		q.Visibility, q.Delay, q.MaxSize, q.DeadLetter.After = engine.Duration(time.Minute), engine.Duration(time.Second), 64<<10, 3
	})
	a := s.attributes(url)
	for name, want := range map[string]string{"VisibilityTimeout": "60", "DelaySeconds": "1", "MaximumMessageSize": "65536", "MessageRetentionPeriod": "345600"} {
		if a[name] != want {
			t.Errorf("%s is %q, want %s", name, a[name], want)
		}
	}
	if p := a["RedrivePolicy"]; !strings.Contains(p, `:orders-dead"`) || !strings.Contains(p, "3") {
		t.Errorf("RedrivePolicy %s", p)
	}
	if got := s.attributes(strings.TrimSuffix(url, "orders") + "orders-dead")["MessageRetentionPeriod"]; got != "1209600" {
		t.Errorf("the dead-letter queue keeps messages for %s s, want 14 days", got)
	}
}

func TestCreateAgainBringsTheAttributesUpToDateAndKeepsTheMessages(t *testing.T) {
	s := open(t)
	_, url := s.queue("orders", nil)
	s.put(url, "kept")
	_, again := s.queue("orders", func(q *Queue) { q.Visibility = engine.Duration(5 * time.Second); q.DeadLetter.Off = true })
	a := s.attributes(again)
	if again != url || a["VisibilityTimeout"] != "5" || a["RedrivePolicy"] != "" || s.counts(url) != "1/0/0" {
		t.Errorf("%s: %v", again, a)
	}
	if _, third := s.queue("orders", nil); s.attributes(third)["RedrivePolicy"] == "" {
		t.Error("the dead-letter queue did not come back")
	}
}

func TestCreateOfAFIFOQueue(t *testing.T) {
	s := open(t)
	for range 2 {
		_, url := s.queue("orders", func(q *Queue) { fifo(q); q.HighThroughput = true })
		a := s.attributes(url)
		if !strings.HasSuffix(url, "/orders.fifo") || a["FifoQueue"] != "true" || a["ContentBasedDeduplication"] != "true" || a["DeduplicationScope"] != "messageGroup" {
			t.Errorf("%s: %v", url, a)
		}
		if !strings.Contains(a["RedrivePolicy"], "orders-dead.fifo") {
			t.Errorf("RedrivePolicy %s", a["RedrivePolicy"])
		}
	}
}

func TestCreateLeavesADeadLetterQueueOfSomebodyElseAsItIs(t *testing.T) {
	s := open(t)
	_, lost := s.queue("lost", func(q *Queue) { q.Visibility = engine.Duration(7 * time.Second); q.DeadLetter.Off = true })
	before := s.attributes(lost)
	_, url := s.queue("orders", func(q *Queue) { q.DeadLetter.Queue = "lost" })
	if p := s.attributes(url)["RedrivePolicy"]; !strings.Contains(p, `:lost"`) {
		t.Errorf("RedrivePolicy %s", p)
	}
	after := s.attributes(lost)
	delete(before, "LastModifiedTimestamp")
	delete(after, "LastModifiedTimestamp")
	if !maps.Equal(before, after) {
		t.Errorf("attributes %v, were %v", after, before)
	}
}

func TestKindsHaveWhatTheDocumentationNeeds(t *testing.T) {
	for _, k := range slices.Concat(Kinds(), Resources()) {
		if k.Doc == "" || len(k.Examples) < 2 {
			t.Errorf("%s has %d examples and %d characters of documentation", k.Type, len(k.Examples), len(k.Doc))
		}
		for i := range k.Config.NumField() {
			f := k.Config.Field(i)
			if key, _ := engine.Key(f); key == "" || f.Tag.Get("doc") == "" {
				t.Errorf("%s: field %s has no key or no documentation", k.Type, f.Name)
			}
		}
	}
}

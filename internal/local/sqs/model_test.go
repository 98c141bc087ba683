package sqs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
)

// The model is a queue as slices that are searched from end to end, with none of the service's indexes. FLOWCTL_SEED
// repeats a run.

const (
	modelVisibility = 10
	modelRetention  = 400
	modelMaxCount   = 3
	modelSteps      = 1500
)

type modelMessage struct {
	body, group string
	seq         int
	sent        int // seconds
	due         int
	count       int
	hidden      bool // in flight
	delayed     bool
	handles     []string
}

type model struct {
	t       *testing.T
	r       *rand.Rand
	s       *sandbox
	now     int
	purged  int // time of the last purge, 0: none
	seq     int
	queue   string // URL
	dead    string // URL, "" for the FIFO queue
	ready   []*modelMessage
	waiting []*modelMessage // delayed or in flight
	buried  []*modelMessage // in the dead-letter queue
	gone    []*modelMessage // deleted or expired
}

func newModel(t *testing.T, fifo bool) *model {
	seed := rand.Uint64()
	if text := os.Getenv("FLOWCTL_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("FLOWCTL_SEED=%d repeats this run", seed)
	m := &model{t: t, r: rand.New(rand.NewPCG(seed, 1)), s: open(t)}
	attributes := []string{"VisibilityTimeout", fmt.Sprint(modelVisibility), "MessageRetentionPeriod", fmt.Sprint(modelRetention)}
	if fifo {
		m.queue = m.s.create("model.fifo", append(attributes, "ContentBasedDeduplication", "true")...)
		return m
	}
	m.dead = m.s.create("dead", "MessageRetentionPeriod", fmt.Sprint(modelRetention))
	m.queue = m.s.create("model", append(attributes, "RedrivePolicy",
		fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, m.s.arn(m.dead), modelMaxCount))...)
	return m
}

// settle brings the model to the present.
func (m *model) settle() {
	sort.SliceStable(m.waiting, func(i, j int) bool {
		a, b := m.waiting[i], m.waiting[j]
		return a.due < b.due || a.due == b.due && a.seq < b.seq
	})
	for len(m.waiting) > 0 && m.waiting[0].due <= m.now {
		x := m.waiting[0]
		x.hidden, x.delayed = false, false
		m.ready, m.waiting = append(m.ready, x), m.waiting[1:]
	}
	sort.Slice(m.ready, func(i, j int) bool { return m.ready[i].seq < m.ready[j].seq })
	for _, list := range []*[]*modelMessage{&m.ready, &m.waiting, &m.buried} {
		*list = slices.DeleteFunc(*list, func(x *modelMessage) bool {
			expired := x.sent+modelRetention <= m.now
			if expired {
				m.gone = append(m.gone, x)
			}
			return expired
		})
	}
}

func (m *model) check(step int, what string) {
	m.t.Helper()
	m.settle()
	flying := 0
	for _, x := range m.waiting {
		if x.hidden {
			flying++
		}
	}
	want := fmt.Sprintf("%d/%d/%d", len(m.ready), flying, len(m.waiting)-flying)
	if got := m.s.counts(m.queue); got != want {
		m.t.Fatalf("step %d, %s: counts %s, the model has %s", step, what, got, want)
	}
	if m.dead == "" {
		return
	}
	if got, want := m.s.counts(m.dead), fmt.Sprintf("%d/0/0", len(m.buried)); got != want {
		m.t.Fatalf("step %d, %s: dead-letter queue has %s, the model %s", step, what, got, want)
	}
}

func (m *model) send() string {
	m.settle()
	m.seq++
	x := &modelMessage{body: fmt.Sprint("m", m.seq), seq: m.seq, sent: m.now, due: m.now}
	in := &sdk.SendMessageInput{QueueUrl: &m.queue, MessageBody: &x.body}
	if m.dead == "" {
		x.group = fmt.Sprint("g", m.r.IntN(4))
		in.MessageGroupId = &x.group
	} else if m.r.IntN(3) == 0 {
		in.DelaySeconds = int32(m.r.IntN(20))
		x.due += int(in.DelaySeconds)
	}
	if _, err := m.s.SendMessage(ctx, in); err != nil {
		m.t.Fatal(err)
	}
	if x.due > m.now {
		x.delayed = true
		m.waiting = append(m.waiting, x)
	} else {
		m.ready = append(m.ready, x)
	}
	return "send " + x.body
}

// receive compares with the model exactly for the standard queue, whose order is that of sending.
func (m *model) receive(step int) string {
	m.settle()
	n := 1 + m.r.IntN(4)
	var want []string
	for len(want) < n && len(m.ready) > 0 {
		x := m.ready[0]
		m.ready = m.ready[1:]
		if x.count == modelMaxCount {
			m.buried = append(m.buried, x)
			continue
		}
		x.count, x.hidden, x.due = x.count+1, true, m.now+modelVisibility
		m.waiting = append(m.waiting, x)
		want = append(want, x.body)
	}
	got := m.s.receive(m.queue, n)
	if !slices.Equal(bodies(got), want) && len(got)+len(want) > 0 {
		m.t.Fatalf("step %d: received %v, the model gives %v", step, bodies(got), want)
	}
	for _, g := range got {
		x := m.find(*g.Body)
		x.handles = append(x.handles, *g.ReceiptHandle)
		if g.Attributes["ApproximateReceiveCount"] != fmt.Sprint(x.count) {
			m.t.Fatalf("step %d: %s received %s times, the model says %d", step, x.body, g.Attributes["ApproximateReceiveCount"], x.count)
		}
	}
	return fmt.Sprint("receive ", want)
}

// receiveFIFO checks what a FIFO queue promises: of each group what comes first and is ready, and nothing from behind a
// message in flight; and that nothing is held back when there was room for more.
func (m *model) receiveFIFO(step int) string {
	m.settle()
	n := 1 + m.r.IntN(4)
	barrier := make(map[string]int)
	for _, x := range m.waiting {
		if b := barrier[x.group]; b == 0 || x.seq < b {
			barrier[x.group] = x.seq
		}
	}
	open := make(map[string][]*modelMessage)
	left := 0
	for _, x := range m.ready {
		if b := barrier[x.group]; b == 0 || x.seq < b {
			open[x.group] = append(open[x.group], x)
			left++
		}
	}
	got := m.s.receive(m.queue, n)
	for _, g := range got {
		x := m.find(*g.Body)
		if len(open[x.group]) == 0 || open[x.group][0] != x {
			m.t.Fatalf("step %d: received %v: %s of group %s is not its turn", step, bodies(got), x.body, x.group)
		}
		open[x.group] = open[x.group][1:]
		m.ready = slices.DeleteFunc(m.ready, func(y *modelMessage) bool { return x == y })
		x.count, x.hidden, x.due = x.count+1, true, m.now+modelVisibility
		x.handles = append(x.handles, *g.ReceiptHandle)
		m.waiting = append(m.waiting, x)
	}
	if len(got) != min(n, left) {
		m.t.Fatalf("step %d: received %d of %d, with %d available", step, len(got), n, left)
	}
	return fmt.Sprint("receive ", bodies(got))
}

func (m *model) find(body string) *modelMessage {
	for _, list := range [][]*modelMessage{m.ready, m.waiting, m.buried, m.gone} {
		for _, x := range list {
			if x.body == body {
				return x
			}
		}
	}
	m.t.Fatalf("message %q was never sent", body)
	return nil
}

// pick gives a message that was received at some time, and one of its handles.
func (m *model) pick() (*modelMessage, string) {
	var all []*modelMessage
	for _, list := range [][]*modelMessage{m.ready, m.waiting, m.buried, m.gone[max(0, len(m.gone)-3):]} {
		for _, x := range list {
			if len(x.handles) > 0 {
				all = append(all, x)
			}
		}
	}
	if len(all) == 0 {
		return nil, ""
	}
	x := all[m.r.IntN(len(all))]
	return x, x.handles[len(x.handles)-1-m.r.IntN(min(2, len(x.handles)))]
}

func (m *model) delete(step int) string {
	m.settle()
	x, handle := m.pick()
	if x == nil {
		return "nothing to delete"
	}
	_, err := m.s.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: &m.queue, ReceiptHandle: &handle})
	there := slices.Contains(m.ready, x) || slices.Contains(m.waiting, x)
	current := x.hidden && handle == x.handles[len(x.handles)-1]
	if m.dead == "" && there && !current {
		wantError(m.t, err, "InvalidParameterValue", expiredHandle)
		return "delete late " + x.body
	}
	if err != nil {
		m.t.Fatalf("step %d: delete %s: %v", step, x.body, err)
	}
	if there {
		is := func(y *modelMessage) bool { return x == y }
		m.ready, m.waiting = slices.DeleteFunc(m.ready, is), slices.DeleteFunc(m.waiting, is)
		m.gone = append(m.gone, x)
	}
	return "delete " + x.body
}

func (m *model) hide(step int) string {
	m.settle()
	x, handle := m.pick()
	if x == nil {
		return "nothing to hide"
	}
	seconds := []int{0, 1, 5, 30}[m.r.IntN(4)]
	_, err := m.s.ChangeMessageVisibility(ctx, &sdk.ChangeMessageVisibilityInput{QueueUrl: &m.queue, ReceiptHandle: &handle, VisibilityTimeout: int32(seconds)})
	flying := slices.Contains(m.waiting, x) && x.hidden
	allowed := flying && handle == x.handles[len(x.handles)-1]
	if m.dead != "" {
		allowed = flying || slices.Contains(m.ready, x)
	}
	if allowed != (err == nil) {
		m.t.Fatalf("step %d: hide %s: %v, allowed: %v", step, x.body, err, allowed)
	}
	if flying && allowed {
		x.due = m.now + seconds
	}
	return fmt.Sprint("hide ", x.body, " for ", seconds)
}

func (m *model) pass(seconds int) string {
	m.s.clock.Advance(time.Duration(seconds) * time.Second)
	m.now += seconds
	return fmt.Sprint("pass ", seconds)
}

func (m *model) restart() string {
	m.settle()
	m.s.restart()
	m.purged = 0
	return "restart"
}

func (m *model) purge(step int) string {
	m.settle()
	_, err := m.s.PurgeQueue(ctx, &sdk.PurgeQueueInput{QueueUrl: &m.queue})
	early := m.purged > 0 && m.now < m.purged+60
	if early != (err != nil) {
		m.t.Fatalf("step %d: purge at %d, the last was at %d: %v", step, m.now, m.purged, err)
	}
	if early {
		return "purge too early"
	}
	m.gone = append(append(m.gone, m.ready...), m.waiting...)
	m.ready, m.waiting, m.purged = nil, nil, m.now
	return "purge"
}

func (m *model) run(receive func(int) string) {
	for step := range modelSteps {
		var what string
		switch n := m.r.IntN(100); {
		case n < 30:
			what = m.send()
		case n < 60:
			what = receive(step)
		case n < 73:
			what = m.delete(step)
		case n < 83:
			what = m.hide(step)
		case n < 98:
			what = m.pass(m.r.IntN(9))
		case n < 99 && m.now > 0:
			what = m.purge(step)
		default:
			what = m.restart()
		}
		m.check(step, what)
	}
}

func TestStandardQueueAgainstTheModel(t *testing.T) {
	m := newModel(t, false)
	m.run(m.receive)
	if m.seq == 0 || len(m.gone) == 0 {
		t.Error("the run did nothing")
	}
}

func TestFIFOQueueAgainstTheModel(t *testing.T) {
	m := newModel(t, true)
	m.run(m.receiveFIFO)
}

// TestManyClientsLoseNothing has clients send, receive, forget and delete at once while time passes, and counts at the end.
func TestManyClientsLoseNothing(t *testing.T) {
	for _, name := range []string{"work", "work.fifo"} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			url := s.create(name, "VisibilityTimeout", "1")
			const senders, each = 4, 50
			deleted := make(chan string, senders*each*2)
			sending := make(chan struct{})
			for c := range senders {
				go func() {
					for i := range each {
						in := &sdk.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(fmt.Sprint(c, "-", i))}
						if name != "work" {
							in.MessageGroupId, in.MessageDeduplicationId = aws.String(fmt.Sprint(i%3)), in.MessageBody
						}
						if _, err := s.SendMessage(ctx, in); err != nil {
							t.Error(err)
						}
					}
					sending <- struct{}{}
				}()
			}
			done, ended := make(chan struct{}), make(chan struct{})
			const consumers = 4
			for c := range consumers {
				go func() {
					defer func() { ended <- struct{}{} }()
					for n := c; ; n++ {
						select {
						case <-done:
							return
						default:
						}
						for _, m := range s.receive(url, 3) {
							if n%4 == 0 {
								continue // forgotten: it comes back
							}
							_, err := s.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
							if err == nil {
								deleted <- *m.Body
							}
						}
						s.clock.Advance(100 * time.Millisecond)
					}
				}()
			}
			for range senders {
				<-sending
			}
			unique := make(map[string]bool)
			for len(unique) < senders*each {
				unique[<-deleted] = true
			}
			close(done)
			for range consumers {
				<-ended
			}
			s.clock.Advance(time.Second)
			if got := s.counts(url); got != "0/0/0" {
				t.Errorf("counts %s when all are deleted", got)
			}
		})
	}
}

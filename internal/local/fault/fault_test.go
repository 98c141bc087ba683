package fault

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/internal/local/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func rules(t testing.TB, texts ...string) []Rule {
	t.Helper()
	var all []Rule
	for _, text := range texts {
		r, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// kinds are what an Injector decides about operations in a row.
func kinds(i *Injector, service, operation string, n int) []Kind {
	all := make([]Kind, n)
	for j := range all {
		all[j] = i.decide(service, operation).kind
	}
	return all
}

func TestEachFaultHasItsShareOfTheOperations(t *testing.T) {
	const n = 100_000
	i := New(Options{Seed: 3, Rules: rules(t, "sqs.SendMessage:throttle=50%,error=20%,drop=5%,drop-reply=0.5%")})
	count := map[Kind]int{}
	for _, k := range kinds(i, "sqs", "SendMessage", n) {
		count[k]++
	}
	for kind, percent := range map[Kind]float64{Throttle: 50, Error: 20, Drop: 5, DropReply: 0.5, None: 24.5} {
		if got := 100 * float64(count[kind]) / n; math.Abs(got-percent) > 0.5 {
			t.Errorf("%q: %.2f%%, want %v%%", kind, got, percent)
		}
	}
}

func TestTheSameSeedGivesTheSameFaults(t *testing.T) {
	text := "dynamodb.*:throttle=30%,error=30%,delay=1ms..1s"
	run := func(seed uint64) (all []decision) {
		i := New(Options{Seed: seed, Rules: rules(t, text)})
		for range 200 {
			all = append(all, i.decide("dynamodb", "GetItem"), i.decide("dynamodb", "Query"))
		}
		return all
	}
	same := func(a, b decision) bool { return a.kind == b.kind && a.delay == b.delay }
	if !slices.EqualFunc(run(7), run(7), same) {
		t.Error("seed 7 gives different faults")
	}
	if slices.EqualFunc(run(7), run(8), same) {
		t.Error("seeds 7 and 8 give the same faults")
	}
}

func TestOtherRulesDoNotChangeWhatARuleDoes(t *testing.T) {
	alone := New(Options{Seed: 5, Rules: rules(t, "sqs.SendMessage:error=50%")})
	beside := New(Options{Seed: 5, Rules: rules(t, "dynamodb.*:error=50%", "sqs.SendMessage:error=50%")})
	for range 100 {
		beside.decide("dynamodb", "GetItem")
	}
	if !slices.Equal(kinds(alone, "sqs", "SendMessage", 200), kinds(beside, "sqs", "SendMessage", 200)) {
		t.Error("a rule for another service changes the faults of sqs.SendMessage")
	}
}

func TestRulesAreForTheirOperationsOnly(t *testing.T) {
	i := New(Options{Rules: rules(t, "sqs.SendMessage:error=100%", "dynamodb.*:drop=100%", "mqtt.publish:drop=100%")})
	for _, c := range []struct {
		service, operation string
		want               Kind
	}{
		{"sqs", "SendMessage", Error},
		{"sqs", "SendMessageBatch", None},
		{"dynamodb", "Query", Drop},
		{"dynamodb", "ListBackups", None},
		{MQTT, Publish, Drop},
		{MQTT, Connect, None},
	} {
		if got := i.decide(c.service, c.operation).kind; got != c.want {
			t.Errorf("%s.%s meets %q, want %q", c.service, c.operation, got, c.want)
		}
	}
}

func TestTheFirstRuleThatBreaksAnOperationDoesAndDelaysAddUp(t *testing.T) {
	i := New(Options{Rules: rules(t, "sqs.*:delay=1s", "sqs.SendMessage:error=100%,delay=2s", "sqs.*:drop=100%")})
	d := i.decide("sqs", "SendMessage")
	if d.kind != Error || d.delay != 3*time.Second {
		t.Errorf("%+v", d)
	}
}

func TestHeldOperationsPassUncounted(t *testing.T) {
	text := "sqs.CreateQueue:error=50%"
	i := New(Options{Seed: 9, Rules: rules(t, text)})
	i.Hold()
	if slices.Contains(kinds(i, "sqs", "CreateQueue", 100), Error) {
		t.Error("a held Injector breaks operations")
	}
	i.Release()
	fresh := New(Options{Seed: 9, Rules: rules(t, text)})
	if !slices.Equal(kinds(i, "sqs", "CreateQueue", 100), kinds(fresh, "sqs", "CreateQueue", 100)) {
		t.Error("the held operations were counted")
	}
}

func TestADelayEndsWithTheClockTheCallerOrTheInjector(t *testing.T) {
	fake := clock.NewFake(time.Unix(0, 0))
	begin := func(ctx context.Context, i *Injector) <-chan error {
		done := make(chan error, 1)
		go func() {
			kind, err := i.Act(ctx, MQTT, Publish)
			if kind != None {
				t.Errorf("kind %q", kind)
			}
			done <- err
		}()
		fake.AwaitTimers(1)
		return done
	}
	i := New(Options{Rules: rules(t, "mqtt.publish:delay=1m"), Clock: fake})

	waiting := begin(t.Context(), i)
	fake.Advance(59 * time.Second)
	select {
	case <-waiting:
		t.Error("the delay ended early")
	default:
	}
	fake.Advance(time.Second)
	if err := <-waiting; err != nil {
		t.Error(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	waiting = begin(ctx, i)
	cancel()
	if err := <-waiting; err != context.Canceled {
		t.Error(err)
	}

	waiting = begin(t.Context(), i)
	i.Close()
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	i.Close()
}

func TestNoRulesAreNoInjectorAndDoNothing(t *testing.T) {
	i := New(Options{})
	if i != nil {
		t.Fatal("an Injector without rules")
	}
	i.Hold()
	i.Release()
	if kind, err := i.Act(t.Context(), "sqs", "SendMessage"); kind != None || err != nil {
		t.Error(kind, err)
	}
	if err := i.CheckServed(); err != nil {
		t.Error(err)
	}
	i.Close()
}

func TestARuleForAServiceThatIsNotThereIsAnError(t *testing.T) {
	i := New(Options{Rules: rules(t, "sqs.*:error=1%", "mqtt.*:drop=1%")})
	if err := i.CheckServed("sqs", "mqtt"); err != nil {
		t.Error(err)
	}
	if err := i.CheckServed("sqs", "dynamodb"); err == nil || err.Error() != `fault "mqtt.*:drop=1%" can have no effect: no stand-in for mqtt runs here; remove it, or have the stand-in run` {
		t.Error(err)
	}
}

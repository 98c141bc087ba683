package sqs

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// gate is a collector whose calls wait until the test lets them go.
type gate struct {
	collector[string]
	begun chan []string
	goOn  chan struct{}
}

func newGate() *gate {
	g := &gate{begun: make(chan []string, 100), goOn: make(chan struct{})}
	g.run = func(batch []string) {
		g.begun <- append([]string(nil), batch...)
		<-g.goOn
	}
	return g
}

func (g *gate) want(t *testing.T, batch ...string) {
	t.Helper()
	if got := <-g.begun; fmt.Sprint(got) != fmt.Sprint(batch) {
		t.Errorf("batch %v, want %v", got, batch)
	}
}

// finish ends all calls.
func (g *gate) finish() {
	close(g.goOn)
	for {
		g.mu.Lock()
		n := g.inFlight
		g.mu.Unlock()
		if n == 0 {
			return
		}
		runtime.Gosched()
	}
}

func TestEntriesLeaveAtOnceWhileLittleIsInFlight(t *testing.T) {
	g := newGate()
	defer g.finish()
	for i := range eager {
		g.add(fmt.Sprint(i))
		g.want(t, fmt.Sprint(i))
	}
}

func TestEntriesThatComeMeanwhileShareABatch(t *testing.T) {
	g := newGate()
	defer g.finish()
	for i := range eager {
		g.add(fmt.Sprint(i))
		g.want(t, fmt.Sprint(i))
	}
	g.add("a")
	g.add("b")
	g.add("c")
	g.goOn <- struct{}{}
	g.want(t, "a", "b", "c")
}

func TestFullBatchLeavesWithoutWaiting(t *testing.T) {
	g := newGate()
	defer g.finish()
	for i := range eager {
		g.add(fmt.Sprint(i))
		<-g.begun
	}
	for i := range maxBatch + 2 {
		g.add(fmt.Sprint(i))
	}
	g.want(t, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	g.goOn <- struct{}{}
	g.want(t, "10", "11")
}

func TestBatchStaysBelowTheBytesOfACall(t *testing.T) {
	g := newGate()
	defer g.finish()
	g.size = func(s string) int { return len(s) * maxBytes / 4 }
	for range eager {
		g.add("")
		<-g.begun
	}
	for _, s := range []string{"aa", "b", "cc", "d", "eeee"} {
		g.add(s)
	}
	for _, want := range [][]string{{"aa", "b"}, {"cc", "d"}, {"eeee"}} {
		g.goOn <- struct{}{}
		g.want(t, want...)
	}
}

func TestEntriesOfALaneAreNeverInTwoBatches(t *testing.T) {
	g := newGate()
	defer g.finish()
	g.lane = func(s string) string { return s[:1] }
	g.add("a1")
	g.want(t, "a1")
	g.add("a2")
	g.add("b1")
	g.want(t, "b1")
	g.add("a3")
	g.add("b2")
	g.add("c1")
	g.want(t, "c1")
	g.goOn <- struct{}{} // one of the three ends, and may take what its lane held back
	switch got := <-g.begun; strings.Join(got, " ") {
	case "a2 a3", "b2":
	case "":
		t.Error("an empty batch")
	default:
		t.Errorf("batch %v", got)
	}
}

// TestCollectorKeepsOrderAndLosesNothing plays many entries of a few lanes against calls of any length.
func TestCollectorKeepsOrderAndLosesNothing(t *testing.T) {
	const lanes, each = 7, 300
	var mu sync.Mutex
	last := map[byte]int{}
	flying := map[byte]int{}
	var all sync.WaitGroup
	c := &collector[[2]int]{lane: func(e [2]int) string { return string(rune('a' + e[0])) }}
	c.run = func(batch [][2]int) {
		mu.Lock()
		if len(batch) > maxBatch || len(batch) == 0 {
			t.Errorf("a batch of %d", len(batch))
		}
		seen := map[byte]bool{}
		for _, e := range batch {
			lane := byte(e[0])
			if !seen[lane] {
				flying[lane]++
				seen[lane] = true
			}
			if flying[lane] > 1 {
				t.Errorf("lane %d is in two batches", lane)
			}
			if e[1] != last[lane]+1 {
				t.Errorf("lane %d: %d after %d", lane, e[1], last[lane])
			}
			last[lane] = e[1]
		}
		mu.Unlock()
		for range rand.IntN(3) {
			runtime.Gosched()
		}
		mu.Lock()
		for lane := range seen {
			flying[lane]--
		}
		mu.Unlock()
		all.Add(-len(batch))
	}
	all.Add(lanes * each)
	var senders sync.WaitGroup
	for l := range lanes {
		senders.Go(func() {
			for i := range each {
				c.add([2]int{l, i + 1})
			}
		})
	}
	senders.Wait()
	all.Wait()
	for l := range lanes {
		if last[byte(l)] != each {
			t.Errorf("lane %d ended at %d", l, last[byte(l)])
		}
	}
}

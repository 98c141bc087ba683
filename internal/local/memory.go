package local

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// The stand-ins' heap is small and their garbage, requests and replies, is much: at Go's default of 100 percent the
// collector runs hundreds of times a second under load.
const (
	// roomyHeap is the heap up to which the collector is allowed to wait, in bytes. What the stand-ins take with a full
	// load stays below 100 MiB with it.
	roomyHeap = 48 << 20
	// laziest and keenest bound GOGC.
	laziest, keenest = 400, 100
)

var collectLess sync.Once

// CollectLess has the process collect garbage less often while its heap is small, up to some tens of MiB; above that
// Go's default holds, so that a large heap is never collected more often than without it. It is for the program that
// serves the stand-ins, not for a library: the setting is the process's. It does nothing when the environment sets GOGC
// or GOMEMLIMIT, nor when called again.
func CollectLess() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	collectLess.Do(func() {
		debug.SetGCPercent(laziest)
		afterCollection(laziest)
	})
}

// collected is an object that only the collector knows of. It holds a pointer so that it is not put into one block
// with others, which would live on with them.
type collected struct{ _ *collected }

// afterCollection sets the percentage anew after each collection, for a heap that has grown or shrunk.
func afterCollection(percent int) {
	runtime.AddCleanup(&collected{}, func(before int) {
		next := percentFor(liveHeap())
		// Setting it stops the program for a moment: not for a little.
		if change := next - before; change*change < 20*20 && next != keenest {
			next = before
		}
		if next != before {
			debug.SetGCPercent(next)
		}
		afterCollection(next)
	}, percent)
}

func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// percentFor is the GOGC that has the next collection at roomyHeap, within its bounds.
func percentFor(live uint64) int {
	if live >= roomyHeap {
		return keenest
	}
	return int(min(max((roomyHeap-live)*100/max(live, 1), keenest), laziest))
}

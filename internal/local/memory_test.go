package local

import "testing"

func TestGarbageIsCollectedLessWhileTheHeapIsSmall(t *testing.T) {
	for _, c := range []struct {
		name string
		live uint64
		want int
	}{
		{"an empty heap", 0, 400},
		{"a small heap", 4 << 20, 400},
		{"a heap that would grow beyond the room", 16 << 20, 200},
		{"half the room", roomyHeap / 2, 100},
		{"nearly all of the room", roomyHeap - 1, 100},
		{"a large heap", 1 << 30, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := percentFor(c.live); got != c.want {
				t.Errorf("GOGC for %d live bytes is %d, want %d", c.live, got, c.want)
			}
		})
	}
}

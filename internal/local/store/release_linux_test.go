package store

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// TestReleaseGivesBackWhatWasRead reads a file of 32 MiB, releases it and reads it again.
func TestReleaseGivesBackWhatWasRead(t *testing.T) {
	db := open(t, t.TempDir())
	value := []byte(strings.Repeat("x", 1<<20))
	for i := range 32 {
		if err := db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("big"))
			if err != nil {
				return err
			}
			return b.Put(fmt.Appendf(nil, "%02d", i), value)
		}); err != nil {
			t.Fatal(err)
		}
	}
	readAll := func() (sum int) {
		if err := db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("big")).ForEach(func(_, v []byte) error {
				for _, c := range v {
					sum += int(c)
				}
				return nil
			})
		}); err != nil {
			t.Fatal(err)
		}
		return sum
	}
	before := readAll()
	full := mapped(t)
	if err := db.Release(); err != nil {
		t.Fatal(err)
	}
	if now := mapped(t); now > full-24<<10 {
		t.Errorf("%d KiB of files mapped before, %d after", full, now)
	}
	if after := readAll(); after != before {
		t.Errorf("read %d after, %d before", after, before)
	}
}

// mapped is how many KiB of mapped files are in the process's memory.
func mapped(t *testing.T) (kib int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rest, found := strings.Cut(string(status), "RssFile:")
	if !found {
		t.Skip("this kernel does not tell RssFile")
	}
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}

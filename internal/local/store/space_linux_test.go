package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"
)

// TestFullDisk limits the size of a process's files, which refuses writes as a full disk does. The process is a child,
// since the limit would hold for the go command's log of this one too.
func TestFullDisk(t *testing.T) {
	const child = "STORE_TEST_FULL_DISK"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	db := open(t, t.TempDir())
	if err := write(db, "before", "kept"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	full := limit
	full.Cur = uint64(info.Size() + 64<<10)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for i := 0; err == nil && i < 1000; i++ {
		if err = write(db, fmt.Sprint(i), strings.Repeat("x", 10_000)); err == nil {
			acknowledged++
		}
	}
	again := write(db, "refused", strings.Repeat("x", 100_000))
	if e := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); e != nil {
		t.Fatal(e)
	}
	if !errors.Is(err, ErrNoSpace) || !errors.Is(again, ErrNoSpace) || acknowledged == 1000 {
		t.Fatalf("after %d writes: %v, %v", acknowledged, err, again)
	}
	if err := write(db, "after", "works"); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	dir := t.TempDir()
	if err := db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(dir+"/"+FileName, 0o600) }); err != nil {
		t.Fatal(err)
	}
	copied := open(t, dir)
	for _, db := range []*DB{db, copied} {
		if read(t, db, "before") != "kept" || read(t, db, "after") != "works" || read(t, db, "refused") != "" {
			t.Error("wrong content")
		}
		for i := range acknowledged {
			if len(read(t, db, fmt.Sprint(i))) != 10_000 {
				t.Errorf("acknowledged write %d is lost", i)
			}
		}
	}
}

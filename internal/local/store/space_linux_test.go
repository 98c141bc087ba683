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

// inChild runs the test once more in a child process, and reports whether this is it.
func inChild(t *testing.T) bool {
	t.Helper()
	const child = "STORE_TEST_FULL_DISK"
	if os.Getenv(child) != "" {
		signal.Ignore(syscall.SIGXFSZ)
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// TestOpenOnAFullDisk has no room for any file, neither a new folder's nor the pid file of one that is there.
func TestOpenOnAFullDisk(t *testing.T) {
	if !inChild(t) {
		return
	}
	there := t.TempDir()
	if err := open(t, there).Close(); err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	full := syscall.Rlimit{Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	_, ofNew := Open(t.TempDir(), Options{})
	_, ofOld := Open(there, Options{})
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if want := "open data folder " + there + ": " + ErrNoSpace.Error(); !errors.Is(ofNew, ErrNoSpace) || ofOld == nil || ofOld.Error() != want {
		t.Errorf("a new folder: %v; one that is there: %v, want %s", ofNew, ofOld, want)
	}
	if db, err := Open(there, Options{}); err != nil {
		t.Errorf("with room again: %v", err)
	} else if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// TestAFileThatThereWasNoRoomToMakeIsMadeLater has room for a part of a new file.
func TestAFileThatThereWasNoRoomToMakeIsMadeLater(t *testing.T) {
	if !inChild(t) {
		return
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	for pages := range 4 {
		dir := t.TempDir()
		full := syscall.Rlimit{Cur: uint64(pages * os.Getpagesize()), Max: limit.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
			t.Fatal(err)
		}
		_, refused := Open(dir, Options{})
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(refused, ErrNoSpace) {
			t.Errorf("room for %d pages: %v", pages, refused)
		}
		if db, err := Open(dir, Options{}); err != nil {
			t.Errorf("room for %d pages, then more: %v", pages, err)
		} else if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFullDisk limits the size of a process's files, which refuses writes as a full disk does. The process is a child,
// since the limit would hold for the go command's log of this one too.
func TestFullDisk(t *testing.T) {
	if !inChild(t) {
		return
	}
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

package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// A child process of the lock test: holds the folder until its input ends.
	if dir := os.Getenv("STORE_TEST_HOLD"); dir != "" {
		db, err := Open(dir, Options{})
		if err != nil {
			panic(err)
		}
		fmt.Println("held")
		_, _ = os.Stdin.Read(make([]byte, 1))
		if err := db.Close(); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

var bucket = []byte("test")

func open(t testing.TB, dir string) *DB {
	t.Helper()
	db, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func write(db *DB, key, value string) error {
	return db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		return b.Put([]byte(key), Seal([]byte(key), []byte(value)))
	})
}

func read(t testing.TB, db *DB, key string) (value string) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		if b == nil {
			return nil
		}
		sealed := b.Get([]byte(key))
		if sealed == nil {
			return nil
		}
		v, err := Unseal([]byte(key), sealed)
		value = string(v)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestWhatUpdateReturnedIsThereAfterReopening(t *testing.T) {
	for _, relaxed := range []bool{false, true} {
		t.Run(fmt.Sprint("relaxed=", relaxed), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
			db, err := Open(dir, Options{Relaxed: relaxed})
			if err != nil {
				t.Fatal(err)
			}
			if err := write(db, "a", "1"); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if got := read(t, open(t, dir), "a"); got != "1" {
				t.Errorf("read %q", got)
			}
		})
	}
}

// awaitQueued returns once n updates wait for the committer.
func awaitQueued(db *DB, n int) {
	for {
		db.mu.Lock()
		queued := len(db.pending)
		db.mu.Unlock()
		if queued >= n {
			return
		}
		runtime.Gosched()
	}
}

func TestConcurrentUpdatesShareTransactions(t *testing.T) {
	db := open(t, t.TempDir())
	// The first update holds the committer until the others are queued.
	started, release := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		once := sync.OnceFunc(func() { close(started); <-release })
		if err := db.Update(func(*bbolt.Tx) error { once(); return nil }); err != nil {
			t.Error(err)
		}
	})
	<-started
	const n = 50
	var mu sync.Mutex
	transactions := make(map[int]int)
	for i := range n {
		group.Go(func() {
			err := db.Update(func(tx *bbolt.Tx) error {
				mu.Lock()
				defer mu.Unlock()
				transactions[tx.ID()]++
				b, err := tx.CreateBucketIfNotExists(bucket)
				if err != nil {
					return err
				}
				return b.Put(fmt.Append(nil, i), Seal(fmt.Append(nil, i), []byte("x")))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	awaitQueued(db, n)
	close(release)
	group.Wait()
	if len(transactions) != 1 {
		t.Errorf("%d updates ran in %d transactions, want 1", n, len(transactions))
	}
	for i := range n {
		if read(t, db, fmt.Sprint(i)) != "x" {
			t.Errorf("update %d is missing", i)
		}
	}
}

func TestAFailingUpdateLeavesTheOthersOfItsBatchAlone(t *testing.T) {
	db := open(t, t.TempDir())
	started, release := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		once := sync.OnceFunc(func() { close(started); <-release })
		if err := db.Update(func(*bbolt.Tx) error { once(); return nil }); err != nil {
			t.Error(err)
		}
	})
	<-started
	sorry := errors.New("sorry")
	results := make(map[string]error)
	var mu sync.Mutex
	for _, key := range []string{"a", "b", "bad", "c", "panics"} {
		group.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					mu.Lock()
					defer mu.Unlock()
					results[key] = fmt.Errorf("panic: %v", r)
				}
			}()
			err := db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucketIfNotExists(bucket)
				if err != nil {
					return err
				}
				if err := b.Put([]byte(key), Seal([]byte(key), []byte("x"))); err != nil {
					return err
				}
				switch key {
				case "bad":
					return sorry
				case "panics":
					panic("ouch")
				}
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			results[key] = err
		})
	}
	awaitQueued(db, 5)
	close(release)
	group.Wait()
	for _, key := range []string{"a", "b", "c"} {
		if results[key] != nil || read(t, db, key) != "x" {
			t.Errorf("%s: %v, read %q", key, results[key], read(t, db, key))
		}
	}
	if !errors.Is(results["bad"], sorry) || read(t, db, "bad") != "" {
		t.Errorf("bad: %v, read %q", results["bad"], read(t, db, "bad"))
	}
	if err := results["panics"]; err == nil || err.Error() != "panic: ouch" || read(t, db, "panics") != "" {
		t.Errorf("panics: %v", err)
	}
}

func TestOpenNamesTheProcessThatHoldsTheFolder(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "STORE_TEST_HOLD="+dir)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, Options{LockTimeout: 1})
	if want := "process " + strconv.Itoa(child.Process.Pid); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that names %s", err, want)
	}
	_ = in.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestFreshDropsWhatThereIsAndGivesTheRoomBack(t *testing.T) {
	good := sample(t)
	for name, before := range map[string][]byte{
		"data": good, "damaged data": good[:len(good)/2], "not a database": []byte("no"), "nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, FileName)
			if err := os.WriteFile(path, before, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := Open(dir, Options{Fresh: true})
			if err != nil {
				t.Fatal(err)
			}
			err = db.View(func(tx *bbolt.Tx) error {
				return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error { return fmt.Errorf("there is %s", name) })
			})
			info, stat := os.Stat(path)
			if err := errors.Join(err, stat, db.Close()); err != nil {
				t.Fatal(err)
			}
			if most := int64(8 * os.Getpagesize()); info.Size() > most {
				t.Errorf("the file has %d bytes", info.Size())
			}
		})
	}
}

func TestFreshLeavesTheFolderOfAnotherProcessAlone(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	if err := write(db, "a", "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Fresh: true, LockTimeout: time.Millisecond}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("error %v", err)
	}
	if err := write(db, "b", "2"); err != nil || read(t, db, "a") != "1" {
		t.Errorf("the folder was changed: %v", err)
	}
}

func TestAfterCloseEverythingIsRefused(t *testing.T) {
	db, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if err := write(db, "a", "1"); !errors.Is(err, ErrClosed) {
		t.Errorf("update: %v", err)
	}
	if err := db.View(func(*bbolt.Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("view: %v", err)
	}
}

func TestUnsealFindsEveryFlippedBit(t *testing.T) {
	key, value := []byte("key"), []byte("some value")
	sealed := Seal(key, value)
	if got, err := Unseal(key, sealed); err != nil || string(got) != string(value) {
		t.Fatalf("%q, %v", got, err)
	}
	for i := range len(sealed) * 8 {
		sealed[i/8] ^= 1 << (i % 8)
		if _, err := Unseal(key, sealed); !errors.Is(err, ErrDamaged) {
			t.Errorf("bit %d: %v", i, err)
		}
		sealed[i/8] ^= 1 << (i % 8)
	}
	for _, bad := range [][]byte{nil, {1, 2, 3}, sealed[:len(sealed)-1]} {
		if _, err := Unseal(key, bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("%x: %v", bad, err)
		}
	}
	if _, err := Unseal([]byte("kez"), sealed); !errors.Is(err, ErrDamaged) {
		t.Errorf("other key: %v", err)
	}
}

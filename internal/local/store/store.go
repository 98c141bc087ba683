// Package store keeps what the local stand-ins have acknowledged: one bbolt file in a data folder, written with group
// commit and synced before a write returns.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// FileName is the data file's name in its folder.
const FileName = "flowctl.db"

const (
	pidName = "flowctl.pid"

	defaultLockTimeout = 500 * time.Millisecond
	relaxedSync        = time.Second
)

var (
	// ErrNoSpace says that a write was refused for want of room on the disk. What was acknowledged before is safe, and
	// writes succeed again as soon as there is room.
	ErrNoSpace = errors.New("no space left for the data folder: free some and try again")
	// ErrClosed is what View and Update return after Close.
	ErrClosed = errors.New("the data folder is closed")
	// ErrDamaged is wrapped by every error that says the file's content is not what was written.
	ErrDamaged = errors.New("damaged data file")
)

// Options change how Open treats the data folder; the zero value is right for most uses.
type Options struct {
	// Relaxed acknowledges before the data is on disk and syncs once a second: kill -9 loses nothing, but a power cut
	// may lose the last second or leave a file that Open refuses.
	Relaxed bool
	// Fresh drops what the file holds, be it damaged, and gives its room back to the disk.
	Fresh bool
	// LockTimeout is how long Open waits for another process to let go of the folder; 0 means half a second.
	LockTimeout time.Duration
}

// DB is an open data folder. Its methods may be called by any goroutine.
type DB struct {
	bolt *bbolt.DB
	dir  string

	mu      sync.Mutex
	pending []*update
	closed  bool
	broken  error

	wake    chan struct{}
	stopped chan struct{}
	relaxed bool
}

// Open makes the folder if needed, takes its lock, checks the file's structure and starts the committer. The error says
// what to do when another process holds the folder (naming its pid), when the file is damaged (wrapping ErrDamaged) or when
// the disk is full (wrapping ErrNoSpace).
func Open(dir string, o Options) (*DB, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, explain(dir, err)
	}
	path := filepath.Join(dir, FileName)
	wait := o.LockTimeout
	if wait <= 0 {
		wait = defaultLockTimeout
	}
	prepare := checkBeforeUse
	if o.Fresh {
		prepare = empty
	}
	if err := prepare(path, wait); err != nil {
		return nil, explain(dir, err)
	}
	bolt, err := openOrMake(path, &bbolt.Options{
		Timeout:        wait,
		NoSync:         o.Relaxed,
		NoGrowSync:     o.Relaxed,
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
	})
	if err != nil {
		return nil, explain(dir, err)
	}
	if err := syncDir(dir); err != nil {
		return nil, errors.Join(explain(dir, err), bolt.Close())
	}
	if err := os.WriteFile(filepath.Join(dir, pidName), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return nil, errors.Join(explain(dir, err), bolt.Close())
	}
	db := &DB{
		bolt:    bolt,
		dir:     dir,
		relaxed: o.Relaxed,
		wake:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
	}
	go db.commitUpdates()
	return db, nil
}

// Path is the data file's path.
func (db *DB) Path() string { return db.bolt.Path() }

// View runs fn on a consistent state of the file. Byte slices from the transaction are valid only until fn returns. A
// long View holds back the reuse of space, and must not call Update.
func (db *DB) View(fn func(*bbolt.Tx) error) error {
	err := db.bolt.View(fn)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// Close waits for the queued updates, syncs and gives the folder free. A second Close does nothing.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		<-db.stopped
		return nil
	}
	db.closed = true
	db.mu.Unlock()
	close(db.wake)
	<-db.stopped
	var errs []error
	if db.relaxed {
		errs = append(errs, db.bolt.Sync())
	}
	// The pid file goes while the lock is still held, so as not to take away the next holder's.
	errs = append(errs, os.Remove(filepath.Join(db.dir, pidName)), db.bolt.Close())
	return errors.Join(errs...)
}

// checkBeforeUse verifies an existing file under a shared lock, before bbolt maps it for writing and would crash on
// damage.
func checkBeforeUse(path string, wait time.Duration) error {
	if none, err := isEmpty(path); none || err != nil {
		return err
	}
	lock, err := openBolt(path, &bbolt.Options{ReadOnly: true, Timeout: wait})
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	return errors.Join(verify(f), f.Close(), lock.Close())
}

// isEmpty says whether the file is still to be made.
func isEmpty(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	return err == nil && info.Size() == 0, err
}

// empty drops the file's content under a shared lock. The file itself stays: another process may wait for its lock, and
// would else get that of a file that is gone.
func empty(path string, wait time.Duration) error {
	if none, err := isEmpty(path); none || err != nil {
		return err
	}
	lock, err := openBolt(path, &bbolt.Options{ReadOnly: true, Timeout: wait})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return err
	case err != nil: // it is damaged, so that nobody has it open
		return os.Truncate(path, 0)
	}
	err = os.Truncate(path, 0)
	closing := lock.Close()
	if err != nil { // Windows does not truncate what is mapped, be it by this process
		err = os.Truncate(path, 0)
	}
	return errors.Join(err, closing)
}

// openOrMake opens the file for writing and makes it when there is none. One that there was no room to make is left
// empty, not half made, which would count as damage the next time.
func openOrMake(path string, o *bbolt.Options) (*bbolt.DB, error) {
	none, err := isEmpty(path)
	if err != nil {
		return nil, err
	}
	db, err := openBolt(path, o)
	if none && isNoSpace(err) {
		err = errors.Join(err, os.Truncate(path, 0))
	}
	return db, err
}

// openBolt turns the panics by which bbolt reports some damage into errors.
func openBolt(path string, o *bbolt.Options) (db *bbolt.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	return bbolt.Open(path, 0o600, o)
}

// explain adds what to do about an error of opening the folder.
func explain(dir string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("data folder %s is in use by %s: stop it, or choose another with --data", dir, holder(dir))
	case isNoSpace(err):
		return fmt.Errorf("open data folder %s: %w", dir, ErrNoSpace)
	case errors.Is(err, ErrDamaged), errors.Is(err, bolterrors.ErrInvalid),
		errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch),
		strings.Contains(err.Error(), "file size too small"): // for which bbolt has no error of its own
		path := filepath.Join(dir, FileName)
		if !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return fmt.Errorf("%s cannot be trusted (%w): nothing was changed; put back a copy of the file, or move it away to start empty",
			path, err)
	default:
		return fmt.Errorf("open data folder %s: %w", dir, err)
	}
}

// holder names the process that holds the folder, as far as its pid file tells.
func holder(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, pidName))
	pid := strings.TrimSpace(string(text))
	if _, bad := strconv.Atoi(pid); err != nil || bad != nil {
		return "another process"
	}
	return "process " + pid
}

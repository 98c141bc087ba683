package store

import (
	"syscall"

	"go.etcd.io/bbolt"
)

// Release gives the system back the pages of the file that have been read so far. They are only mapped, not copied, and
// stay in the system's cache, but count as the process's memory. What is read later comes back by itself.
func (db *DB) Release() error {
	return db.View(func(tx *bbolt.Tx) error { // under which the mapping stays where it is
		_, _, errno := syscall.Syscall(syscall.SYS_MADVISE, db.bolt.Info().Data, uintptr(tx.Size()), syscall.MADV_DONTNEED)
		if errno != 0 {
			return errno
		}
		return nil
	})
}

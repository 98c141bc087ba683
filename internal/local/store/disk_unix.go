//go:build !windows

package store

import (
	"os"
	"syscall"
)

// fullDisk lists the errors that mean there is no room: on the disk, in the quota, under the file size limit.
var fullDisk = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}

// syncDir makes the data file's entry in its folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

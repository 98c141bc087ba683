package store

import "syscall"

// fullDisk lists ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL.
var fullDisk = []syscall.Errno{112, 39}

// syncDir does nothing: Windows keeps folder entries by itself.
func syncDir(string) error { return nil }

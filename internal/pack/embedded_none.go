//go:build !bootstraps

package pack

import "embed"

// embedded is empty in a program that was not built by `make build`.
var embedded embed.FS

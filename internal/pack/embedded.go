//go:build bootstraps

package pack

import "embed"

// embedded holds NAME.gz for each architecture. `make build` makes the files
// and sets the tag: a plain `go build`, which would not notice that they are
// older than the source, takes none.
//
//go:embed bootstrap/*.gz
var embedded embed.FS

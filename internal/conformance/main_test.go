// Package conformance tries the stand-ins with programs that nobody here wrote:
// the same cases against an independent server of the same protocols (moto),
// replies against the service models that AWS publishes with its SDK for Python,
// and the clients that users have. What it needs beyond Go is looked for, never
// fetched: a test without its program is skipped and says what is missing.
package conformance

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// update writes the golden file of differences and docs/stand-ins.md anew.
var update = flag.Bool("update", false, "write testdata/differences.golden and docs/stand-ins.md")

// patience bounds every wait for another program: a hang fails the test instead
// of stopping it.
const patience = 90 * time.Second

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveFolder); dir != "" {
		if err := serveUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		os.Exit(code)
	}))
}

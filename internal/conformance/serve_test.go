package conformance

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"github.com/flowctl-dev/flowctl/internal/local"
)

// serveFolder makes the test binary a process of its own with the stand-ins over that data folder, to be measured and
// killed.
const serveFolder = "FLOWCTL_CONFORMANCE_SERVE"

// serveUntilKilled tells the stand-ins' address on standard output and serves.
func serveUntilKilled(dir string) error {
	l, err := local.Start(context.Background(), local.Options{
		Dir: dir, AWSAddr: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		return err
	}
	fmt.Println("serving", l.AWSEndpoint())
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	<-interrupted
	return l.Close()
}

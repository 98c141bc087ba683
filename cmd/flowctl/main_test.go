package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

func TestSignalsOfOneStopDoNotEndTheProcessAtOnce(t *testing.T) {
	c := make(chan os.Signal)
	at := make(chan time.Time)
	insisted := make(chan struct{})
	go func() {
		awaitInsistence(c, func() time.Time { return <-at })
		close(insisted)
	}()
	begun := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at <- begun
	for _, after := range []time.Duration{0, time.Millisecond, oneStop - 1} {
		c <- syscall.SIGTERM
		at <- begun.Add(after)
	}
	// That it takes one more signal shows that those before were not enough.
	select {
	case c <- syscall.SIGTERM:
	case <-insisted:
		t.Fatal("signals of one stop count as a second one")
	}
	at <- begun.Add(oneStop)
	<-insisted
}

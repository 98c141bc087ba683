package sqs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
)

// TestFullDisk limits the size of a process's files, which refuses writes as a full disk does. The process is a child,
// since the limit would hold for the go command's log of this one too.
func TestFullDisk(t *testing.T) {
	const child = "SQS_TEST_FULL_DISK"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	s := open(t)
	url, fifo := s.create("work"), s.create("work.fifo")
	body := strings.Repeat("x", 20_000)
	s.send(url, "first")
	info, err := os.Stat(s.db.Path())
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	full := limit
	full.Cur = uint64(info.Size() + 256<<10)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	restored := false
	restore := func() {
		if !restored {
			restored = true
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
				t.Fatal(err)
			}
		}
	}
	defer restore()

	acknowledged := 1
	for err == nil && acknowledged < 1000 {
		if _, err = s.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err == nil {
			acknowledged++
		}
	}
	// The SDKs retry what the server is to blame for.
	if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "ServiceUnavailable" {
		t.Fatalf("after %d messages: %v", acknowledged, err)
	}
	group, dedup := "g", "d"
	_, err = s.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &fifo, MessageBody: &body, MessageGroupId: &group, MessageDeduplicationId: &dedup})
	wantError(t, err, "ServiceUnavailable", "no space left")
	if got, want := s.counts(url), fmt.Sprintf("%d/0/0", acknowledged); got != want {
		t.Errorf("counts %s, want %s", got, want)
	}

	restore()
	s.send(url, "last")
	s.sendTo(fifo, "refused before, so it is no duplicate", "g", "d")
	s.want(fifo, "refused before, so it is no duplicate")
	s.restart()
	if got, want := s.counts(url), fmt.Sprintf("%d/0/0", acknowledged+1); got != want {
		t.Errorf("counts %s after restart, want %s", got, want)
	}
}

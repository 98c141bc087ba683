package sqs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/clock"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

func base64Text(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestQueuesMessagesDelaysAndDeadlinesSurviveARestart(t *testing.T) {
	s := open(t)
	url := s.create("work", "VisibilityTimeout", "60")
	s.send(url, "in flight")
	got := s.one(url)
	if err := s.hide(url, got, 30); err != nil {
		t.Fatal(err)
	}
	s.send(url, "ready")
	delay := s.create("later", "DelaySeconds", "20")
	s.send(delay, "delayed")

	s.clock.Advance(10 * time.Second) // passes while the service runs
	s.stop()
	s.clock.Advance(5 * time.Second) // and while it does not
	s.start()

	if a, b := s.counts(url), s.counts(delay); a != "1/1/0" || b != "0/0/1" {
		t.Fatalf("counts %s and %s", a, b)
	}
	s.delete(url, s.want(url, "ready")[0])
	s.none(delay)
	s.clock.Advance(5 * time.Second)
	s.want(delay, "delayed")
	s.clock.Advance(9 * time.Second)
	s.none(url)
	if err := s.hide(url, got, 40); err != nil {
		t.Errorf("the receipt handle is no longer good: %v", err)
	}
	s.clock.Advance(40 * time.Second)
	again := s.want(url, "in flight")
	if again[0].Attributes["ApproximateReceiveCount"] != "2" {
		t.Errorf("attributes %v", again[0].Attributes)
	}
	s.delete(url, got)
	s.clock.Advance(time.Hour)
	s.none(url)
}

func TestSettingTheWallClockMovesNoDeadline(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			s := open(t)
			url := s.create("work", "VisibilityTimeout", "60")
			s.send(url, "in flight")
			s.one(url)
			late := s.create("late", "DelaySeconds", "60")
			s.send(late, "delayed")
			check := func(seconds int) {
				t.Helper()
				if a, b := s.counts(url), s.counts(late); a != "0/1/0" || b != "0/0/1" {
					t.Fatalf("after %d s: counts %s and %s", seconds, a, b)
				}
			}
			s.clock.Jump(jump)
			check(0)
			s.restart()
			check(0)
			s.clock.Advance(59 * time.Second)
			check(59)
			s.clock.Advance(time.Second)
			s.want(url, "in flight")
			s.want(late, "delayed")
		})
	}
}

// TestAClockThatWasSetBackBetweenRunsProlongsNothing has the clock be wrong in the first run.
func TestAClockThatWasSetBackBetweenRunsProlongsNothing(t *testing.T) {
	s := open(t)
	url := s.create("work", "VisibilityTimeout", "60")
	s.send(url, "in flight")
	s.one(url)
	late := s.create("late", "DelaySeconds", "60")
	s.send(late, "delayed")
	fifo := s.create("orders.fifo")
	s.sendTo(fifo, "first", "g", "id")
	s.delete(fifo, s.one(fifo))

	s.stop()
	s.clock.Jump(-24 * time.Hour)
	s.start()

	s.clock.Advance(59 * time.Second)
	if a, b := s.counts(url), s.counts(late); a != "0/1/0" || b != "0/0/1" {
		t.Errorf("counts %s and %s", a, b)
	}
	s.clock.Advance(time.Second)
	s.want(url, "in flight")
	s.want(late, "delayed")
	s.clock.Advance(4 * time.Minute)
	s.sendTo(fifo, "again", "g", "id")
	s.want(fifo, "again")
	s.restart()
	if got := s.counts(url); got != "1/0/0" {
		t.Errorf("after another restart: counts %s", got)
	}
}

// TestACopyOfTheFileHoldsWhatWasAcknowledged copies the file under load, as it would be found after kill -9.
func TestACopyOfTheFileHoldsWhatWasAcknowledged(t *testing.T) {
	s := open(t)
	url := s.create("work")
	var mu sync.Mutex
	const (
		sent = iota + 1
		deleting
		deleted
	)
	acknowledged := make(map[string]int)
	snapshot := func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(acknowledged)
	}
	note := func(id string, state int) {
		mu.Lock()
		defer mu.Unlock()
		acknowledged[id] = max(acknowledged[id], state)
	}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	enough := make(chan struct{}, 1000)
	for c := range 4 {
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				note(*s.send(url, fmt.Sprintf("%d-%d", c, i)).MessageId, sent)
				if i%3 == 0 {
					for _, m := range s.receive(url, 1) {
						note(*m.MessageId, deleting)
						s.delete(url, m)
						note(*m.MessageId, deleted)
					}
				}
				select {
				case enough <- struct{}{}:
				default:
				}
			}
		})
	}
	for round := range 5 {
		for range 40 {
			<-enough
		}
		before := snapshot()
		dir := t.TempDir()
		// A transaction of bbolt is what is in the file at one moment, as a snapshot of the disk would be.
		if err := s.db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(filepath.Join(dir, "flowctl.db"), 0o600) }); err != nil {
			t.Fatal(err)
		}
		after := snapshot()
		found := contents(t, dir)
		for id, state := range before {
			if after[id] == sent && !found[id] {
				t.Errorf("round %d: message %s was acknowledged and is lost", round, id)
			}
			if state == deleted && found[id] {
				t.Errorf("round %d: message %s was deleted and is back", round, id)
			}
		}
	}
	close(stop)
	clients.Wait()
}

// contents gives the ids of the messages of queue "work" in a data folder.
func contents(t *testing.T, dir string) map[string]bool {
	t.Helper()
	db, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	service, err := New(Options{Store: db, Clock: clock.NewFake(began)})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	q := service.queues["work"]
	err = db.View(func(tx *bbolt.Tx) error {
		for seq := range q.messages {
			c, err := readContent(tx, messageKey(q.id, seq))
			if err != nil || c == nil {
				return fmt.Errorf("message %d: %v, %w", seq, c, err)
			}
			found[uuidText(c.id)] = true
		}
		return nil
	})
	if err := errors.Join(err, service.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestADamagedRecordIsRefusedAtStart(t *testing.T) {
	s := open(t)
	s.send(s.create("work"), strings.Repeat("marker", 100))
	path := s.db.Path()
	s.stop()
	defer s.start()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}()
	bad := strings.ReplaceAll(string(good), "markermarker", "markerMarker")
	if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(s.dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := New(Options{Store: db, Clock: s.clock}); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}

func TestMessagesSentWhileTheirQueueWasDeletedAreRemovedAtStart(t *testing.T) {
	s := open(t)
	key := messageKey(77, 1)
	err := s.db.Update(func(tx *bbolt.Tx) error {
		return putMessage(tx, key, store.Seal(key, appendContent(nil, &content{body: "orphan"})), 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.restart()
	_ = s.db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket(messagesBucket).Get(key) != nil {
			t.Error("the orphan is still there")
		}
		return nil
	})
}

func TestAfterTheStoreIsClosedWritesAreRefusedAndRetryable(t *testing.T) {
	s := open(t)
	url := s.create("work")
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	body := "x"
	_, err := s.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: &body})
	wantError(t, err, "ServiceUnavailable", "closed")
	if got := len(s.service.queues["work"].messages); got != 0 {
		t.Errorf("%d messages in the index", got)
	}
}

func TestAHandleIsGoodThoughItsReceiveWasLostInACrash(t *testing.T) {
	s := open(t)
	url := s.create("work")
	s.send(url, "work")
	got := s.one(url)
	s.stop()
	// The crash came before the record of the receive, which is written behind it.
	db, err := store.Open(s.dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lost := db.Update(func(tx *bbolt.Tx) error {
		return tx.DeleteBucket(progressBucket)
	})
	if err := errors.Join(lost, db.Close()); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.delete(url, got)
	s.none(url)
}

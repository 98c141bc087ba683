package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

const sendHelp = `Send a message: BODY, or what comes from standard input if it is left out or is -.
With --lines every line of standard input is a message of its own. The ids of the
messages are printed once the service has confirmed them.

A FIFO queue needs --group, and --dedup-id unless it deduplicates by content.`

// sendFlags are the flags of queue send.
type sendFlags struct {
	delay      time.Duration
	group      string
	dedup      string
	attributes []string
	lines      bool
}

func newQueueSendCommand(s *serviceTarget) *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send QUEUE [BODY]",
		Short: "Send a message, or one for each line",
		Long:  sendHelp,
		Example: `  flowctl queue send passengers '{"areacode":"2331","name":"John","seat":"4"}'
  flowctl queue send passengers --lines < requests.jsonl
  flowctl queue send orders.fifo '{"id":7}' --group customer-1 --dedup-id 7`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.lines && len(args) == 2 {
				return usageError{errors.New("--lines reads standard input; leave out BODY")}
			}
			if f.lines && f.dedup != "" {
				return usageError{errors.New("--dedup-id is for one message: with --lines all but the first would be dropped as duplicates")}
			}
			entry, err := f.entry()
			if err != nil {
				return err
			}
			return withQueues(cmd, s, func(ctx context.Context, q *queues) error {
				return q.send(ctx, cmd, args, f.lines, entry)
			})
		},
	}
	fl := cmd.Flags()
	fl.DurationVar(&f.delay, "delay", 0, "hide the message for this time first, in whole seconds up to 15m")
	fl.StringVar(&f.group, "group", "", "message group `ID`")
	fl.StringVar(&f.dedup, "dedup-id", "", "message deduplication `ID`, for FIFO queues")
	fl.StringArrayVar(&f.attributes, "attribute", nil, "message attribute, as `NAME=TEXT`; may be given several times")
	fl.BoolVar(&f.lines, "lines", false, "send every line of standard input")
	return cmd
}

const maxDelay = 15 * time.Minute

// entry is a message with all but its body.
func (f sendFlags) entry() (e types.SendMessageBatchRequestEntry, err error) {
	if f.delay < 0 || f.delay > maxDelay || f.delay%time.Second != 0 {
		return e, usageError{fmt.Errorf("--delay is in whole seconds from 0s to 15m, not %s", f.delay)}
	}
	e.DelaySeconds = int32(f.delay / time.Second)
	if f.group != "" {
		e.MessageGroupId = &f.group
	}
	if f.dedup != "" {
		e.MessageDeduplicationId = &f.dedup
	}
	for _, a := range f.attributes {
		name, text, ok := strings.Cut(a, "=")
		if !ok || name == "" || text == "" {
			return e, usageError{fmt.Errorf("--attribute %s: write NAME=TEXT, neither of them empty", a)}
		}
		if _, twice := e.MessageAttributes[name]; twice {
			return e, usageError{fmt.Errorf("--attribute %s is there twice", name)}
		}
		if e.MessageAttributes == nil {
			e.MessageAttributes = map[string]types.MessageAttributeValue{}
		}
		e.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &text}
	}
	return e, nil
}

func (q *queues) send(ctx context.Context, cmd *cobra.Command, args []string, lines bool, entry types.SendMessageBatchRequestEntry) error {
	url, err := q.url(ctx, args[0])
	if err != nil {
		return err
	}
	b := &sending{queues: q, url: url, entry: entry}
	if lines {
		err := eachLine(input(cmd), func(n int, line []byte) error {
			if !utf8.Valid(line) {
				flushed := b.flush(ctx) // what was read before is good
				return errors.Join(b.failed(fmt.Errorf("line %d: %w", n, errNoText)), flushed)
			}
			return b.add(ctx, line)
		})
		if err != nil {
			return err
		}
		return b.flush(ctx)
	}
	body, err := messageOf(cmd, args[1:])
	if err != nil {
		return err
	}
	if !utf8.Valid(body) {
		return errNoText
	}
	if err := b.add(ctx, body); err != nil {
		return err
	}
	return b.flush(ctx)
}

// errNoText is the error of bytes that the client would replace by others without a word, for JSON cannot carry them.
var errNoText = errors.New("the message is not text in UTF-8, and a queue carries nothing else: encode it, say in base64")

// maxLine bounds a line that is read: DynamoDB's and SQS's largest entries fit,
// written with escapes.
const maxLine = 8 << 20

// eachLine calls work with each line that is not blank and its number from 1.
// The line is the callee's.
func eachLine(r io.Reader, work func(n int, line []byte) error) error {
	source := &lineSource{Reader: r}
	lines := bufio.NewScanner(source)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() && source.failed == nil {
		n++
		if line := lines.Bytes(); len(bytes.TrimSpace(line)) > 0 {
			if err := work(n, bytes.Clone(line)); err != nil {
				return err
			}
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d MiB", n+1, maxLine>>20)
	}
	return lines.Err()
}

// lineSource remembers that reading failed: what the scanner then has in hand is
// a part of a line.
type lineSource struct {
	io.Reader
	failed error
}

func (s *lineSource) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.failed = err
	}
	return n, err
}

// Limits of a SendMessageBatch (API reference).
const (
	batchMessages = 10
	batchBytes    = 1 << 20
)

// sending sends messages in batches, in their order.
type sending struct {
	*queues
	url   string
	entry types.SendMessageBatchRequestEntry
	batch []types.SendMessageBatchRequestEntry
	size  int
	sent  int
}

func (b *sending) add(ctx context.Context, body []byte) error {
	size := len(body)
	for name, a := range b.entry.MessageAttributes {
		size += len(name) + len(*a.DataType) + len(*a.StringValue)
	}
	if len(b.batch) > 0 && b.size+size > batchBytes {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	e := b.entry
	e.Id, e.MessageBody = aws.String(strconv.Itoa(len(b.batch))), aws.String(string(body))
	b.batch, b.size = append(b.batch, e), b.size+size
	if len(b.batch) < batchMessages {
		return nil
	}
	return b.flush(ctx)
}

// sentMessage is what --output json tells of a message that was sent.
type sentMessage struct {
	MessageID      string `json:"message_id"`
	SequenceNumber string `json:"sequence_number,omitempty"`
}

func (b *sending) flush(ctx context.Context) error {
	if len(b.batch) == 0 {
		return nil
	}
	out, err := b.SendMessageBatch(ctx, &sdk.SendMessageBatchInput{QueueUrl: &b.url, Entries: b.batch})
	if err != nil {
		return b.failed(awsclient.Fail(fmt.Sprintf("sending to the queue %q", path.Base(b.url)), err))
	}
	b.batch, b.size = nil, 0
	for _, m := range out.Successful {
		b.sent++
		if err := b.show(m); err != nil {
			return err
		}
	}
	if len(out.Failed) > 0 {
		f := out.Failed[0]
		return b.failed(fmt.Errorf("the queue %q refused %s: %s (%s)", path.Base(b.url), count(len(out.Failed), "message"), aws.ToString(f.Message), aws.ToString(f.Code)))
	}
	return nil
}

func (b *sending) show(m types.SendMessageBatchResultEntry) error {
	if b.target.json() {
		return jsonLine(b.out, sentMessage{aws.ToString(m.MessageId), aws.ToString(m.SequenceNumber)})
	}
	_, err := fmt.Fprintln(b.out, aws.ToString(m.MessageId))
	return err
}

// failed says how far the command came.
func (b *sending) failed(err error) error {
	if b.sent == 0 {
		return err
	}
	return fmt.Errorf("%w; %s had been sent before", err, count(b.sent, "message"))
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strconv"

	"github.com/spf13/cobra"
)

func newQueueLsCommand(s *serviceTarget) *cobra.Command {
	return &cobra.Command{
		Use:   "ls [PREFIX]",
		Short: "List queues and how many messages they hold",
		Long: `List the queues whose names begin with PREFIX: messages that can be received, those
in flight, those delayed, and where messages go that were received too often. The
account's counts are approximate.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withQueues(cmd, s, func(ctx context.Context, q *queues) error {
				prefix := ""
				if len(args) > 0 {
					prefix = args[0]
				}
				return q.list(ctx, prefix)
			})
		},
	}
}

// listedQueue is a queue as --output json shows it.
type listedQueue struct {
	Name        string `json:"name"`
	URL         string `json:"url"`
	Messages    int    `json:"messages"`
	InFlight    int    `json:"in_flight"`
	Delayed     int    `json:"delayed"`
	DeadLetters string `json:"dead_letters,omitempty"`
	MaxReceives int    `json:"max_receives,omitempty"`
}

func (q *queues) list(ctx context.Context, prefix string) error {
	urls, err := q.urls(ctx, prefix)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, u := range urls {
		attributes, err := q.attributes(ctx, u)
		if err != nil {
			return err
		}
		l := listed(u, attributes)
		if q.target.json() {
			if err := jsonLine(q.out, l); err != nil {
				return err
			}
			continue
		}
		dead := "-"
		if l.DeadLetters != "" {
			dead = fmt.Sprintf("%s after %s", l.DeadLetters, count(l.MaxReceives, "receive"))
		}
		rows = append(rows, []string{l.Name, strconv.Itoa(l.Messages), strconv.Itoa(l.InFlight), strconv.Itoa(l.Delayed), dead})
	}
	if q.target.json() {
		return nil
	}
	if len(rows) == 0 {
		fmt.Fprintln(q.words, "no queues")
		return nil
	}
	return columns(q.out, []string{"NAME", "MESSAGES", "IN FLIGHT", "DELAYED", "DEAD LETTERS"}, rows)
}

func listed(url string, attributes map[string]string) listedQueue {
	number := func(name string) int {
		n, _ := strconv.Atoi(attributes[name])
		return n
	}
	l := listedQueue{
		Name: path.Base(url), URL: url, Messages: number("ApproximateNumberOfMessages"),
		InFlight: number("ApproximateNumberOfMessagesNotVisible"), Delayed: number("ApproximateNumberOfMessagesDelayed"),
	}
	if r := redriveOf(attributes); r.target != "" {
		l.DeadLetters, l.MaxReceives = arnName(r.target), r.after
	}
	return l
}

// redrive is what a queue's redrive policy says.
type redrive struct {
	target string // ARN of the dead-letter queue
	after  int    // receives
}

// redriveOf reads the policy; the service writes its number as text or not.
func redriveOf(attributes map[string]string) (r redrive) {
	var policy struct {
		Target string          `json:"deadLetterTargetArn"`
		After  json.RawMessage `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(attributes["RedrivePolicy"]), &policy) != nil {
		return r
	}
	r.target = policy.Target
	r.after, _ = strconv.Atoi(unquote(string(policy.After)))
	return r
}

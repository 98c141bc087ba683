package sqs

import (
	"cmp"
	"context"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

// purgeInterval is the time between two purges of a queue that the service insists on.
const purgeInterval = time.Minute

func (s *Service) newQueue(id uint64, name string, c config) *queue {
	q := newQueue(id, name, c)
	q.arn = s.arn(name)
	return q
}

func (s *Service) arn(name string) string {
	return "arn:aws:sqs:" + s.region + ":" + s.account + ":" + name
}

// find gives the queue of a queue URL. Only its path's last part counts, so that a URL that was written down with
// another host or port still leads to the queue.
func (s *Service) find(queueURL string) (*queue, error) {
	if queueURL == "" {
		return nil, missingParameter("QueueUrl")
	}
	path := queueURL
	if u, err := url.Parse(queueURL); err == nil {
		path = u.Path
	}
	path = strings.TrimRight(path, "/")
	return s.named(path[strings.LastIndex(path, "/")+1:])
}

func (s *Service) named(name string) (*queue, error) {
	s.mu.RLock()
	q := s.queues[name]
	s.mu.RUnlock()
	if q == nil {
		return nil, queueDoesNotExist()
	}
	return q, nil
}

// byARN gives the queue of an ARN of this region and account, nil when there is none.
func (s *Service) byARN(arn string) *queue {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if q := s.queues[arnName(arn)]; q != nil && q.arn == arn {
		return q
	}
	return nil
}

func (s *Service) createQueue(ctx context.Context, in *createQueueRequest) (*queueURLReply, error) {
	if in.QueueName == "" {
		return nil, missingParameter("QueueName")
	}
	if err := checkName(in.QueueName); err != nil {
		return nil, err
	}
	attributes := canonical(in.Attributes)
	if attributes["FifoQueue"] == "true" && !strings.HasSuffix(in.QueueName, ".fifo") {
		return nil, invalidParameter("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, " +
			"must end with .fifo suffix and be 1 to 80 in length.")
	}
	if attributes["FifoQueue"] != "true" && strings.HasSuffix(in.QueueName, ".fifo") {
		return nil, invalidParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	if err := checkTags(in.QueueName, in.Tags); err != nil {
		return nil, err
	}
	c, err := parseConfig(in.QueueName, attributes)
	if err != nil {
		return nil, err
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	if q, err := s.named(in.QueueName); err == nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		if attribute, differs := q.config.differs(attributes); differs {
			return nil, queueNameExists(attribute)
		}
		return &queueURLReply{s.url(ctx, q)}, nil
	}
	if err := s.checkRedrive(in.QueueName, &c, in.Attributes["RedrivePolicy"]); err != nil {
		return nil, err
	}
	q := s.newQueue(0, in.QueueName, c)
	q.tags, q.created = in.Tags, s.time.wall()/1000
	q.changed = q.created
	err = s.update(func(tx *bbolt.Tx) error {
		id, err := tx.Bucket(queuesBucket).NextSequence()
		if err != nil {
			return err
		}
		q.id = id
		return q.save(tx)
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.queues[q.name] = q
	s.mu.Unlock()
	return &queueURLReply{s.url(ctx, q)}, nil
}

// save writes the queue's record.
func (q *queue) save(tx *bbolt.Tx) error {
	return putJSON(tx, queuesBucket, []byte(q.name), queueRecord{
		ID: q.id, Attributes: q.config.set, Tags: q.tags, Created: q.created, Changed: q.changed,
	})
}

// checkRedrive checks a redrive policy, sent as text, against the queue that it names.
func (s *Service) checkRedrive(name string, c *config, text string) error {
	if c.Redrive == nil {
		return nil
	}
	target := s.byARN(c.Redrive.Target)
	switch {
	case target == nil:
		return invalidValue(text, "RedrivePolicy", "Dead letter target does not exist.")
	case target.fifo != c.Fifo:
		return invalidValue(text, "RedrivePolicy", "Dead-letter queue must be same type of queue as the source.")
	}
	target.mu.Lock()
	defer target.mu.Unlock()
	if !target.config.RedriveAllow.allows(s.arn(name)) {
		return invalidValue(text, "RedrivePolicy", "The dead-letter queue's RedriveAllowPolicy does not allow this source queue.")
	}
	return nil
}

func (s *Service) getQueueURL(ctx context.Context, in *getQueueURLRequest) (*queueURLReply, error) {
	if in.QueueName == "" {
		return nil, missingParameter("QueueName")
	}
	q, err := s.named(in.QueueName)
	if err != nil {
		return nil, err
	}
	return &queueURLReply{s.url(ctx, q)}, nil
}

func (s *Service) listQueues(ctx context.Context, in *listQueuesRequest) (*listQueuesReply, error) {
	var matching []*queue
	for _, q := range s.allQueues() {
		if strings.HasPrefix(q.name, in.QueueNamePrefix) {
			matching = append(matching, q)
		}
	}
	matching, token, err := page(matching, in.MaxResults, in.NextToken)
	return &listQueuesReply{s.urls(ctx, matching), token}, err
}

func (s *Service) listDeadLetterSourceQueues(ctx context.Context, in *listSourcesRequest) (*listSourcesReply, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	sources, token, err := page(s.sources(q.arn), in.MaxResults, in.NextToken)
	return &listSourcesReply{s.urls(ctx, sources), token}, err
}

func (s *Service) urls(ctx context.Context, queues []*queue) []string {
	urls := make([]string, len(queues))
	for i, q := range queues {
		urls[i] = s.url(ctx, q)
	}
	return urls
}

// sources gives the queues whose dead-letter queue has the given ARN.
func (s *Service) sources(arn string) []*queue {
	return slices.DeleteFunc(s.allQueues(), func(q *queue) bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.config.Redrive == nil || q.config.Redrive.Target != arn
	})
}

// page gives at most limit queues (1000 when nil) in the order of their names, from behind a token on. The token for the
// next page is given only when there was a limit, as the service does.
func page(queues []*queue, limit *int, token string) (some []*queue, next string, err error) {
	n := 1000
	if limit != nil {
		if n = *limit; n < 1 || n > 1000 {
			return nil, "", invalidValue(n, "MaxResults", "MaxResults must be an integer between 1 and 1000, if provided.")
		}
	}
	after, bad := base64.URLEncoding.DecodeString(token)
	if bad != nil || token != "" && limit == nil {
		return nil, "", invalidParameter("Invalid or expired next token.")
	}
	slices.SortFunc(queues, func(a, b *queue) int { return strings.Compare(a.name, b.name) })
	for _, q := range queues {
		if q.name <= string(after) {
			continue
		}
		if len(some) == n {
			if limit != nil {
				next = base64.URLEncoding.EncodeToString(after)
			}
			break
		}
		some = append(some, q)
		after = []byte(q.name)
	}
	return some, next, nil
}

func (s *Service) deleteQueue(_ context.Context, in *queueRequest) (*empty, error) {
	s.admin.Lock()
	defer s.admin.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := s.update(func(tx *bbolt.Tx) error { return deleteQueue(tx, q) }); err != nil {
		return nil, err
	}
	s.mu.Lock()
	delete(s.queues, q.name)
	s.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deleted = true
	q.wakeAll()
	return &empty{}, nil
}

func (s *Service) getQueueAttributes(_ context.Context, in *getAttributesRequest) (*attributesReply, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	s.advance(q)
	all := q.attributes()
	reply := &attributesReply{Attributes: make(map[string]string)}
	for _, name := range in.AttributeNames {
		if name == "All" {
			maps.Copy(reply.Attributes, all)
			continue
		}
		if !isAttribute(name) {
			return nil, unknownAttribute(name)
		}
		if value, ok := all[name]; ok {
			reply.Attributes[name] = value
		}
	}
	return reply, nil
}

func isAttribute(name string) bool {
	_, known := defaultOf(name, true)
	_, number := ranges[name]
	return known || number || slices.Contains(freeText, name) || slices.Contains(computed, name)
}

// attributes gives all that the queue has.
func (q *queue) attributes() map[string]string {
	all := maps.Clone(q.config.set)
	for _, defaults := range []map[string]string{standardDefaults, fifoDefaults} {
		for name := range defaults {
			if value, ok := q.config.get(name); ok {
				all[name] = value
			}
		}
	}
	// The period is an attribute of queues with a key of KMS alone.
	if all["KmsMasterKeyId"] == "" {
		delete(all, "KmsDataKeyReusePeriodSeconds")
	} else if all["KmsDataKeyReusePeriodSeconds"] == "" {
		all["KmsDataKeyReusePeriodSeconds"] = "300"
	}
	all["QueueArn"] = q.arn
	all["CreatedTimestamp"] = strconv.FormatInt(q.created, 10)
	all["LastModifiedTimestamp"] = strconv.FormatInt(q.changed, 10)
	all["ApproximateNumberOfMessages"] = strconv.Itoa(q.counts[ready])
	all["ApproximateNumberOfMessagesNotVisible"] = strconv.Itoa(q.counts[inFlight] + q.counts[moving])
	all["ApproximateNumberOfMessagesDelayed"] = strconv.Itoa(q.counts[delayed])
	return all
}

func (s *Service) setQueueAttributes(_ context.Context, in *setAttributesRequest) (*empty, error) {
	if len(in.Attributes) == 0 {
		return nil, missingParameter("Attribute.Name")
	}
	return s.change(in.QueueUrl, func(q *queue, c *config, _ map[string]string) error {
		changed, err := c.with(canonical(in.Attributes))
		if err != nil {
			return err
		}
		*c = changed
		if in.Attributes["RedrivePolicy"] == "" {
			return nil
		}
		return s.checkRedrive(q.name, c, in.Attributes["RedrivePolicy"])
	})
}

// change edits copies of a queue's config and tags and makes them the queue's once they are on disk.
func (s *Service) change(queueURL string, edit func(*queue, *config, map[string]string) error) (*empty, error) {
	s.admin.Lock()
	defer s.admin.Unlock()
	q, err := s.find(queueURL)
	if err != nil {
		return nil, err
	}
	// Only holders of admin write these fields, so they may be read without q.mu.
	c, tags := q.config, maps.Clone(q.tags)
	if tags == nil {
		tags = make(map[string]string)
	}
	if err := edit(q, &c, tags); err != nil {
		return nil, err
	}
	changed := &queue{id: q.id, name: q.name, config: c, tags: tags, created: q.created, changed: s.time.wall() / 1000}
	if err := s.update(changed.save); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.config, q.tags, q.changed = c, tags, changed.changed
	q.signal()
	return &empty{}, nil
}

func (s *Service) tagQueue(_ context.Context, in *tagRequest) (*empty, error) {
	if len(in.Tags) == 0 {
		return nil, missingParameter("Tags")
	}
	return s.change(in.QueueUrl, func(q *queue, _ *config, tags map[string]string) error {
		maps.Copy(tags, in.Tags)
		if err := checkTags(q.name, tags); err != nil {
			return err
		}
		return nil
	})
}

func (s *Service) untagQueue(_ context.Context, in *untagRequest) (*empty, error) {
	if len(in.TagKeys) == 0 {
		return nil, invalidParameter("Tag keys must be between 1 and 128 characters in length.")
	}
	return s.change(in.QueueUrl, func(_ *queue, _ *config, tags map[string]string) error {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
		return nil
	})
}

func checkTags(queue string, tags map[string]string) *awsjson.Error {
	if len(tags) > 50 {
		return invalidParameter("Too many tags added for queue %s.", queue)
	}
	for key, value := range tags {
		if n := utf8.RuneCountInString(key); n < 1 || n > 128 {
			return invalidParameter("Tag keys must be between 1 and 128 characters in length.")
		}
		if utf8.RuneCountInString(value) > 256 {
			return invalidParameter("Tag values must be between 0 and 256 characters in length.")
		}
	}
	return nil
}

func (s *Service) listQueueTags(_ context.Context, in *queueRequest) (*tagsReply, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return &tagsReply{maps.Clone(q.tags)}, nil
}

// purgeQueue deletes the messages that are in the queue at the call; those being sent meanwhile stay.
func (s *Service) purgeQueue(_ context.Context, in *queueRequest) (*empty, error) {
	s.admin.Lock()
	defer s.admin.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	now := s.advance(q)
	if q.purged != 0 && q.purged.after(purgeInterval) > now {
		q.mu.Unlock()
		return nil, purgeInProgress(q.name)
	}
	var messages []*message
	for _, m := range q.messages {
		if m.state != pending && m.state != moving {
			messages = append(messages, m)
		}
	}
	// What was sent is forgotten too: it can be sent again at once.
	duplicates := q.dedup.settled()
	q.mu.Unlock()
	slices.SortFunc(messages, func(a, b *message) int { return cmp.Compare(a.seq, b.seq) })
	if err := s.erase(q, messages, duplicates...); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.purged = now
	return &empty{}, nil
}

// erase deletes messages and what deduplication remembers, on disk and then in the index.
func (s *Service) erase(q *queue, messages []*message, duplicates ...*duplicate) error {
	err := s.update(func(tx *bbolt.Tx) error {
		for _, m := range messages {
			if err := deleteMessage(tx, messageKey(q.id, m.seq)); err != nil {
				return err
			}
		}
		for _, e := range duplicates {
			if err := deleteDuplicate(tx, e.place(q.id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range duplicates {
		q.dedup.forget(e)
	}
	for _, m := range messages {
		if m.state != gone {
			q.turn(m, gone)
		}
	}
	q.signal()
	return nil
}

package sqs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

const (
	maxMessageSize = 1 << 20 // bytes, of one message and of a batch
	maxVisibility  = 12 * time.Hour

	scopeQueue, scopeGroup = "queue", "messageGroup"
	perQueue, perGroup     = "perQueue", "perMessageGroupId"
)

// config is a queue's attributes, parsed. set holds the text of those that do not have their default.
type config struct {
	set map[string]string

	Fifo               bool
	ContentBased       bool
	DeduplicationScope string
	Delay              time.Duration
	MaxSize            int
	Retention          time.Duration
	Wait               time.Duration
	Visibility         time.Duration
	Redrive            *redrivePolicy
	RedriveAllow       *redriveAllowPolicy
}

type redrivePolicy struct {
	Target   string `json:"deadLetterTargetArn"`
	MaxCount uint32 `json:"maxReceiveCount"`
}

type redriveAllowPolicy struct {
	Permission string   `json:"redrivePermission"`
	Sources    []string `json:"sourceQueueArns"`
}

// Ranges of the numeric attributes, and the defaults of all. See CreateQueue in the SQS API reference.
var (
	ranges = map[string][2]int{
		"DelaySeconds":                  {0, 900},
		"MaximumMessageSize":            {1024, maxMessageSize},
		"MessageRetentionPeriod":        {60, 1209600},
		"ReceiveMessageWaitTimeSeconds": {0, 20},
		"VisibilityTimeout":             {0, 43200},
		"KmsDataKeyReusePeriodSeconds":  {60, 86400},
	}
	choices = map[string][]string{
		"FifoQueue":                 {"true"},
		"ContentBasedDeduplication": {"true", "false"},
		"SqsManagedSseEnabled":      {"true", "false"},
		"DeduplicationScope":        {scopeQueue, scopeGroup},
		"FifoThroughputLimit":       {perQueue, perGroup},
	}
	standardDefaults = map[string]string{
		"DelaySeconds":                  "0",
		"MaximumMessageSize":            "1048576",
		"MessageRetentionPeriod":        "345600",
		"ReceiveMessageWaitTimeSeconds": "0",
		"VisibilityTimeout":             "30",
		"SqsManagedSseEnabled":          "true",
	}
	fifoDefaults = map[string]string{
		"FifoQueue":                 "true",
		"ContentBasedDeduplication": "false",
		"DeduplicationScope":        scopeQueue,
		"FifoThroughputLimit":       perQueue,
	}
	freeText = []string{"Policy", "KmsMasterKeyId", "RedrivePolicy", "RedriveAllowPolicy"}
	// computed attributes are given but never set.
	computed = []string{"QueueArn", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
		"ApproximateNumberOfMessagesDelayed", "CreatedTimestamp", "LastModifiedTimestamp"}
)

// defaultOf gives the value that an attribute has when it is not set, false when it then has none.
func defaultOf(name string, fifo bool) (string, bool) {
	if v, ok := standardDefaults[name]; ok {
		return v, true
	}
	v, ok := fifoDefaults[name]
	return v, ok && fifo
}

// parseConfig checks the attributes of a queue of the given name and fills in the defaults.
func parseConfig(name string, attributes map[string]string) (config, error) {
	c := config{set: make(map[string]string), Fifo: strings.HasSuffix(name, ".fifo")}
	for attribute := range attributes {
		if err := c.check(attribute, attributes[attribute]); err != nil {
			return config{}, err
		}
	}
	if err := c.assign(attributes); err != nil {
		return config{}, err
	}
	return c, c.compute()
}

// with gives the config with some attributes changed.
func (c *config) with(attributes map[string]string) (config, error) {
	for attribute, value := range attributes {
		if attribute == "FifoQueue" && c.Fifo && value != "true" {
			return config{}, invalidAttribute(attribute, "Modifying queue type is not supported.")
		}
		if err := c.check(attribute, value); err != nil {
			return config{}, err
		}
	}
	changed := config{set: maps.Clone(c.set), Fifo: c.Fifo}
	if err := changed.assign(attributes); err != nil {
		return config{}, err
	}
	return changed, changed.compute()
}

// assign sets the attributes' text. Empty text unsets, and each of the two ways of encryption ends the other.
func (c *config) assign(attributes map[string]string) error {
	if attributes["KmsMasterKeyId"] != "" && attributes["SqsManagedSseEnabled"] == "true" {
		return plain("InvalidAttributeName", "You can use one type of server-side encryption (SSE) at one time. "+
			"You can either enable KMS SSE or SQS SSE.")
	}
	for name, value := range attributes {
		if value == "" {
			delete(c.set, name)
		} else {
			c.set[name] = value
		}
	}
	if attributes["KmsMasterKeyId"] != "" {
		c.set["SqsManagedSseEnabled"] = "false"
	}
	if attributes["SqsManagedSseEnabled"] == "true" {
		delete(c.set, "KmsMasterKeyId")
	}
	return nil
}

// check looks at one attribute by itself.
func (c *config) check(name, value string) error {
	_, fifoOnly := fifoDefaults[name]
	limits, number := ranges[name]
	options, choice := choices[name]
	switch {
	case !c.Fifo && (name == "DeduplicationScope" || name == "FifoThroughputLimit"):
		return plain("InvalidAttributeName", "You can specify the %s only when FifoQueue is set to true.", name)
	case fifoOnly && !c.Fifo, !number && !choice && !slices.Contains(freeText, name):
		return unknownAttribute(name)
	case value == "" && !choice && !number:
		return nil
	case choice && !slices.Contains(options, value):
		return invalidAttribute(name, "")
	case number:
		n, err := strconv.Atoi(value)
		if err != nil || n < limits[0] || n > limits[1] {
			return invalidAttribute(name, "")
		}
	case name == "Policy" && !json.Valid([]byte(value)):
		return invalidAttribute(name, "")
	}
	return nil
}

// get gives an attribute's text, that of its default when it is not set.
func (c *config) get(name string) (string, bool) {
	if v, ok := c.set[name]; ok {
		return v, true
	}
	return defaultOf(name, c.Fifo)
}

// compute parses what the operations need and checks the attributes against each other.
func (c *config) compute() error {
	seconds := func(name string) time.Duration { return time.Duration(c.number(name)) * time.Second }
	c.Delay, c.Retention = seconds("DelaySeconds"), seconds("MessageRetentionPeriod")
	c.Wait, c.Visibility = seconds("ReceiveMessageWaitTimeSeconds"), seconds("VisibilityTimeout")
	c.MaxSize = c.number("MaximumMessageSize")
	c.ContentBased = c.set["ContentBasedDeduplication"] == "true"
	c.DeduplicationScope, _ = c.get("DeduplicationScope")
	if limit, _ := c.get("FifoThroughputLimit"); limit == perGroup && c.DeduplicationScope != scopeGroup {
		return invalidAttribute("FifoThroughputLimit", perGroup+" needs DeduplicationScope "+scopeGroup+".")
	}
	var err error
	if c.Redrive, err = parseRedrive(c.set["RedrivePolicy"]); err != nil {
		return err
	}
	c.RedriveAllow, err = parseRedriveAllow(c.set["RedriveAllowPolicy"])
	return err
}

func (c *config) number(name string) int {
	text, _ := c.get(name)
	n, _ := strconv.Atoi(text)
	return n
}

// canonical gives the attributes of a request as the queue keeps them and GetQueueAttributes gives them back: True is
// true, 05 is 5, and a redrive policy is JSON without spaces, its maxReceiveCount a number. What is wrong stays as it
// was sent.
func canonical(attributes map[string]string) map[string]string {
	out := maps.Clone(attributes)
	for name, value := range attributes {
		if slices.Contains(choices[name], strings.ToLower(value)) {
			out[name] = strings.ToLower(value)
		}
		if _, number := ranges[name]; number {
			if n, err := strconv.Atoi(value); err == nil {
				out[name] = strconv.Itoa(n)
			}
		}
	}
	if p, err := parseRedrive(attributes["RedrivePolicy"]); err == nil && p != nil {
		text, _ := json.Marshal(p)
		out["RedrivePolicy"] = string(text)
	}
	return out
}

// parseRedrive reads a RedrivePolicy; maxReceiveCount is a number or a number in a string.
func parseRedrive(text string) (*redrivePolicy, error) {
	if text == "" {
		return nil, nil
	}
	invalid := func(reason string) error { return invalidValue(text, "RedrivePolicy", reason) }
	var p struct {
		Target   *string          `json:"deadLetterTargetArn"`
		MaxCount *json.RawMessage `json:"maxReceiveCount"`
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, invalid("Redrive policy is not a valid JSON map.")
	}
	if p.MaxCount == nil {
		return nil, invalid("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
	}
	if p.Target == nil {
		return nil, invalid("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
	}
	count, err := strconv.Atoi(strings.Trim(string(*p.MaxCount), `"`))
	if err != nil || count < 1 || count > 1000 {
		return nil, invalid("Invalid value for maxReceiveCount: " + string(*p.MaxCount) + ", valid values are from 1 to 1000 both inclusive.")
	}
	if arnName(*p.Target) == "" {
		return nil, invalid("Invalid value for deadLetterTargetArn.")
	}
	return &redrivePolicy{Target: *p.Target, MaxCount: uint32(count)}, nil
}

func parseRedriveAllow(text string) (*redriveAllowPolicy, error) {
	if text == "" {
		return nil, nil
	}
	p := &redriveAllowPolicy{}
	if err := json.Unmarshal([]byte(text), p); err != nil {
		return nil, invalidValue(text, "RedriveAllowPolicy", "Redrive allow policy is not a valid JSON map.")
	}
	switch {
	case !slices.Contains([]string{"allowAll", "denyAll", "byQueue"}, p.Permission):
		return nil, invalidValue(text, "RedriveAllowPolicy", "Amazon SQS can't create the redrive allow policy. "+
			"redrivePermission must be allowAll, denyAll or byQueue.")
	case p.Permission == "byQueue" && (len(p.Sources) == 0 || len(p.Sources) > 10),
		p.Permission != "byQueue" && len(p.Sources) > 0:
		return nil, invalidValue(text, "RedriveAllowPolicy", "Amazon SQS can't create the redrive allow policy. "+
			"sourceQueueArns takes 1 to 10 ARNs, and only with byQueue.")
	}
	return p, nil
}

// allows says whether the queue may be the dead-letter queue of a source.
func (p *redriveAllowPolicy) allows(source string) bool {
	return p == nil || p.Permission == "allowAll" || p.Permission == "byQueue" && slices.Contains(p.Sources, source)
}

// arnName gives the queue name of an SQS ARN, "" when it is none.
func arnName(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sqs" || checkName(parts[5]) != nil {
		return ""
	}
	return parts[5]
}

// checkName checks a queue's name as CreateQueue does.
func checkName(name string) *awsjson.Error {
	base := strings.TrimSuffix(name, ".fifo")
	bad := base == "" || len(name) > 80 || strings.ContainsFunc(base, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
	if bad {
		return invalidParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

// differs gives the first of the attributes whose value is not the queue's, in the order of their names.
func (c *config) differs(attributes map[string]string) (string, bool) {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if have, _ := c.get(name); have != attributes[name] && !sameJSON(have, attributes[name]) {
			return name, true
		}
	}
	return "", false
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

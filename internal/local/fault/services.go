package fault

import (
	"fmt"
	"maps"
	"slices"
)

// service is what of a stand-in can be made to fail.
type service struct {
	target     string // in X-Amz-Target; "" for MQTT
	operations []string
	// common are the faults of every operation, special those that one has besides.
	common  []string
	special map[string][]string
}

var awsFaults = []string{string(Throttle), string(Error), string(Drop), string(DropReply), delay}

var services = map[string]service{
	"sqs": {
		target: "AmazonSQS",
		operations: []string{
			"AddPermission",
			"CancelMessageMoveTask", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "CreateQueue", "DeleteMessage",
			"DeleteMessageBatch", "DeleteQueue", "GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues",
			"ListMessageMoveTasks", "ListQueueTags", "ListQueues", "PurgeQueue", "ReceiveMessage", "RemovePermission", "SendMessage",
			"SendMessageBatch", "SetQueueAttributes", "StartMessageMoveTask", "TagQueue", "UntagQueue",
		},
		common:  awsFaults,
		special: map[string][]string{"ReceiveMessage": {duplicate}},
	},
	"dynamodb": {
		target: "DynamoDB_20120810",
		operations: []string{
			"BatchGetItem", "BatchWriteItem", "CreateTable", "DeleteItem", "DeleteTable", "DescribeEndpoints", "DescribeLimits",
			"DescribeTable", "DescribeTimeToLive", "GetItem", "ListTables", "ListTagsOfResource", "PutItem", "Query", "Scan",
			"TagResource", "TransactGetItems", "TransactWriteItems", "UntagResource", "UpdateItem", "UpdateTable",
			"UpdateTimeToLive",
		},
		common: awsFaults,
	},
	MQTT: {
		operations: []string{Connect, Publish},
		common:     []string{string(Drop), delay},
		special:    map[string][]string{Connect: {string(Refuse)}, Publish: {string(DropReply)}},
	},
}

// The service MQTT and its operations, for Act.
const (
	MQTT    = "mqtt"
	Connect = "connect"
	Publish = "publish"
)

func serviceNames() []string { return slices.Sorted(maps.Keys(services)) }

// faultsOf are the names of the faults that an operation, or each one of *, can
// meet.
func (s service) faultsOf(operation string) []string {
	return slices.Concat(s.common, s.special[operation])
}

// CheckServed finds a rule that can have no effect, because no stand-in for its
// service runs.
func (i *Injector) CheckServed(served ...string) error {
	if i == nil {
		return nil
	}
	for _, r := range i.rules {
		if !slices.Contains(served, r.Service) {
			return fmt.Errorf("fault %q can have no effect: no stand-in for %s runs here; remove it, or have the stand-in run", r.String(), r.Service)
		}
	}
	return nil
}

package conformance

import (
	"slices"
	"strings"
)

// knownDifference is where a stand-in does otherwise than the service, on purpose.
type knownDifference struct {
	service, operations string // words; * is all operations
	what                string
}

func (k knownDifference) covers(op string) bool {
	return slices.Contains(strings.Fields(k.operations), op)
}

// knownDifferences are printed in docs/stand-ins.md in this order.
var knownDifferences = []knownDifference{
	{"sqs", "*", "Everything belongs to account 000000000000 and region us-east-1. Credentials and signatures are not looked at."},
	{"sqs", "*", "A queue URL may have any host and account: its last part alone says which queue is meant."},
	{"sqs", "CreateQueue", "A queue can be made again at once after it was deleted. AWS asks for 60 seconds."},
	{"sqs", "DeleteQueue PurgeQueue SetQueueAttributes", "Done when answered. AWS takes up to 60 seconds, and up to 15 minutes for the retention period."},
	{"sqs", "CreateQueue SetQueueAttributes", "Policies and encryption are kept and shown, and neither permit nor encrypt anything."},
	{"sqs", "GetQueueAttributes", "The approximate numbers are exact."},
	{"sqs", "SendMessage SendMessageBatch ReceiveMessage", "Messages of a standard queue that are ready come in the order of sending, each once; a group id on them changes nothing (no fair queues). AWS promises neither order nor single delivery: try both with `--fault sqs.ReceiveMessage:duplicate=10%`."},
	{"sqs", "ReceiveMessage", "A short poll looks at all messages. AWS looks at some of its servers, so that it may find nothing though there is something."},
	{"sqs", "ReceiveMessage", "SenderId is the account. AWS gives the id of the user or role."},
	{"dynamodb", "*", "Everything belongs to account 000000000000 and region us-east-1. No credential or signature is verified; that there is one is asked of requests without a body alone."},
	{"dynamodb", "*", "Of the pages of a browser only those of this machine may use it (CORS). AWS lets all, since they must know a secret."},
	{"dynamodb", "*", "A request may have 16 MB, one sent compressed both as it is sent and as it is read. AWS asks that only of what is sent."},
	{"dynamodb", "*", "Nothing is throttled, whatever the capacity; try it with `--fault dynamodb.*:throttle=10%`. Consumed capacity is computed and told as AWS does."},
	{"dynamodb", "GetItem BatchGetItem Query Scan", "Every read is consistent, those of global indexes too."},
	{"dynamodb", "CreateTable UpdateTable DeleteTable", "Done when answered. The answer has the state on the way, CREATING, UPDATING or DELETING, for clients that wait for the next one."},
	{"dynamodb", "CreateTable UpdateTable", "A stream is described as it was asked for, so that definitions with one can be used, and has nothing to read: the operations on streams are refused. Replicas, vector indexes and resource policies are refused by name. Encryption settings and the table's class are kept and change nothing."},
	{"dynamodb", "UpdateTable UpdateTimeToLive", "Deletion protection, TTL, the table's class and encryption can be changed as often as one likes. AWS asks for a pause of 15 seconds, of 30 minutes, or allows a few changes a day or month."},
	{"dynamodb", "DescribeTable", "Item counts and sizes are exact. AWS counts every six hours."},
	{"dynamodb", "UpdateTimeToLive", "Items are deleted within seconds of their time. AWS takes up to a few days."},
	{"dynamodb", "TransactWriteItems TransactGetItems", "Transactions wait for each other instead of cancelling each other."},
	{"dynamodb", "Scan", "Items come in another order than from AWS, which promises none. The segments of a parallel scan cut the table elsewhere."},
	{"dynamodb", "BatchGetItem BatchWriteItem", "Nothing is left unprocessed, except what exceeds the 16 MB of a reply."},
	{"dynamodb", "DescribeEndpoints", "The endpoint is the stand-in's own, so that clients with endpoint discovery stay there."},
	{"dynamodb", "DescribeLimits", "The limits are those of a new account in us-east-1, and are not enforced."},
}

package conformance

import (
	"slices"
	"strings"
)

// unshown are documented errors that no case shows, since the stand-ins do not give them.
type unshown struct {
	service, operations, errors string // words; * is all operations
	why                         string
}

func (u unshown) covers(service, op, code string) bool {
	return u.service == service && (u.operations == "*" || slices.Contains(strings.Fields(u.operations), op)) &&
		slices.Contains(strings.Fields(u.errors), code)
}

// notShown is printed in docs/stand-ins.md.
var notShown = []unshown{
	{"sqs", "*", "RequestThrottled", "Nothing is throttled, unless `--fault sqs.OPERATION:throttle=10%` asks for it."},
	{"sqs", "*", "InvalidSecurity", "Signatures are not checked, and the endpoint speaks plain HTTP."},
	{"sqs", "*", "InvalidAddress", "Any host and account in a queue URL will do, so that a URL that was written down still leads to the queue. A queue that is not there is `QueueDoesNotExist`."},
	{"sqs", "*", "UnsupportedOperation", "Given for message attributes with lists of values only. AWS documents no other request that has it."},
	{"sqs", "*", "KmsAccessDenied KmsDisabled KmsInvalidKeyUsage KmsInvalidState KmsNotFound KmsOptInRequired KmsThrottled", "There is no KMS: `KmsMasterKeyId` is kept and shown, and encrypts nothing."},
	{"sqs", "CreateQueue", "QueueDeletedRecently", "A queue can be made anew at once. AWS asks for 60 seconds."},
	{"sqs", "ReceiveMessage", "OverLimit", "Given at 120,000 messages in flight, as by AWS. A test in `internal/local/sqs` shows it with a smaller limit."},
	{"sqs", "SetQueueAttributes", "OverLimit", "AWS documents no request that has it."},
	{"sqs", "ChangeMessageVisibility", "MessageNotInflight", "A message that is not in flight is left as it is, and the call succeeds, as with AWS; FIFO queues refuse the handle."},
	{"sqs", "DeleteMessage", "InvalidIdFormat", "Deprecated by AWS, which gives `ReceiptHandleIsInvalid` instead."},
	{"dynamodb", "*", "ProvisionedThroughputExceededException RequestLimitExceeded ThrottlingException", "Nothing is throttled, unless `--fault dynamodb.OPERATION:throttle=10%` asks for it."},
	{"dynamodb", "*", "InternalServerError", "Only when the data folder fails, or when `--fault dynamodb.OPERATION:error=10%` asks for it."},
	{"dynamodb", "*", "ItemCollectionSizeLimitExceededException", "The items of one partition key may be larger than 10 GB together."},
	{"dynamodb", "*", "ReplicatedWriteConflictException", "There are no global tables."},
	{"dynamodb", "*", "TransactionConflictException TransactionInProgressException", "Transactions run one after the other and wait for each other, so that none conflicts."},
	{"dynamodb", "UpdateTable DeleteTable UpdateTimeToLive TagResource UntagResource", "ResourceInUseException", "Changes of tables are done when they are answered, so that no table is ever in the middle of one."},
	{"dynamodb", "CreateTable DeleteTable UpdateTimeToLive TagResource UntagResource", "LimitExceededException", "Any number of tables, and of changes at a time."},
}

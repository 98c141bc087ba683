package conformance

import "regexp"

// explanation says of differences to moto which side is right, by the documentation of AWS.
type explanation struct {
	title string
	// on matches "SERVICE OPERATION PATH: OURS | THEIRS".
	on *regexp.Regexp
	// request, where it is set, matches the request too.
	request *regexp.Regexp
	// right is the side that does as docs say: ours, theirs or both.
	right side
	docs  string
	// random says that the difference may come up in the random operations only.
	random bool
}

type side string

const (
	ours   side = "stand-in"
	theirs side = "moto"
	both   side = "both"
)

const (
	sqsAPI      = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_"
	sqsCommon   = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html"
	sqsGuide    = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
	dynamoAPI   = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_"
	dynamoGuide = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
)

// explain gives the first explanation that covers a difference, nil when none does.
func explain(key, request string) *explanation {
	for i := range explanations {
		e := &explanations[i]
		if e.on.MatchString(key) && (e.request == nil || e.request.MatchString(request)) {
			return e
		}
	}
	return nil
}

// The narrow ones come first.
var explanations = append(sqsExplanations, dynamoExplanations...)

func about(pattern string) *regexp.Regexp { return regexp.MustCompile(`^` + pattern) }

var sqsExplanations = []explanation{
	{title: "moto names errors of parameters by their Query protocol code in the JSON protocol",
		on: about(`sqs \w+ outcome: InvalidParameterValueException: .* \| InvalidParameterValue: `), right: ours,
		docs: "The __type is that of the coral model; the Query code is in the header x-amzn-query-error: " + sqsGuide + "sqs-json-api-responses.html"},
	{title: "moto fails on a parameter of the API that is missing or malformed, instead of naming it",
		on: about(`sqs \w+ outcome: (MissingRequiredParameterException|InvalidParameterValueException|UnknownOperationException): .* \| NotJSON`), right: ours,
		docs: sqsCommon + ": MissingParameter, InvalidParameterValue, InvalidAction"},
	{title: "moto does not offer message move tasks in the JSON protocol",
		on: about(`sqs (StartMessageMoveTask|ListMessageMoveTasks|CancelMessageMoveTask) outcome: .* \| NotJSON`), right: ours, docs: sqsAPI + "StartMessageMoveTask.html"},
	{title: "moto looks for the queue or message before it asks for the missing parameter",
		on: about(`sqs \w+ outcome: MissingRequiredParameterException: .* \| (QueueDoesNotExist|ReceiptHandleIsInvalid): `), right: ours, docs: sqsCommon + ": MissingParameter"},
	{title: "moto sends messages without a body",
		on: about(`sqs SendMessage outcome: MissingRequiredParameterException: .* MessageBody\. \| success`), right: ours, docs: sqsAPI + "SendMessage.html: the minimum size is one character"},
	{title: "moto takes attributes that do not exist, and values out of their documented range",
		on: about(`sqs (CreateQueue|SetQueueAttributes) outcome: InvalidAttribute(Name|Value): .* \| success`), right: ours, docs: sqsAPI + "SetQueueAttributes.html: InvalidAttributeName, InvalidAttributeValue"},
	{title: "moto takes parameters out of their documented range",
		on: about(`sqs (ChangeMessageVisibility|ReceiveMessage|ListQueues|SetQueueAttributes) outcome: InvalidParameterValueException: .* \| success`), right: ours,
		docs: sqsAPI + "ReceiveMessage.html, " + sqsAPI + "ListQueues.html; maxReceiveCount: " + sqsAPI + "SetQueueAttributes.html"},
	{title: "moto lets a FIFO queue be made of a plain name and a plain queue of a .fifo name",
		on: about(`sqs CreateQueue outcome: InvalidParameterValueException: .* \| success`), right: ours, docs: sqsAPI + "CreateQueue.html: the name of a FIFO queue must end with the .fifo suffix"},
	{title: "moto does not check message attributes, groups and deduplication ids as documented",
		on: about(`sqs SendMessage outcome: InvalidParameterValueException: (Can't cast|The type of message|Message system attribute|Value .* for parameter Message(GroupId|DeduplicationId)|One or more parameters are invalid).* \| success`), right: ours,
		docs: sqsAPI + "SendMessage.html; the size counts attributes too: " + sqsGuide + "quotas-messages.html"},
	{title: "moto does not count PurgeQueue by the minute",
		on: about(`sqs PurgeQueue outcome: PurgeQueueInProgress`), right: ours, docs: sqsAPI + "PurgeQueue.html: PurgeQueueInProgress within the last 60 seconds"},
	{title: "moto does not check the entries of these batches",
		on: about(`sqs (DeleteMessageBatch|ChangeMessageVisibilityBatch) outcome: (BatchEntryIdsNotDistinct|EmptyBatchRequest): .* \| success`), right: ours, docs: sqsAPI + "DeleteMessageBatch.html: Errors"},
	{title: "moto lists all queues whatever MaxResults says",
		on: about(`sqs ListQueues reply\.(NextToken|QueueUrls): `), right: ours, docs: sqsAPI + "ListQueues.html"},
	{title: "moto hides a message again that is visible",
		on: about(`sqs ReceiveMessage reply\.Messages: \[\{"Body":"a",.*\}\] \| $`), right: ours, docs: "What is visible has no timeout to change: " + sqsAPI + "ChangeMessageVisibility.html"},
	{title: "moto gives the messages of all groups in the order of sending",
		on: about(`sqs ReceiveMessage reply\.Messages\[\]\.(Body|MD5OfBody): `), right: ours,
		docs: sqsGuide + "FIFO-queues-understanding-logic.html: as many messages of the same message group as possible"},
	{title: "moto holds back all messages of a group while one is in flight, those before it too",
		on: about(`sqs ReceiveMessage reply\.Messages: .*"Body":"red `), right: ours,
		docs: "A message is given again when it becomes visible, in its group's order: " + sqsGuide + "FIFO-queues-understanding-logic.html"},
	{title: "moto knows no deduplication scope",
		on: about(`sqs ReceiveMessage reply\.Messages: .*"MessageGroupId":"b"`), right: ours, docs: sqsAPI + "SetQueueAttributes.html: DeduplicationScope"},
	{title: "moto takes a delay of 0 for a FIFO queue's message",
		on: about(`sqs GetQueueAttributes reply\.Attributes\.ApproximateNumberOfMessagesDelayed: "1" \| "0"`), right: ours,
		docs: sqsAPI + "SendMessage.html: DelaySeconds of a FIFO queue can be set on the queue alone"},
	{title: "moto gives empty lists in the replies to batches",
		on: about(`sqs (Send|Delete)MessageBatch reply\.(Failed|Successful):  \| \[\]`), right: ours, docs: "The service leaves out a list that is empty; the SDKs read both alike: " + sqsAPI + "SendMessageBatch.html"},
	{title: "moto takes characters in batches that no message may have",
		on: about(`sqs SendMessageBatch reply\.(Failed: .*InvalidMessageContents|Successful:  )`), right: ours, docs: sqsAPI + "SendMessageBatch.html: allowed characters"},
	{title: "moto fails a batch for one entry that is too long",
		on: about(`sqs SendMessageBatch outcome: success \| InvalidParameterValue: One or more parameters are invalid`), right: ours, docs: sqsAPI + "SendMessageBatch.html: the result of each message is reported individually"},
	{title: "moto takes letters of A to Z alone in the names of message attributes",
		on: about(`sqs SendMessage outcome: success \| InvalidParameterValue: The message attribute name`), right: ours,
		docs: "The service takes letters of other alphabets too, though it documents A to Z: " + sqsGuide + "sqs-message-metadata.html"},
	{title: "moto does not tell a maxReceiveCount in a text from a number",
		on: about(`sqs CreateQueue outcome: success \| QueueNameExists`), right: ours, docs: "The policy is the same: " + sqsAPI + "CreateQueue.html: QueueNameExists"},
	{title: "moto keeps the encryption by SQS beside that by KMS",
		on: about(`sqs GetQueueAttributes reply\.Attributes\.SqsManagedSseEnabled: "false" \| "true"`), right: ours, docs: sqsAPI + "SetQueueAttributes.html: only one server-side encryption option"},
	{title: "moto fails on a policy whose statement is no list",
		on: about(`sqs AddPermission outcome: success \| NotJSON`), right: ours, docs: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_statement.html: a single statement needs no brackets"},
	{title: "moto has another error for a receipt handle whose message is deleted",
		on: about(`sqs ChangeMessageVisibility outcome: InvalidParameterValueException: .*Message does not exist.* \| ReceiptHandleIsInvalid`), right: ours,
		docs: "The handle is well-formed. The service's text is \"Message does not exist or is not available for visibility timeout change\": " + sqsAPI + "ChangeMessageVisibility.html"},
	{title: "moto keeps the deduplication id of a message that goes to a FIFO dead-letter queue",
		on: about(`sqs ReceiveMessage reply\.(Messages\[\]\.Attributes\.MessageDeduplicationId: "<id>" \| |Messages: .*"Body":"moved".*"Body":"sent")`), right: ours,
		docs: sqsGuide + "sqs-configure-dead-letter-queue-redrive.html: replaced with the original message's ID"},
	{title: "moto deletes a FIFO message by the handle of an earlier receive",
		on: about(`sqs DeleteMessage outcome: InvalidParameterValueException: .*receipt handle has expired.* \| success`), right: ours, docs: sqsGuide + "FIFO-key-terms.html and " + sqsAPI + "DeleteMessage.html: the most recent handle"},
	{title: "moto forgets a deduplication id when the message is deleted",
		on: about(`sqs ReceiveMessage reply\.Messages:  \| `), right: ours, docs: sqsGuide + "using-messagededuplicationid-property.html: for 5 minutes, even after the message is received and deleted"},
	{title: "moto keeps no sequence numbers on FIFO messages that deduplicate by their own id",
		on: about(`sqs (SendMessage|ReceiveMessage) reply(\.Messages\[\]\.Attributes)?\.SequenceNumber: "<SequenceNumber>" \| `), right: ours, docs: sqsAPI + "SendMessage.html: SequenceNumber"},
	{title: "moto has no digest of system attributes",
		on: about(`sqs SendMessage reply\.MD5OfMessageSystemAttributes: `), right: ours, docs: sqsAPI + "SendMessage.html: MD5OfMessageSystemAttributes"},
	{title: "moto does not say where a dead letter came from",
		on: about(`sqs ReceiveMessage reply\.Messages\[\]\.Attributes\.DeadLetterQueueSourceArn: `), right: ours, docs: sqsAPI + "ReceiveMessage.html: DeadLetterQueueSourceArn"},
	{title: "moto invents a user's id as the sender, the stand-in gives the account",
		on: about(`sqs ReceiveMessage reply\.Messages\[\]\.Attributes\.SenderId: `), right: both, docs: sqsAPI + "ReceiveMessage.html: SenderId is the id of the user, role or account"},
	{title: "moto gives an empty map for no tags",
		on: about(`sqs ListQueueTags reply\.Tags:  \| \{\}`), right: ours, docs: "The SDKs read both alike: " + sqsAPI + "ListQueueTags.html"},
	{title: "moto formats policies anew",
		on: about(`sqs GetQueueAttributes reply\.Attributes\.(Redrive)?Policy: `), right: both, docs: "The same JSON with other spaces: " + sqsAPI + "GetQueueAttributes.html"},
	{title: "moto gives SenderFault as text, and its own example's number in the message",
		on: about(`sqs SendMessageBatch reply\.Failed\[\]\.(SenderFault|Message): `), right: ours, docs: sqsAPI + "BatchResultErrorEntry.html: SenderFault is a Boolean"},
	{title: "moto has other errors for a dead-letter queue that does not fit",
		on: about(`sqs SetQueueAttributes outcome: InvalidParameterValueException: .* \| (QueueDoesNotExist|InvalidParameterCombination): `), right: ours,
		docs: "The operation has no such errors: " + sqsAPI + "SetQueueAttributes.html"},
	{title: "moto words errors in its own way",
		on: about(`sqs \w+ (message|reply\.Failed\[\]\.Message): `), right: both, docs: "The code is the same; texts are not documented."},
}

var dynamoExplanations = []explanation{
	{title: "moto answers missing or malformed members with an internal error",
		on: about(`dynamodb \w+ outcome: (ValidationException|UnknownOperationException|ResourceNotFoundException): .* \| NotJSON`), right: ours, docs: dynamoGuide + "Programming.Errors.html: ValidationException"},
	{title: "moto fails on expressions of the documented grammar",
		on: about(`dynamodb (Scan|UpdateItem) outcome: success \| (NotJSON|ValidationException: Bad Filter Expression)`), right: ours,
		docs: dynamoGuide + "Expressions.OperatorsAndFunctions.html: operands are paths or values in any place, and a condition may be a bare NOT; " + dynamoGuide + "Expressions.UpdateExpressions.html"},
	{title: "moto does not find 0 BETWEEN its bounds, but what is missing",
		on: about(`dynamodb \w+ (outcome|reply\.(Count|Items|LastEvaluatedKey|CancellationReasons))`), request: regexp.MustCompile(`n BETWEEN :c AND l\[0\]`), right: ours, random: true,
		docs: dynamoGuide + "Expressions.OperatorsAndFunctions.html: true if a is greater than or equal to b, and less than or equal to c"},
	{title: "moto fails where an operand's attribute is missing or of another type, instead of finding the condition false",
		on: about(`dynamodb \w+ (outcome: (success|ConditionalCheckFailedException: .*) \| NotJSON|reply\.CancellationReasons\[\]\.(Code|Message): "(ConditionalCheckFailed|The conditional request failed)" \| ` +
			`("(Value|Type|Attribute|Key)Error"|"Invalid attribute name |"'.*' not supported between))`), right: ours, random: true,
		docs: dynamoGuide + "Expressions.OperatorsAndFunctions.html: comparisons of what is not there or not comparable are false"},
	{title: "moto makes several global indexes in one update",
		on: about(`dynamodb UpdateTable outcome: LimitExceededException: .* \| success`), right: ours,
		docs: dynamoAPI + "UpdateTable.html: only one global secondary index per UpdateTable operation"},
	{title: "moto does not see these mistakes",
		on: about(`dynamodb \w+ outcome: ValidationException: .* \| success`), right: ours,
		docs: "Limits, enumerations, unused placeholders, key types and bounds: " + dynamoGuide + "ServiceQuotas.html, " + dynamoGuide + "Expressions.ExpressionAttributeNames.html"},
	{title: "moto makes an item for an update that only removes",
		on: about(`dynamodb (UpdateItem reply\.Attributes|GetItem reply\.Item):  \| \{"id":\{"S":"none"\}`), right: ours,
		docs: dynamoAPI + "AttributeValueUpdate.html: if no item with the specified Key is found, DELETE causes nothing to happen"},
	{title: "moto looks for the place to remove in an item that is not there",
		on: about(`dynamodb UpdateItem outcome: success \| ValidationException: The document path`), request: regexp.MustCompile(`"S": *"none"`), right: ours,
		docs: dynamoAPI + "AttributeValueUpdate.html: if no item with the specified Key is found, DELETE causes nothing to happen"},
	{title: "moto finds that what is not there does not contain a value",
		on: about(`dynamodb DeleteItem outcome: ConditionalCheckFailedException: .* \| success`), request: regexp.MustCompile(`"absent": *\{"ComparisonOperator": *"NOT_CONTAINS"`), right: ours,
		docs: dynamoAPI + "Condition.html: NOT_CONTAINS is the absence of a value in an attribute, which has to be there"},
	{title: "moto counts an item of exactly 400 KB as too large",
		on: about(`dynamodb (Put|Update)Item outcome: success \| ValidationException: Item size`), right: ours, docs: dynamoGuide + "ServiceQuotas.html: the maximum item size is 400 KB, names and values"},
	{title: "moto does not count the clauses of an update before it looks at the condition",
		on: about(`dynamodb UpdateItem outcome: ValidationException: Item size to update has exceeded .* \| ConditionalCheckFailedException`), right: ours,
		docs: "The service counts them, which is not documented but measured at the limit: " + dynamoGuide + "ServiceQuotas.html"},
	{title: "moto does not compare the parameters of a repeated token",
		on: about(`dynamodb TransactWriteItems outcome: IdempotentParameterMismatchException`), right: ours, docs: dynamoAPI + "TransactWriteItems.html: IdempotentParameterMismatchException"},
	{title: "moto runs a transaction with a token again",
		on: about(`dynamodb GetItem reply\.Item\.n\.N: "2" \| "3"`), right: ours, docs: dynamoAPI + "TransactWriteItems.html: ClientRequestToken"},
	{title: "moto fails transactions by other errors than a cancellation",
		on: about(`dynamodb Transact(Write|Get)Items (outcome: TransactionCanceledException: .* \| ValidationException|message: .*\[ValidationError\] \| .*\[KeyError\]|reply\.CancellationReasons\[\]\.(Code|Message): .* \| ("KeyError"|"'pk'"))`), right: ours,
		docs: dynamoAPI + "TransactWriteItems.html: cancellation reason ValidationError"},
	{title: "moto has another error for an index that does not exist",
		on: about(`dynamodb Query outcome: ValidationException: The table does not have the specified index: .* \| ResourceNotFoundException`), right: ours, docs: "The service's words; the SDKs' users match them: " + dynamoAPI + "Query.html"},
	{title: "moto refuses a transaction's placeholders that no expression is there for",
		on: about(`dynamodb TransactWriteItems outcome: success \| ValidationException: Value provided in ExpressionAttribute(Names|Values) unused`), right: ours,
		docs: "Only the operations on single items and tables refuse them, as users of the SDKs report: " + dynamoAPI + "TransactWriteItems.html"},
	{title: "moto looks for the table before it reads the conditions",
		on: about(`dynamodb Query outcome: ValidationException: .* \| ResourceNotFoundException: `), right: ours,
		docs: "A request is checked as far as that needs no table, and then the table is looked for: " + dynamoGuide + "Programming.Errors.html"},
	{title: "moto has an error code for tables that the API does not have",
		on: about(`dynamodb (Update|Describe)TimeToLive outcome: ResourceNotFoundException: .* \| ResourceNotFound: `), right: ours, docs: dynamoAPI + "DescribeTimeToLive.html: ResourceNotFoundException"},
	{title: "moto tags tables that do not exist and keeps two tags of one key",
		on: about(`dynamodb (TagResource outcome: ResourceNotFoundException|ListTagsOfResource reply\.Tags: )`), right: ours, docs: dynamoAPI + "TagResource.html"},
	{title: "moto lists tables in the order of their creation",
		on: about(`dynamodb ListTables reply\.(TableNames|LastEvaluatedTableName)`), right: ours, docs: "In the order of their names, which the next page's start depends on: " + dynamoAPI + "ListTables.html"},
	{title: "moto gives consumed capacity and collection metrics that nobody asked for",
		on: about(`dynamodb \w+ reply\.(ConsumedCapacity|ItemCollectionMetrics):  \| `), right: ours, docs: dynamoAPI + "UpdateItem.html: ReturnConsumedCapacity is NONE unless asked for"},
	{title: "moto's consumed capacity does not depend on the size or the consistency",
		on: about(`dynamodb \w+ reply\.ConsumedCapacity(\[\])?\.((Table\.)?CapacityUnits|Table): `), right: ours, docs: dynamoGuide + "read-write-operations.html: 1 KB a write unit, 4 KB a read unit, half of it eventually consistent"},
	{title: "moto gives a projection's item the rest of its attributes",
		on: about(`dynamodb (GetItem|TransactGetItems) reply\.(Responses\[\]\.)?Item(\.(pk|sk|m))?:  \| `), right: ours, docs: dynamoAPI + "GetItem.html: ProjectionExpression, AttributesToGet"},
	{title: "moto checks the condition before the type of an index key's new value",
		on: about(`dynamodb UpdateItem outcome: ValidationException: .*Type mismatch for Index Key .* \| ConditionalCheckFailedException`), right: ours,
		docs: dynamoAPI + "UpdateItem.html: a request whose values do not fit the keys is invalid, whatever the item"},
	{title: "moto gives numbers back as they were written",
		on: about(`dynamodb \w+ reply\..*\.N as written: `), right: ours, docs: dynamoGuide + "HowItWorks.NamingRulesDataTypes.html: leading and trailing zeroes are trimmed; equal numbers are equal keys"},
	{title: "moto gives the items of a count",
		on: about(`dynamodb Scan reply\.Items:  \| \[`), right: ours, docs: dynamoAPI + "Scan.html: COUNT returns the number of items rather than the items"},
	{title: "moto does not fetch what a local index does not project",
		on: about(`dynamodb Query reply\.Items\[\]\.(g|y): \{.*\} \| $`), right: ours, docs: dynamoGuide + "LSI.html: fetches from the base table"},
	{title: "moto ends a page that is full by the limit without a last key",
		on: about(`dynamodb Query reply\.LastEvaluatedKey: \{.*\} \| $`), right: ours, docs: dynamoAPI + "Query.html: the last key does not necessarily mean that there is more"},
	{title: "tables and indexes of moto are there at once and have no ids, sizes, ARNs or dates of billing",
		on: about(`dynamodb (Create|Describe|Update|Delete)Table reply\.Table(Description)?\.(.*\.)?((Table|Index)Status|TableId|IndexArn|ItemCount|(Table|Index)SizeBytes|Backfilling|LastUpdateToPayPerRequestDateTime|LastIncreaseDateTime|NumberOfDecreasesToday): `), right: ours,
		docs: dynamoAPI + "CreateTable.html: TableDescription; the state is CREATING, then ACTIVE"},
	{title: "moto describes no indexes as empty lists, and provisioned billing in words",
		on: about(`dynamodb (Create|Describe|Update|Delete)Table reply\.Table(Description)?\.((Global|Local)SecondaryIndexes: .*\| \[\]|BillingModeSummary:  \| \{"BillingMode":"PROVISIONED"\})`), right: ours, docs: dynamoAPI + "TableDescription.html"},
	{title: "moto describes warm throughput in the answer to CreateTable, where it is being made",
		on: about(`dynamodb CreateTable reply\.TableDescription\.(GlobalSecondaryIndexes\[\]\.)?WarmThroughput:  \| `), right: ours,
		docs: dynamoAPI + "TableWarmThroughputDescription.html: it has a status; the service leaves it out until the table is active"},
	{title: "moto does not know what a provisioned or warm table had, nor the bounds of on-demand tables, after an update",
		on: about(`dynamodb (Create|Describe|Update)Table reply\.Table(Description)?\.((GlobalSecondaryIndexes\[\]\.)?(WarmThroughput\.|ProvisionedThroughput\.((Read|Write)CapacityUnits|LastDecreaseDateTime))|OnDemandThroughput: )`), right: ours,
		docs: dynamoAPI + "UpdateTable.html, " + dynamoAPI + "OnDemandThroughput.html, " + dynamoGuide + "warm-throughput.html: warm throughput cannot be decreased"},
	{title: "moto does not keep the class that an update gives, nor encryption that is asked for by its type",
		on: about(`dynamodb (Create|Describe)Table reply\.Table(Description)?\.(TableClassSummary|SSEDescription): \{.*\} \| $`), right: ours, docs: dynamoAPI + "UpdateTable.html: TableClass; " + dynamoAPI + "SSESpecification.html: SSEType"},
	{title: "moto has another error for a stream that is on already",
		on: about(`dynamodb UpdateTable outcome: ValidationException: Table already has an enabled stream: .* \| ResourceInUseException`), right: ours,
		docs: "The service's words; the SDKs' users match them: " + dynamoAPI + "StreamSpecification.html"},
	{title: "moto finds no table of another account, instead of denying access to it",
		on: about(`dynamodb ListTagsOfResource outcome: AccessDeniedException: .* \| ResourceNotFoundException`), right: ours, docs: dynamoGuide + "rbac-cross-account-access.html: a resource of another account needs a policy that grants access"},
	{title: "moto keeps old definitions, capacity and warm throughput after an update",
		on: about(`dynamodb (Describe|Update)Table reply\.Table(Description)?\.(AttributeDefinitions|ProvisionedThroughput\.(Read|Write)CapacityUnits|WarmThroughput)`), right: ours,
		docs: dynamoAPI + "UpdateTable.html; on-demand tables have 0 provisioned units: " + dynamoAPI + "ProvisionedThroughputDescription.html"},
	{title: "moto describes a deleted table as before",
		on: about(`dynamodb DeleteTable reply\.TableDescription\.(AttributeDefinitions|KeySchema|CreationDateTime):  \| `), right: ours, docs: dynamoAPI + "DeleteTable.html: the example response"},
	{title: "account and table limits are those of another region",
		on: about(`dynamodb DescribeLimits reply\.`), right: both, docs: dynamoGuide + "ServiceQuotas.html: they depend on region and account"},
	{title: "moto words errors in its own way, or finds another mistake first",
		on: about(`dynamodb \w+ message: `), right: ours, docs: "The code is the same. The stand-in has the service's texts, as users of the SDKs report them."},
}

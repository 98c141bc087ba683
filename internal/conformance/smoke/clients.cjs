// What a user of the AWS SDK for JavaScript v3 does with the stand-ins. Usage: node clients.cjs ENDPOINT
"use strict";
const assert = require("node:assert/strict");
const sqs = require("@aws-sdk/client-sqs");
const dynamodb = require("@aws-sdk/client-dynamodb");

const options = { endpoint: process.argv[2], region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" }, maxAttempts: 1 };

async function queues() {
  const client = new sqs.SQSClient(options);
  const { QueueUrl } = await client.send(new sqs.CreateQueueCommand({ QueueName: "js" }));
  const sent = await client.send(new sqs.SendMessageCommand({
    QueueUrl, MessageBody: "hällo 🚀", MessageAttributes: { raw: { DataType: "Binary", BinaryValue: Uint8Array.of(0, 255) } } }));
  const { Messages } = await client.send(new sqs.ReceiveMessageCommand({ QueueUrl, MessageAttributeNames: ["All"], MessageSystemAttributeNames: ["All"] }));
  assert.equal(Messages.length, 1);
  assert.equal(Messages[0].MessageId, sent.MessageId);
  assert.equal(Messages[0].Body, "hällo 🚀");
  assert.deepEqual([...Messages[0].MessageAttributes.raw.BinaryValue], [0, 255]);
  await client.send(new sqs.DeleteMessageCommand({ QueueUrl, ReceiptHandle: Messages[0].ReceiptHandle }));
  const batch = await client.send(new sqs.SendMessageBatchCommand({
    QueueUrl, Entries: [{ Id: "good", MessageBody: "1" }, { Id: "bad", MessageBody: "2", DelaySeconds: 901 }] }));
  assert.equal(batch.Successful[0].Id, "good");
  assert.equal(batch.Failed[0].Code, "InvalidParameterValue");
  await assert.rejects(client.send(new sqs.GetQueueUrlCommand({ QueueName: "nothing" })), (e) => e instanceof sqs.QueueDoesNotExist && e.$fault === "client");
  const pages = [];
  for await (const page of sqs.paginateListQueues({ client, pageSize: 1 }, {})) pages.push(...page.QueueUrls);
  assert.deepEqual(pages, [QueueUrl]);
  await client.send(new sqs.DeleteQueueCommand({ QueueUrl }));
  client.destroy();
}

async function tables() {
  const client = new dynamodb.DynamoDBClient(options);
  const TableName = "js-things";
  await client.send(new dynamodb.CreateTableCommand({
    TableName, BillingMode: "PAY_PER_REQUEST", AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }], KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }] }));
  await dynamodb.waitUntilTableExists({ client, maxWaitTime: 20, minDelay: 1 }, { TableName });
  const Item = { pk: { S: "a" }, n: { N: "12345678901234567890123456789012345678" }, b: { B: Uint8Array.of(1, 2) }, l: { L: [{ NULL: true }, { BOOL: false }] }, ss: { SS: ["x", "y"] } };
  await client.send(new dynamodb.PutItemCommand({ TableName, Item }));
  const got = await client.send(new dynamodb.GetItemCommand({ TableName, Key: { pk: { S: "a" } } }));
  assert.deepEqual({ ...got.Item, b: { B: Uint8Array.from(got.Item.b.B) } }, Item);
  await assert.rejects(client.send(new dynamodb.PutItemCommand({ TableName, Item, ConditionExpression: "attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure: "ALL_OLD" })),
    (e) => e instanceof dynamodb.ConditionalCheckFailedException && e.Item.pk.S === "a");
  await assert.rejects(client.send(new dynamodb.TransactWriteItemsCommand({ TransactItems: [{ Put: { TableName, Item, ConditionExpression: "n < :n", ExpressionAttributeValues: { ":n": { N: "1" } } } }] })),
    (e) => e instanceof dynamodb.TransactionCanceledException && e.CancellationReasons[0].Code === "ConditionalCheckFailed");
  const updated = await client.send(new dynamodb.UpdateItemCommand({
    TableName, Key: { pk: { S: "a" } }, UpdateExpression: "SET l[0] = :v ADD ss :s", ExpressionAttributeValues: { ":v": { S: "first" }, ":s": { SS: ["z"] } }, ReturnValues: "UPDATED_NEW" }));
  assert.deepEqual(updated.Attributes.l, { L: [{ S: "first" }] });
  let count = 0;
  for await (const page of dynamodb.paginateScan({ client, pageSize: 1 }, { TableName })) count += page.Count;
  assert.equal(count, 1);
  await assert.rejects(client.send(new dynamodb.ExecuteStatementCommand({ Statement: "SELECT * FROM things" })), (e) => e.name === "UnknownOperationException");
  await client.send(new dynamodb.DeleteTableCommand({ TableName }));
  await dynamodb.waitUntilTableNotExists({ client, maxWaitTime: 20, minDelay: 1 }, { TableName });
  client.destroy();
}

queues().then(tables).then(() => console.log("ok"));

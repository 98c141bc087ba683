// A worker with sqs-consumer: messages in parallel, one that fails once and comes again. Usage: node consumer.cjs ENDPOINT
"use strict";
const assert = require("node:assert/strict");
const { SQSClient, CreateQueueCommand, SendMessageBatchCommand, GetQueueAttributesCommand } = require("@aws-sdk/client-sqs");
const { Consumer } = require("sqs-consumer");

async function main() {
  const sqs = new SQSClient({ endpoint: process.argv[2], region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } });
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "consumer" }));
  const bodies = Array.from({ length: 30 }, (_, i) => `job ${i}`);
  for (let i = 0; i < bodies.length; i += 10) {
    await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: bodies.slice(i, i + 10).map((MessageBody, n) => ({ Id: String(n), MessageBody })) }));
  }
  const done = [];
  let failures = 0;
  const finished = new Promise((resolve, reject) => {
    const consumer = Consumer.create({
      queueUrl: QueueUrl, sqs, batchSize: 10, waitTimeSeconds: 5, visibilityTimeout: 30, terminateVisibilityTimeout: true,
      handleMessage: async (message) => {
        if (message.Body === "job 7" && failures++ === 0) throw new Error("job 7 fails once");
        done.push(message.Body);
        return message;
      },
    });
    consumer.on("error", reject);
    consumer.on("message_processed", () => {
      if (done.length === bodies.length) consumer.stop();
    });
    consumer.on("stopped", resolve);
    consumer.start();
  });
  await finished;
  assert.equal(failures, 2);
  assert.deepEqual([...done].sort(), [...bodies].sort());
  // The stop does not wait for the deletion of the last batch.
  for (let left = -1; left !== 0; ) {
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
    left = Number(Attributes.ApproximateNumberOfMessages) + Number(Attributes.ApproximateNumberOfMessagesNotVisible);
  }
  sqs.destroy();
  console.log("ok");
}

main();

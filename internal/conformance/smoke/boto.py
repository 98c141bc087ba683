"""What a user of boto3 does with the stand-ins. Usage: boto.py ENDPOINT"""

import decimal
import sys

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.config import Config

session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1")
options = {"endpoint_url": sys.argv[1], "config": Config(retries={"max_attempts": 1})}


def check(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def raises(error, call, **arguments):
    try:
        call(**arguments)
    except error as e:
        return e
    raise AssertionError(f"{error} was not raised")


def queues():
    sqs = session.client("sqs", **options)
    dead = sqs.create_queue(QueueName="boto-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    url = sqs.create_queue(QueueName="boto", Attributes={
        "VisibilityTimeout": "30", "RedrivePolicy": '{"deadLetterTargetArn":"%s","maxReceiveCount":"2"}' % arn})["QueueUrl"]
    check(sqs.get_queue_url(QueueName="boto")["QueueUrl"], url)
    check(sorted(u for page in sqs.get_paginator("list_queues").paginate(QueueNamePrefix="boto", PaginationConfig={"PageSize": 1}) for u in page["QueueUrls"]), [url, dead])
    sent = sqs.send_message(QueueUrl=url, MessageBody="hällo", MessageAttributes={
        "text": {"DataType": "String", "StringValue": "x"}, "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}})
    received = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])["Messages"][0]
    check(received["MessageId"], sent["MessageId"])
    check(received["Body"], "hällo")
    check(received["MessageAttributes"]["raw"]["BinaryValue"], b"\x00\xff")
    check(received["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"])
    check(received["Attributes"]["ApproximateReceiveCount"], "1")
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"], VisibilityTimeout=0)
    again = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"][0]
    check(again["MessageId"], sent["MessageId"])
    check("Messages" in sqs.receive_message(QueueUrl=url), False)
    check(sqs.receive_message(QueueUrl=dead)["Messages"][0]["Body"], "hällo")
    batch = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": str(i)} for i in range(10)])
    check(len(batch["Successful"]), 10)
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)["Messages"]
    check(sorted(int(m["Body"]) for m in got), list(range(10)))
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"]} for m in got])
    check(len(deleted["Successful"]), 10)
    e = raises(sqs.exceptions.QueueDoesNotExist, sqs.get_queue_url, QueueName="boto-nothing")
    check(e.response["Error"]["Code"], "AWS.SimpleQueueService.NonExistentQueue")
    check(e.response["ResponseMetadata"]["HTTPStatusCode"], 400)
    e = raises(sqs.exceptions.ClientError, sqs.send_message, QueueUrl=url, MessageBody="x", DelaySeconds=901)
    check(e.response["Error"]["Code"], "InvalidParameterValue")
    resource = session.resource("sqs", **options).create_queue(QueueName="boto.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})
    for body in ("1", "2", "2", "3"):
        resource.send_message(MessageBody=body, MessageGroupId="g")
    check([m.body for m in resource.receive_messages(MaxNumberOfMessages=10)], ["1", "2", "3"])
    resource.delete()
    sqs.delete_queue(QueueUrl=url)
    sqs.delete_queue(QueueUrl=dead)


def tables():
    dynamodb = session.resource("dynamodb", **options)
    table = dynamodb.create_table(
        TableName="boto", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}, {"AttributeName": "g", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[{"IndexName": "byg", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}])
    table.wait_until_exists()
    exact = decimal.Decimal("12345678901234567890.123456789012345678")
    with table.batch_writer() as batch:
        for i in range(60):
            batch.put_item(Item={"pk": "a", "sk": i, "g": "even" if i % 2 == 0 else "odd", "exact": exact, "set": {"x", "y"}, "raw": b"\x00\xff", "nested": {"list": [1, None, True]}})
    item = table.get_item(Key={"pk": "a", "sk": 7})["Item"]
    check(item["exact"], exact)
    check(item["set"], {"x", "y"})
    check(item["raw"].value, b"\x00\xff")
    check(item["nested"], {"list": [1, None, True]})
    check([int(i["sk"]) for i in table.query(KeyConditionExpression=Key("pk").eq("a") & Key("sk").between(10, 13), FilterExpression=Attr("g").eq("odd"))["Items"]], [11, 13])
    check(table.query(IndexName="byg", KeyConditionExpression=Key("g").eq("even"), Select="COUNT")["Count"], 30)
    pages = dynamodb.meta.client.get_paginator("scan").paginate(TableName="boto", PaginationConfig={"PageSize": 7})
    check(sorted(int(i["sk"]) for page in pages for i in page["Items"]), list(range(60)))
    updated = table.update_item(Key={"pk": "a", "sk": 7}, UpdateExpression="SET #n = if_not_exists(#n, :zero) + :one REMOVE exact", ReturnValues="ALL_NEW",
                                ExpressionAttributeNames={"#n": "count"}, ExpressionAttributeValues={":zero": 0, ":one": 1})["Attributes"]
    check((updated["count"], "exact" in updated), (1, False))
    failed = dynamodb.meta.client.exceptions.ConditionalCheckFailedException
    e = raises(failed, table.put_item, Item={"pk": "a", "sk": 7}, ConditionExpression=Attr("pk").not_exists(), ReturnValuesOnConditionCheckFailure="ALL_OLD")
    check(e.response["Error"]["Message"], "The conditional request failed")
    check(e.response["Item"]["count"], {"N": "1"})
    client = session.client("dynamodb", **options)
    e = raises(client.exceptions.TransactionCanceledException, client.transact_write_items, TransactItems=[
        {"Put": {"TableName": "boto", "Item": {"pk": {"S": "b"}, "sk": {"N": "1"}}}},
        {"ConditionCheck": {"TableName": "boto", "Key": {"pk": {"S": "b"}, "sk": {"N": "2"}}, "ConditionExpression": "attribute_exists(pk)"}}])
    check([r["Code"] for r in e.response["CancellationReasons"]], ["None", "ConditionalCheckFailed"])
    check("Item" in table.get_item(Key={"pk": "b", "sk": 1}), False)
    got = dynamodb.batch_get_item(RequestItems={"boto": {"Keys": [{"pk": "a", "sk": i} for i in range(5)]}})
    check(len(got["Responses"]["boto"]), 5)
    raises(client.exceptions.ResourceNotFoundException, client.describe_table, TableName="nothing")
    table.delete()
    table.wait_until_not_exists()


queues()
tables()
print("ok")

package dynamodb

import (
	"context"
	"fmt"
	"strconv"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// Bounds of one BatchWriteItem (API reference) and of the tries for what the
// service left over.
const (
	batchItems    = 25
	seedTries     = 10
	seedPause     = 50 * time.Millisecond
	seedPauseMost = 2 * time.Second
)

// Seed writes items into a table, in batches. An item of the same key is
// replaced, so that a seed that broke off may be repeated. An item that cannot
// be stored is an error before anything is written; its position counts from 1.
func Seed(ctx context.Context, client *sdk.Client, name string, items []map[string]any) error {
	doing := fmt.Sprintf("seeding the table %q", name)
	writes := make([]types.WriteRequest, len(items))
	for i, item := range items {
		attributes, err := marshalItem(item)
		if err != nil {
			return engine.Fail(engine.Permanent, "invalid_item", doing, within("item "+strconv.Itoa(i+1), err))
		}
		writes[i] = types.WriteRequest{PutRequest: &types.PutRequest{Item: attributes}}
	}
	for first := 0; first < len(writes); first += batchItems {
		last := min(first+batchItems, len(writes))
		if err := writeBatch(ctx, client, name, writes[first:last]); err != nil {
			return awsclient.Fail(fmt.Sprintf("%s, items %d to %d", doing, first+1, last), err)
		}
	}
	return nil
}

// writeBatch writes one batch and, with pauses, what the service leaves over.
func writeBatch(ctx context.Context, client *sdk.Client, name string, batch []types.WriteRequest) error {
	left := map[string][]types.WriteRequest{name: batch}
	for try := 1; ; try++ {
		reply, err := client.BatchWriteItem(ctx, &sdk.BatchWriteItemInput{RequestItems: left})
		if err != nil {
			return err
		}
		if left = reply.UnprocessedItems; len(left) == 0 {
			return nil
		}
		if try == seedTries {
			return fmt.Errorf("the service left %d items unwritten after %d tries", len(left[name]), seedTries)
		}
		select {
		case <-time.After(engine.Backoff(try, seedPause, seedPauseMost)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

package dynamodb

import (
	"context"
	"strconv"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// MarshalItem gives an item's attributes in the service's terms, as the put
// node stores them: numbers with their exact digits, lists as lists and never
// as sets. The error names the attribute that DynamoDB cannot hold, not its
// value.
func MarshalItem(item map[string]any) (map[string]types.AttributeValue, error) {
	return marshalItem(item)
}

// UnmarshalItem gives an item as expressions see it: numbers exact, sets as
// lists. It is never nil.
func UnmarshalItem(item map[string]types.AttributeValue) (map[string]any, error) {
	return unmarshalItem(item)
}

// Marshal gives a key in the service's terms; it has all attributes of the
// schema and no others.
func (k KeySchema) Marshal(values map[string]any) (map[string]types.AttributeValue, error) {
	return k.marshal(values)
}

// Check tells whether an item holds the key in a form that the service takes.
func (k KeySchema) Check(item map[string]types.AttributeValue) error {
	return k.checkItem(item)
}

// Writer writes items into a table in batches, each in the place of an item of
// the same key. Of two items with one key the later one stays. It is for one
// goroutine.
type Writer struct {
	client  *sdk.Client
	table   string
	key     KeySchema
	batch   []types.WriteRequest
	keys    map[string]bool
	written int
}

// NewWriter makes a Writer for a table with the given key.
func NewWriter(client *sdk.Client, table string, key KeySchema) *Writer {
	return &Writer{client: client, table: table, key: key, keys: map[string]bool{}}
}

// Put takes an item and writes when a batch is full. An item that lacks the
// table's key is an error, and not taken; an error of writing leaves it open
// which items of the batch are stored.
func (w *Writer) Put(ctx context.Context, item map[string]types.AttributeValue) error {
	if err := w.key.checkItem(item); err != nil {
		return err
	}
	// BatchWriteItem refuses two items of one key.
	id := w.identity(item)
	if w.keys[id] {
		if err := w.Flush(ctx); err != nil {
			return err
		}
	}
	w.keys[id] = true
	w.batch = append(w.batch, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
	if len(w.batch) < batchItems {
		return nil
	}
	return w.Flush(ctx)
}

// Flush writes what Put has taken.
func (w *Writer) Flush(ctx context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	if err := writeBatch(ctx, w.client, w.table, w.batch); err != nil {
		return err
	}
	w.written += len(w.batch)
	w.batch = nil
	clear(w.keys)
	return nil
}

// Written is how many items the service has confirmed.
func (w *Writer) Written() int { return w.written }

// identity is one text for all spellings of an item's key.
func (w *Writer) identity(item map[string]types.AttributeValue) string {
	id := ""
	for _, a := range w.key.Attributes {
		part := ""
		switch v := item[a.Name].(type) {
		case *types.AttributeValueMemberS:
			part = v.Value
		case *types.AttributeValueMemberN:
			part = canonical(v.Value)
		case *types.AttributeValueMemberB:
			part = string(v.Value)
		}
		id += strconv.Itoa(len(part)) + ":" + part
	}
	return id
}

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
)

const getHelp = `Print the item with the given key, which is a JSON object or the values of the key's
attributes in their order, partition key first. Bytes are given in base64. That no
item has the key is a failure.`

func newTableGetCommand(s *serviceTarget) *cobra.Command {
	return &cobra.Command{
		Use:   "get TABLE KEY...",
		Short: "Print an item",
		Long:  getHelp,
		Example: `  flowctl table get drivers 2331
  flowctl table get orders customer-1 17
  flowctl table get orders '{"customer": "customer-1", "number": 17}'`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withTables(cmd, s, func(ctx context.Context, t *tables) error {
				return t.get(ctx, args[0], args[1:])
			})
		},
	}
}

func (t *tables) get(ctx context.Context, name string, words []string) error {
	schema, err := t.key(ctx, name)
	if err != nil {
		return err
	}
	values, err := keyFrom(schema, words)
	if err != nil {
		return usageError{err}
	}
	key, err := schema.Marshal(values)
	if err != nil {
		return usageError{err}
	}
	out, err := t.GetItem(ctx, &sdk.GetItemInput{TableName: &name, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return awsclient.Fail(fmt.Sprintf("reading from the table %q", name), err)
	}
	if out.Item == nil {
		return fmt.Errorf("no item of the table %q has the key %s", name, strings.Join(words, " "))
	}
	line, err := plainJSON(out.Item)
	if err != nil || t.target.json() {
		return printLine(t.out, line, err)
	}
	var indented bytes.Buffer
	err = json.Indent(&indented, line, "", "  ")
	return printLine(t.out, indented.Bytes(), err)
}

func printLine(w io.Writer, line []byte, err error) error {
	if err == nil {
		_, err = w.Write(append(line, '\n'))
	}
	return err
}

// keyFrom reads a key from a command line: one JSON object, or a value for each
// attribute.
func keyFrom(schema dynamodb.KeySchema, words []string) (map[string]any, error) {
	if len(words) == 1 && strings.HasPrefix(strings.TrimSpace(words[0]), "{") {
		return objectFrom("the key", []byte(words[0]))
	}
	if len(words) != len(schema.Attributes) {
		return nil, fmt.Errorf("the table's key is %s: give %s, or one JSON object", schema, count(len(schema.Attributes), "value"))
	}
	values := map[string]any{}
	for i, a := range schema.Attributes {
		v, err := keyValue(a, words[i])
		if err != nil {
			return nil, err
		}
		values[a.Name] = v
	}
	return values, nil
}

func keyValue(a dynamodb.KeyAttribute, word string) (any, error) {
	switch a.Type {
	case "N":
		n, err := value.ParseNumber(word)
		if err != nil {
			return nil, fmt.Errorf("the key attribute %s is a number, and %q is none", a.Name, word)
		}
		return n, nil
	case "B":
		b, err := base64.StdEncoding.DecodeString(word)
		if err != nil {
			return nil, fmt.Errorf("the key attribute %s is bytes, and %q is not base64", a.Name, word)
		}
		return b, nil
	}
	return word, nil
}

// objectFrom reads a JSON object; what says in an error what it is for.
func objectFrom(what string, text []byte) (map[string]any, error) {
	v, err := value.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is a JSON object, this is %s", what, value.Kind(v))
	}
	return object, nil
}

// plainJSON is an item in one line of JSON.
func plainJSON(item map[string]types.AttributeValue) ([]byte, error) {
	plain, err := dynamodb.UnmarshalItem(item)
	if err != nil {
		return nil, err
	}
	return value.Append(nil, plain)
}

const putHelp = `Store an item, a JSON object: ITEM, or what comes from standard input if it is left
out or is -. An item of the same key is replaced.`

func newTablePutCommand(s *serviceTarget) *cobra.Command {
	return &cobra.Command{
		Use:     "put TABLE [ITEM]",
		Short:   "Store an item",
		Long:    putHelp,
		Example: `  flowctl table put drivers '{"area_code": "2331", "availability": "yes"}'`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := messageOf(cmd, args[1:])
			if err != nil {
				return err
			}
			plain, err := objectFrom("the item", text)
			if err != nil {
				return usageError{err}
			}
			item, err := dynamodb.MarshalItem(plain)
			if err != nil {
				return usageError{fmt.Errorf("the item cannot be stored: %w", err)}
			}
			return withTables(cmd, s, func(ctx context.Context, t *tables) error { return t.put(ctx, args[0], item) })
		},
	}
}

func (t *tables) put(ctx context.Context, name string, item map[string]types.AttributeValue) error {
	// The description tells a missing table and a missing key better than the service's error does.
	schema, err := t.key(ctx, name)
	if err != nil {
		return err
	}
	if err := schema.Check(item); err != nil {
		return usageError{err}
	}
	if _, err := t.PutItem(ctx, &sdk.PutItemInput{TableName: &name, Item: item}); err != nil {
		return awsclient.Fail(fmt.Sprintf("storing in the table %q", name), err)
	}
	return t.tellStored(name, 1)
}

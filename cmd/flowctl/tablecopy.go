package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
)

const loadHelp = `Store items, one JSON object a line, from FILE or from standard input. Items of the
same key are replaced. The error of a line that cannot be stored names it; the lines
before it are stored, and the same load may be repeated.

With --types the lines are in DynamoDB's own form, {"Item": {"id": {"S": "7"}}}, as
` + "`flowctl table dump --types`" + ` and the account's exports to S3 have it.`

func newTableLoadCommand(s *serviceTarget) *cobra.Command {
	typed := false
	cmd := &cobra.Command{
		Use:     "load TABLE [FILE]",
		Short:   "Store many items from lines of JSON",
		Long:    loadHelp,
		Example: `  flowctl table load drivers drivers.jsonl`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := input(cmd)
			if len(args) == 2 && args[1] != "-" {
				file, err := os.Open(args[1])
				if err != nil {
					return usageError{err}
				}
				defer file.Close()
				in = file
			}
			return withTables(cmd, s, func(ctx context.Context, t *tables) error { return t.load(ctx, args[0], in, typed) })
		},
	}
	cmd.Flags().BoolVar(&typed, "types", false, "the lines are in DynamoDB's own form, with the types of the values")
	return cmd
}

// storedItems is what --output json tells of a put or a load.
type storedItems struct {
	Table string `json:"table"`
	Items int    `json:"items"`
}

func (t *tables) load(ctx context.Context, name string, in io.Reader, typed bool) error {
	schema, err := t.key(ctx, name)
	if err != nil {
		return err
	}
	parse := plainItem
	if typed {
		parse = typedItem
	}
	w := dynamodb.NewWriter(t.Client, name, schema)
	var refused error // by the service
	err = eachLine(in, func(n int, line []byte) error {
		item, err := parse(line)
		if err == nil {
			err = schema.Check(item)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if refused = w.Put(ctx, item); refused != nil {
			return awsclient.Fail(fmt.Sprintf("storing the items up to line %d", n), refused)
		}
		return nil
	})
	// What was read before a bad line is good.
	if refused == nil {
		if refused = w.Flush(ctx); refused != nil {
			err = errors.Join(err, awsclient.Fail("storing the last items", refused))
		}
	}
	if err != nil {
		return fmt.Errorf("%w\n%s stored in %s", err, count(w.Written(), "item"), name)
	}
	return t.tellStored(name, w.Written())
}

func (t *tables) tellStored(name string, n int) error {
	if t.target.json() {
		return jsonLine(t.out, storedItems{name, n})
	}
	_, err := fmt.Fprintf(t.out, "stored %s in %s\n", count(n, "item"), name)
	return err
}

func plainItem(line []byte) (map[string]types.AttributeValue, error) {
	plain, err := objectFrom("an item", line)
	if err != nil {
		return nil, err
	}
	return dynamodb.MarshalItem(plain)
}

const itemMember = "Item"

func typedItem(line []byte) (map[string]types.AttributeValue, error) {
	object, err := objectFrom("an item", line)
	if err != nil {
		return nil, err
	}
	item, ok := object[itemMember].(map[string]any)
	if !ok || len(object) != 1 {
		return nil, errors.New(`with --types a line is {"Item": {"NAME": {"TYPE": VALUE}}}; leave out --types for plain items`)
	}
	return dynamodb.ParseTyped(item)
}

const dumpHelp = `Print all items of a table, one JSON object a line, for ` + "`flowctl table load`" + `. Items
that hold sets or bytes come back from it as they were only with --types, which keeps
the types; a word on standard error tells when there are such items.`

func newTableDumpCommand(s *serviceTarget) *cobra.Command {
	typed := false
	cmd := &cobra.Command{
		Use:   "dump TABLE",
		Short: "Print all items as lines of JSON",
		Long:  dumpHelp,
		Example: `  flowctl table dump drivers > drivers.jsonl
  flowctl table dump drivers --aws --types | flowctl table load drivers --types`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withTables(cmd, s, func(ctx context.Context, t *tables) error { return t.dump(ctx, args[0], typed) })
		},
	}
	cmd.Flags().BoolVar(&typed, "types", false, "print DynamoDB's own form, with the types of the values")
	return cmd
}

func (t *tables) dump(ctx context.Context, name string, typed bool) error {
	if _, err := t.describe(ctx, name); err != nil {
		return err
	}
	format := plainJSON
	if typed {
		format = typedJSON
	}
	out := bufio.NewWriter(t.out)
	lossy := 0
	err := t.each(ctx, name, 0, func(item map[string]types.AttributeValue) (bool, error) {
		if !typed && holdsTypes(&types.AttributeValueMemberM{Value: item}) {
			lossy++
		}
		line, err := format(item)
		return true, printLine(out, line, err)
	})
	if err = errors.Join(err, out.Flush()); err == nil && lossy > 0 {
		fmt.Fprintf(t.words, "%s with sets or bytes, which plain JSON shows as lists and texts; --types keeps what they are\n", count(lossy, "item"))
	}
	return err
}

func typedJSON(item map[string]types.AttributeValue) ([]byte, error) {
	typed, err := dynamodb.TypedValue(item)
	if err != nil {
		return nil, err
	}
	return value.Append(nil, map[string]any{itemMember: typed})
}

// holdsTypes tells whether a value holds what plain JSON has no form for.
func holdsTypes(a types.AttributeValue) bool {
	switch a := a.(type) {
	case *types.AttributeValueMemberB, *types.AttributeValueMemberBS, *types.AttributeValueMemberSS, *types.AttributeValueMemberNS:
		return true
	case *types.AttributeValueMemberM:
		for _, v := range a.Value {
			if holdsTypes(v) {
				return true
			}
		}
	case *types.AttributeValueMemberL:
		for _, v := range a.Value {
			if holdsTypes(v) {
				return true
			}
		}
	}
	return false
}

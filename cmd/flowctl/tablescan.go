package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
)

func newTableScanCommand(s *serviceTarget) *cobra.Command {
	var n int
	cmd := &cobra.Command{
		Use:   "scan TABLE",
		Short: "Print items",
		Long: `Print the items of a table, in no order, in columns, or with --output json one JSON
object a line. A word on standard error tells when there are more.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if n < 0 {
				return usageError{fmt.Errorf("--count must not be negative, it is %d", n)}
			}
			return withTables(cmd, s, func(ctx context.Context, t *tables) error { return t.scan(ctx, args[0], n) })
		},
	}
	cmd.Flags().IntVarP(&n, "count", "n", 100, "print this `NUMBER` of items at most; 0 is all")
	return cmd
}

// each calls visit with the items of a table until it says that it has enough.
func (t *tables) each(ctx context.Context, name string, pageSize int, visit func(item map[string]types.AttributeValue) (more bool, err error)) error {
	in := &sdk.ScanInput{TableName: &name, ConsistentRead: aws.Bool(true)}
	if pageSize > 0 {
		in.Limit = aws.Int32(int32(min(pageSize, 1000)))
	}
	for pages := sdk.NewScanPaginator(t.Client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return awsclient.Fail(fmt.Sprintf("reading the table %q", name), err)
		}
		for _, item := range page.Items {
			if more, err := visit(item); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

func (t *tables) scan(ctx context.Context, name string, n int) error {
	schema, err := t.key(ctx, name)
	if err != nil {
		return err
	}
	grid := &grid{}
	for _, a := range schema.Attributes {
		grid.column(a.Name)
	}
	shown, more := 0, false
	pageSize := 0
	if n > 0 {
		pageSize = n + 1
	}
	err = t.each(ctx, name, pageSize, func(item map[string]types.AttributeValue) (bool, error) {
		if more = n > 0 && shown == n; more {
			return false, nil
		}
		shown++
		if !t.target.json() {
			return true, grid.add(item)
		}
		line, err := plainJSON(item)
		return true, printLine(t.out, line, err)
	})
	if err == nil && !t.target.json() && shown > 0 {
		err = grid.print(t.out)
	}
	switch {
	case err != nil:
		return err
	case shown == 0:
		fmt.Fprintln(t.words, "no items")
	case more:
		fmt.Fprintf(t.words, "these are %s, and there are more; --count 0 prints all\n", count(shown, "item"))
	}
	return nil
}

// grid is items in columns, one for each attribute: those of the key first, the
// others in the order of their names as they come up.
type grid struct {
	names []string
	items []map[string]any
}

func (g *grid) column(name string) {
	if !slices.Contains(g.names, name) {
		g.names = append(g.names, name)
	}
}

func (g *grid) add(item map[string]types.AttributeValue) error {
	plain, err := dynamodb.UnmarshalItem(item)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(plain)) {
		g.column(name)
	}
	g.items = append(g.items, plain)
	return nil
}

func (g *grid) print(w io.Writer) error {
	rows := make([][]string, len(g.items))
	for i, item := range g.items {
		for _, name := range g.names {
			v, ok := item[name]
			if !ok {
				rows[i] = append(rows[i], "-")
				continue
			}
			c, err := cell(v)
			if err != nil {
				return err
			}
			rows[i] = append(rows[i], c)
		}
	}
	return columns(w, g.names, rows)
}

// cell is a value as text: texts as they are, but on one line; all else as JSON.
func cell(v any) (string, error) {
	if text, ok := v.(string); ok && text != "" && !strings.ContainsAny(text, "\t\n\r\v\f") {
		return text, nil
	}
	b, err := value.Append(nil, v)
	return string(b), err
}

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/spf13/cobra"
)

func newTableLsCommand(s *serviceTarget) *cobra.Command {
	return &cobra.Command{
		Use:   "ls [PREFIX]",
		Short: "List tables, their keys and how much they hold",
		Long: `List the tables whose names begin with PREFIX, with their keys, indexes and size. The
account brings the counts of items up to date every six hours only.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withTables(cmd, s, func(ctx context.Context, t *tables) error {
				prefix := ""
				if len(args) > 0 {
					prefix = args[0]
				}
				return t.list(ctx, prefix)
			})
		},
	}
}

// listedTable is a table as --output json shows it. Key is the name of each
// attribute of the key and its type, S, N or B, the partition key first.
type listedTable struct {
	Name    string       `json:"name"`
	Status  string       `json:"status"`
	Key     []keyElement `json:"key"`
	Indexes []string     `json:"indexes,omitempty"`
	Items   int64        `json:"items"`
	Bytes   int64        `json:"bytes"`
}

type keyElement struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

func (t *tables) list(ctx context.Context, prefix string) error {
	names, err := t.names(ctx)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		d, err := t.describe(ctx, name)
		if err != nil {
			return err
		}
		l := listedTableOf(d)
		if t.target.json() {
			if err := jsonLine(t.out, l); err != nil {
				return err
			}
			continue
		}
		indexes := "-"
		if len(l.Indexes) > 0 {
			indexes = strings.Join(l.Indexes, ", ")
		}
		rows = append(rows, []string{l.Name, strings.ToLower(l.Status), keyOf(d).String(), indexes, strconv.FormatInt(l.Items, 10), strconv.FormatInt(l.Bytes, 10)})
	}
	if t.target.json() {
		return nil
	}
	if len(rows) == 0 {
		fmt.Fprintln(t.words, "no tables")
		return nil
	}
	return columns(t.out, []string{"NAME", "STATUS", "KEY", "INDEXES", "ITEMS", "BYTES"}, rows)
}

func listedTableOf(d *types.TableDescription) listedTable {
	l := listedTable{Name: *d.TableName, Status: string(d.TableStatus), Items: aws.ToInt64(d.ItemCount), Bytes: aws.ToInt64(d.TableSizeBytes)}
	for _, a := range keyOf(d).Attributes {
		l.Key = append(l.Key, keyElement(a))
	}
	for _, x := range d.LocalSecondaryIndexes {
		l.Indexes = append(l.Indexes, *x.IndexName)
	}
	for _, x := range d.GlobalSecondaryIndexes {
		l.Indexes = append(l.Indexes, *x.IndexName)
	}
	return l
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
)

const tableHelp = `Look into DynamoDB tables and work on them: those of the running ` + "`flowctl run`" + ` or
` + "`flowctl local`" + `, or with --aws those of the account.

Items are plain JSON, as flows see them: {"id": "7", "seats": 4}. Numbers keep all
their digits; sets are shown as lists and bytes in base64. DynamoDB's own form, with
the types, is kept by ` + "`dump --types`" + ` and ` + "`load --types`" + `.`

func newTableCommand() *cobra.Command {
	s := &serviceTarget{}
	cmd := &cobra.Command{Use: "table", Short: "List, read, fill and copy tables", Long: tableHelp}
	s.register(cmd)
	cmd.AddCommand(newTableLsCommand(s), newTableGetCommand(s), newTablePutCommand(s), newTableScanCommand(s), newTableLoadCommand(s), newTableDumpCommand(s))
	for _, c := range cmd.Commands() {
		c.ValidArgsFunction = completeNames(tableNames(s))
	}
	return cmd
}

// tables are the tables that a command works on, and where it prints.
type tables struct {
	*sdk.Client
	target *serviceTarget
	out    io.Writer
	words  io.Writer
}

// withTables runs work on the target's tables.
func withTables(cmd *cobra.Command, s *serviceTarget, work func(ctx context.Context, t *tables) error) error {
	ctx := cmd.Context()
	return s.withClients(ctx, func(clients *awsclient.Clients) error {
		c, err := dynamodb.Client(ctx, clients, !s.account)
		if err != nil {
			return err
		}
		return work(ctx, &tables{Client: c, target: s, out: cmd.OutOrStdout(), words: cmd.ErrOrStderr()})
	})
}

// describe gives a table's description.
func (t *tables) describe(ctx context.Context, name string) (*types.TableDescription, error) {
	out, err := t.DescribeTable(ctx, &sdk.DescribeTableInput{TableName: &name})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return nil, t.missing(ctx, name)
	}
	if err != nil {
		return nil, awsclient.Fail(fmt.Sprintf("looking up the table %q", name), err)
	}
	return out.Table, nil
}

// key gives a table's primary key.
func (t *tables) key(ctx context.Context, name string) (dynamodb.KeySchema, error) {
	d, err := t.describe(ctx, name)
	if err != nil {
		return dynamodb.KeySchema{}, err
	}
	return keyOf(d), nil
}

// keyOf reads the primary key, the partition key first.
func keyOf(d *types.TableDescription) (k dynamodb.KeySchema) {
	for _, role := range []types.KeyType{types.KeyTypeHash, types.KeyTypeRange} {
		for _, e := range d.KeySchema {
			if e.KeyType != role {
				continue
			}
			i := slices.IndexFunc(d.AttributeDefinitions, func(a types.AttributeDefinition) bool { return *a.AttributeName == *e.AttributeName })
			k.Attributes = append(k.Attributes, dynamodb.KeyAttribute{Name: *e.AttributeName, Type: string(d.AttributeDefinitions[i].AttributeType)})
		}
	}
	return k
}

// missing is the error of a name that no table has, with those that there are.
func (t *tables) missing(ctx context.Context, name string) error {
	names, err := t.names(ctx)
	if err != nil {
		return fmt.Errorf("there is no table %q", name)
	}
	hint := expr.Nearest(name, names)
	if hint != "" {
		hint += " "
	}
	return fmt.Errorf("there is no table %q; %s%s", name, hint, there("tables", names))
}

func (t *tables) names(ctx context.Context) (names []string, err error) {
	for pages := sdk.NewListTablesPaginator(t.Client, &sdk.ListTablesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awsclient.Fail("listing the tables", err)
		}
		names = append(names, page.TableNames...)
	}
	return names, nil
}

package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// How often Create looks whether a table is ready, and for how long.
const (
	readyPoll = 20 * time.Millisecond
	readyMost = time.Second
	readyWait = 2 * time.Minute
)

// Create makes the table that the resource describes, under the given name, and
// returns once it can be used. A table that is there already is kept: global
// indexes and the time of expiry that it lacks are added, and created is false.
// A table with another key, or with an index that cannot be brought in line, is
// an error; nothing is ever deleted. Create may be called again after any
// failure.
func Create(ctx context.Context, client *sdk.Client, name string, t *Table) (created bool, err error) {
	there, err := describe(ctx, client, name)
	if err != nil {
		return false, err
	}
	if there == nil {
		if created, err = create(ctx, client, name, t); err != nil {
			return created, err
		}
	}
	if there, err = waitReady(ctx, client, name); err != nil {
		return created, err
	}
	if !created {
		if err := adapt(ctx, client, there, t); err != nil {
			return false, err
		}
	}
	return created, expire(ctx, client, name, t.TTL)
}

// describe gives the table, nil if there is none.
func describe(ctx context.Context, client *sdk.Client, name string) (*types.TableDescription, error) {
	reply, err := client.DescribeTable(ctx, &sdk.DescribeTableInput{TableName: &name})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return nil, nil
	}
	if err != nil {
		return nil, awsclient.Fail(fmt.Sprintf("looking for the table %q", name), err)
	}
	return reply.Table, nil
}

func create(ctx context.Context, client *sdk.Client, name string, t *Table) (created bool, err error) {
	in := &sdk.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest, KeySchema: keySchema(t.Key), AttributeDefinitions: definitions(t)}
	for _, x := range t.Indexes {
		if x.Local {
			in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, types.LocalSecondaryIndex{IndexName: aws.String(x.Name), KeySchema: keySchema(x.Key), Projection: projection(x)})
		} else {
			in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{IndexName: aws.String(x.Name), KeySchema: keySchema(x.Key), Projection: projection(x)})
		}
	}
	_, err = client.CreateTable(ctx, in)
	if _, race := errors.AsType[*types.ResourceInUseException](err); race {
		return false, nil
	}
	if err != nil {
		return false, awsclient.Fail(fmt.Sprintf("creating the table %q", name), err)
	}
	return true, nil
}

func keySchema(k KeySchema) []types.KeySchemaElement {
	roles := []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}
	out := make([]types.KeySchemaElement, len(k.Attributes))
	for i, a := range k.Attributes {
		out[i] = types.KeySchemaElement{AttributeName: aws.String(a.Name), KeyType: roles[i]}
	}
	return out
}

// definitions are the types of all key attributes, each once.
func definitions(t *Table) []types.AttributeDefinition {
	keys := []KeySchema{t.Key}
	for _, x := range t.Indexes {
		keys = append(keys, x.Key)
	}
	var out []types.AttributeDefinition
	seen := map[string]bool{}
	for _, k := range keys {
		for _, a := range k.Attributes {
			if !seen[a.Name] {
				seen[a.Name] = true
				out = append(out, types.AttributeDefinition{AttributeName: aws.String(a.Name), AttributeType: types.ScalarAttributeType(a.Type)})
			}
		}
	}
	return out
}

func projection(x Index) *types.Projection {
	switch x.Projection {
	case "keys_only":
		return &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
	case "include":
		return &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: x.Include}
	}
	return &types.Projection{ProjectionType: types.ProjectionTypeAll}
}

// waitReady waits until the table and its global indexes can be used.
func waitReady(ctx context.Context, client *sdk.Client, name string) (*types.TableDescription, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWait, fmt.Errorf("the table %q is not ready after %s", name, readyWait))
	defer cancel()
	for pause := readyPoll; ; pause = min(2*pause, readyMost) {
		there, err := describe(ctx, client, name)
		if err != nil {
			return nil, err
		}
		if there != nil && ready(there) {
			return there, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func ready(t *types.TableDescription) bool {
	return t.TableStatus == types.TableStatusActive && !slices.ContainsFunc(t.GlobalSecondaryIndexes, func(x types.GlobalSecondaryIndexDescription) bool {
		return x.IndexStatus != types.IndexStatusActive
	})
}

// adapt adds what a table that was there lacks.
func adapt(ctx context.Context, client *sdk.Client, there *types.TableDescription, t *Table) error {
	name := aws.ToString(there.TableName)
	if have := schemaOf(there.KeySchema, there); have.String() != t.Key.String() {
		return fmt.Errorf("the table %q is there with the key %s, but the file says %s; correct the file, give the resource another name, or delete the table", name, have, t.Key)
	}
	for _, x := range t.Indexes {
		have, ok := indexOf(there, x)
		switch {
		case ok && have.String() != x.Key.String():
			return fmt.Errorf("the index %s of the table %q is there with the key %s, but the file says %s; give it another name, or delete the index", x.Name, name, have, x.Key)
		case ok:
			continue
		case x.Local:
			return fmt.Errorf("the table %q has no local index %s, and one can only be made together with the table; make it a global index, or delete the table", name, x.Name)
		}
		if err := addIndex(ctx, client, name, t, x); err != nil {
			return err
		}
	}
	return nil
}

func schemaOf(elements []types.KeySchemaElement, in *types.TableDescription) KeySchema {
	var k KeySchema
	for _, role := range []types.KeyType{types.KeyTypeHash, types.KeyTypeRange} {
		for _, e := range elements {
			if e.KeyType == role {
				k.Attributes = append(k.Attributes, KeyAttribute{aws.ToString(e.AttributeName), typeOf(in, e.AttributeName)})
			}
		}
	}
	return k
}

func typeOf(in *types.TableDescription, attribute *string) string {
	for _, d := range in.AttributeDefinitions {
		if aws.ToString(d.AttributeName) == aws.ToString(attribute) {
			return string(d.AttributeType)
		}
	}
	return ""
}

// indexOf is the key of the index of that name and sort, if there is one.
func indexOf(there *types.TableDescription, x Index) (KeySchema, bool) {
	if x.Local {
		for _, l := range there.LocalSecondaryIndexes {
			if aws.ToString(l.IndexName) == x.Name {
				return schemaOf(l.KeySchema, there), true
			}
		}
		return KeySchema{}, false
	}
	for _, g := range there.GlobalSecondaryIndexes {
		if aws.ToString(g.IndexName) == x.Name {
			return schemaOf(g.KeySchema, there), true
		}
	}
	return KeySchema{}, false
}

// addIndex adds a global index and waits until it can be used: DynamoDB makes
// one at a time.
func addIndex(ctx context.Context, client *sdk.Client, name string, t *Table, x Index) error {
	_, err := client.UpdateTable(ctx, &sdk.UpdateTableInput{
		TableName: &name, AttributeDefinitions: definitions(&Table{Key: t.Key, Indexes: []Index{x}}),
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: aws.String(x.Name), KeySchema: keySchema(x.Key), Projection: projection(x),
		}}},
	})
	if err != nil {
		return awsclient.Fail(fmt.Sprintf("adding the index %s to the table %q", x.Name, name), err)
	}
	_, err = waitReady(ctx, client, name)
	return err
}

// expire turns the expiry of items on, if it is not on yet.
func expire(ctx context.Context, client *sdk.Client, name, attribute string) error {
	if attribute == "" {
		return nil
	}
	doing := fmt.Sprintf("setting the time of expiry of the table %q", name)
	reply, err := client.DescribeTimeToLive(ctx, &sdk.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		return awsclient.Fail(doing, err)
	}
	if d := reply.TimeToLiveDescription; d != nil && (d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		if have := aws.ToString(d.AttributeName); have != attribute {
			return fmt.Errorf("%s: items expire by %q already, but the file says %q; correct the file, or turn the expiry off first", doing, have, attribute)
		}
		return nil
	}
	_, err = client.UpdateTimeToLive(ctx, &sdk.UpdateTimeToLiveInput{TableName: &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &attribute, Enabled: aws.Bool(true)}})
	if err != nil {
		return awsclient.Fail(doing, err)
	}
	return nil
}

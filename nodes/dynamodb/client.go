package dynamodb

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// calls are the operations that the nodes make. They are held as functions
// because the linker keeps all methods of a type that reflection may reach,
// which of the SDK's client are dozens that no node needs; a packaged function
// is megabytes smaller without them.
type calls struct {
	GetItem    func(context.Context, *sdk.GetItemInput, ...func(*sdk.Options)) (*sdk.GetItemOutput, error)
	PutItem    func(context.Context, *sdk.PutItemInput, ...func(*sdk.Options)) (*sdk.PutItemOutput, error)
	UpdateItem func(context.Context, *sdk.UpdateItemInput, ...func(*sdk.Options)) (*sdk.UpdateItemOutput, error)
	DeleteItem func(context.Context, *sdk.DeleteItemInput, ...func(*sdk.Options)) (*sdk.DeleteItemOutput, error)
	Query      func(context.Context, *sdk.QueryInput, ...func(*sdk.Options)) (*sdk.QueryOutput, error)
	Scan       func(context.Context, *sdk.ScanInput, ...func(*sdk.Options)) (*sdk.ScanOutput, error)
}

func newCalls(cfg aws.Config) *calls {
	c := newClient(cfg)
	return &calls{GetItem: c.GetItem, PutItem: c.PutItem, UpdateItem: c.UpdateItem, DeleteItem: c.DeleteItem, Query: c.Query, Scan: c.Scan}
}

// Client is an SDK client with the settings of that of the nodes, for the
// local stand-in or for the account.
func Client(ctx context.Context, c *awsclient.Clients, local bool) (*sdk.Client, error) {
	return awsclient.Shared(c, ctx, local, newClient)
}

package dynamodb

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// Client is the SDK client that the nodes of the process use, for the local
// stand-in or for the account.
func Client(ctx context.Context, c *awsclient.Clients, local bool) (*sdk.Client, error) {
	return awsclient.Shared(c, ctx, local, newClient)
}

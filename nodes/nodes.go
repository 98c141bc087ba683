// Package nodes lists the node families that flowctl knows.
package nodes

import (
	"slices"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	"github.com/flowctl-dev/flowctl/nodes/events"
	"github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/logic"
	"github.com/flowctl-dev/flowctl/nodes/mqtt"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// All is every node and resource type.
func All() *engine.Registry {
	return engine.NewRegistry(
		slices.Concat(http.Kinds(), sqs.Kinds(), dynamodb.Kinds(), mqtt.Kinds(), events.Kinds(), logic.Kinds()),
		slices.Concat(sqs.Resources(), dynamodb.Resources(), mqtt.Resources(), events.Resources()),
	)
}

package dynamodb

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// target is the table that a node works on.
type target struct {
	*Table
	resource string
	// address is the table's name or ARN.
	address string
	// local says that the table is in the stand-in.
	local   bool
	clients *awsclient.Clients
	shared  atomic.Pointer[calls]
	log     *slog.Logger
	// doing is what an error begins with.
	doing string
}

// newTarget finds the table: what the author names as outside, else what is
// given at start, else the resource's own table in the stand-in where there is
// one, else in the account. It calls nobody.
func newTarget(ref *engine.Ref[Table], d engine.Deps, doing string) (*target, error) {
	clients, err := awsclient.Of(d)
	if err != nil {
		return nil, err
	}
	t := &target{Table: ref.Resource, resource: ref.Name, clients: clients, log: d.Log,
		doing: fmt.Sprintf("%s table %q", doing, ref.Name)}
	if t.address, err = ref.Resource.Outside(); err != nil {
		return nil, fmt.Errorf("table %q: %w", ref.Name, err)
	}
	if t.address == "" {
		t.address = awsclient.AddressesOf(d)[ref.Name]
	}
	if t.address == "" {
		t.address, t.local = ref.Resource.Name(ref.Name), clients.LocalEndpoint() != ""
	}
	return t, nil
}

// client gives the process's calls to the side that the table is on.
func (t *target) client(ctx context.Context) (*calls, error) {
	if c := t.shared.Load(); c != nil {
		return c, nil
	}
	c, err := awsclient.Shared(t.clients, ctx, t.local, newCalls)
	if err != nil {
		return nil, err
	}
	t.shared.Store(c)
	return c, nil
}

// failed makes a flow's error of a call's.
func (t *target) failed(err error) error { return awsclient.Fail(t.doing, err) }

// refused is the error for data that the service would not take.
func (t *target) refused(code string, err error) error {
	return engine.Fail(engine.Permanent, code, t.doing, err)
}

// unreadable is the error for an item that the service gave and that is not
// one.
func (t *target) unreadable(err error) error {
	return engine.Fail(engine.Retryable, "invalid_reply", t.doing+": the reply cannot be read", err)
}

// key gives the key of one item.
func (t *target) key(v *expr.Value[map[string]any], env *expr.Env) (map[string]types.AttributeValue, error) {
	values, err := v.Get(env)
	if err != nil {
		return nil, err
	}
	key, err := t.Key.marshal(values)
	if err != nil {
		return nil, t.refused("invalid_key", within("key", err))
	}
	return key, nil
}

// itemOrNull gives an item of a reply, nil where there is none.
func (t *target) itemOrNull(item map[string]types.AttributeValue) (any, error) {
	if item == nil {
		return nil, nil
	}
	m, err := unmarshalItem(item)
	if err != nil {
		return nil, t.unreadable(err)
	}
	return m, nil
}

// debug logs what a node did; it costs nothing when nobody listens.
func (t *target) debug(ctx context.Context, m *engine.Message, text string, attrs ...any) {
	if t.log != nil && t.log.Enabled(ctx, slog.LevelDebug) {
		t.log.DebugContext(ctx, text, append(append(m.LogAttrs(), "table", t.resource), attrs...)...)
	}
}

// firstError makes an error of what should have been found before the node was
// made.
func firstError(found []engine.Finding) error {
	if len(found) == 0 {
		return nil
	}
	f := found[0]
	if f.Hint != "" {
		return fmt.Errorf("%s: %s; %s", f.Field, f.Message, f.Hint)
	}
	return fmt.Errorf("%s: %s", f.Field, f.Message)
}

package dynamodb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// What a query or a scan may read. A page holds at most 1 MB of data (API
// reference, Query), so a node holds some maxPages MB at the very most.
const (
	maxItems = 10000
	maxPages = 100
)

// listConfig is what the configs of query and scan have in common.
type listConfig struct {
	table  *engine.Ref[Table]
	index  string
	filter string
	// keyed says that the reading is by a key, which its filter must not read.
	keyed      bool
	attributes []string
	limit      *expr.Value[int]
	maxPages   int
	consistent bool
	start      *expr.Value[any]
	none       engine.Wire
}

// output types the output of a query or scan.
func (c listConfig) output() expr.Type {
	whole := expr.Any
	if t := c.table.Resource; t != nil {
		whole = c.itemType(t.Index(c.index))
	}
	return expr.Object(map[string]expr.Type{
		"items": expr.List(projectedType(whole, c.attributes)), "count": expr.Int, "next": expr.String,
	})
}

// itemType is what an index, or the table where x is nil, can give. A local
// index fetches from the table what it is asked for and does not hold.
func (c listConfig) itemType(x *Index) expr.Type {
	if x != nil && x.Local && len(c.attributes) > 0 {
		x = nil
	}
	return indexItemType(c.table.Resource, x)
}

// check finds what is wrong with the common keys. The Table is there.
func (c listConfig) check() []engine.Finding {
	var found []engine.Finding
	t := c.table.Resource
	x := t.Index(c.index)
	if c.index != "" && x == nil {
		hint := expr.Nearest(c.index, t.indexNames())
		if hint == "" && len(t.Indexes) > 0 {
			hint = "there are " + strings.Join(t.indexNames(), ", ")
		}
		found = append(found, engine.Finding{Field: "index", Message: fmt.Sprintf("table %q has no index %q", c.table.Name, c.index), Hint: hint})
	}
	if c.consistent && x != nil && !x.Local {
		found = append(found, engine.Finding{Field: "consistent", Message: "a global index cannot be read consistently", Hint: "leave out consistent, or read the table itself"})
	}
	if c.index == "" || x != nil {
		found = append(found, checkAttributes(c.attributes, c.itemType(x))...)
	}
	if c.maxPages < 1 || c.maxPages > maxPages {
		found = append(found, engine.Finding{Field: "max_pages", Message: fmt.Sprintf("max_pages is between 1 and %d", maxPages)})
	}
	if tree := c.limit.Tree(); tree != nil && tree.Kind == expr.KindConst {
		if n, ok := tree.Const.(int); ok && (n < 1 || n > maxItems) {
			found = append(found, engine.Finding{Field: "limit", Message: fmt.Sprintf("limit is between 1 and %d", maxItems), Hint: "read on with start"})
		}
	}
	return found
}

// listing reads items page by page.
type listing struct {
	*target
	listConfig
	bindings       *bindings
	projection     *string
	filterText     *string
	indexName      *string
	consistentRead *bool
	cursors        cursors
	// hidden are key attributes that are read for the cursor only.
	hidden []string
}

// newListing makes the common part of a query or scan and of its check.
func newListing(c listConfig, b *bindings) (*listing, []engine.Finding) {
	t := c.table.Resource
	l := &listing{listConfig: c, bindings: b, indexName: optional(c.index), cursors: newCursors(c.table.Name, t, t.Index(c.index))}
	if c.consistent {
		l.consistentRead = aws.Bool(true)
	}
	var found []engine.Finding
	if c.filter != "" {
		text, err := c.readFilter(b)
		if err != nil {
			found = append(found, problem("filter", err))
		}
		l.filterText = &text
	}
	if len(c.attributes) > 0 {
		text, unusable := b.paths("attributes", c.attributes)
		found = append(found, unusable...)
		l.projection = optional(text + l.hide(b))
	}
	return l, found
}

func (c listConfig) readFilter(b *bindings) (string, error) {
	if c.keyed {
		return b.queryFilter(c.filter, c.table.Resource, c.table.Resource.Index(c.index))
	}
	return b.condition(c.filter)
}

// keyOf is the key of an index, or of the table where there is no such index.
func keyOf(t *Table, index string) KeySchema {
	if x := t.Index(index); x != nil {
		return x.Key
	}
	return t.Key
}

// hide adds to a projection the key attributes that a cursor is made of. They
// are needed when a page is cut, which happens only with a filter.
func (l *listing) hide(b *bindings) string {
	added := ""
	if l.filterText == nil {
		return ""
	}
	for _, a := range l.cursors.key {
		if !slices.ContainsFunc(l.attributes, func(path string) bool { return names(b, path, a.Name) }) {
			l.hidden = append(l.hidden, a.Name)
			added += ", " + b.name(a.Name)
		}
	}
	return added
}

// names reports whether a path is just this attribute.
func names(b *bindings, path, attribute string) bool {
	if bound, ok := strings.CutPrefix(path, "#"); ok {
		return b.author.names[bound] == attribute
	}
	return path == attribute
}

// page is one reply.
type page struct {
	items []map[string]types.AttributeValue
	// last is where the page ended, empty at the very end.
	last map[string]types.AttributeValue
}

// fetch reads one page; limit is nil where the page's size is the only bound.
type fetch func(start map[string]types.AttributeValue, limit *int32) (page, error)

// do reads what the author asked for and sends the message on.
func (l *listing) do(ctx context.Context, m *engine.Message, read fetch) (engine.Port, error) {
	limit, err := l.itemLimit(&m.Env)
	if err != nil {
		return 0, err
	}
	start, err := l.startKey(&m.Env)
	if err != nil {
		return 0, err
	}
	items, next, err := l.collect(ctx, start, limit, read)
	if err != nil {
		return 0, err
	}
	output := map[string]any{"items": items, "count": len(items), "next": nil}
	if next != nil {
		text, err := l.cursors.text(next)
		if err != nil {
			return 0, l.unreadable(err)
		}
		output["next"] = text
	}
	m.SetOutput(output)
	l.debug(ctx, m, "items read", "count", len(items), "more", next != nil)
	if len(items) == 0 && next == nil && l.none.Wired() {
		return l.none.Port(), nil
	}
	return engine.Next, nil
}

func (l *listing) itemLimit(env *expr.Env) (int, error) {
	n, err := l.limit.Get(env)
	if err != nil {
		return 0, err
	}
	if n < 1 || n > maxItems {
		return 0, l.refused("invalid_limit", cannot("limit is between 1 and %d, got %d", maxItems, n))
	}
	return n, nil
}

func (l *listing) startKey(env *expr.Env) (map[string]types.AttributeValue, error) {
	v, err := l.start.Get(env)
	if err != nil || v == nil || v == "" {
		return nil, err
	}
	text, ok := v.(string)
	if !ok {
		return nil, l.refused("invalid_cursor", cannot("start is a cursor, which is a text, got %s", value.Kind(v)))
	}
	key, err := l.cursors.parse(text)
	if err != nil {
		return nil, l.refused("invalid_cursor", within("start", err))
	}
	return key, nil
}

// collect reads until limit items are there, the end is reached or max_pages
// are read. next is where to read on, nil at the end.
func (l *listing) collect(ctx context.Context, start map[string]types.AttributeValue, limit int, read fetch) (items []any, next map[string]types.AttributeValue, err error) {
	items = []any{}
	for range l.maxPages {
		if err := ctx.Err(); err != nil {
			return nil, nil, l.failed(err)
		}
		p, err := read(start, l.pageLimit(limit-len(items)))
		if err != nil {
			return nil, nil, l.failed(err)
		}
		if len(p.last) == 0 {
			p.last = nil
		}
		if cut := limit - len(items); len(p.items) > cut {
			p.items = p.items[:cut]
			if p.last, err = l.cursors.at(p.items[cut-1]); err != nil {
				return nil, nil, l.unreadable(err)
			}
		}
		if items, err = l.take(items, p.items); err != nil {
			return nil, nil, err
		}
		if len(items) == limit || p.last == nil {
			return items, p.last, nil
		}
		start = p.last
	}
	return items, start, nil
}

// pageLimit asks for no more than is wanted. The service counts before it
// filters, so that with a filter such a limit would make many small pages.
func (l *listing) pageLimit(wanted int) *int32 {
	if l.filterText != nil {
		return nil
	}
	return aws.Int32(int32(wanted))
}

func (l *listing) take(items []any, more []map[string]types.AttributeValue) ([]any, error) {
	for _, attributes := range more {
		for _, name := range l.hidden {
			delete(attributes, name)
		}
		item, err := unmarshalItem(attributes)
		if err != nil {
			return nil, l.unreadable(err)
		}
		items = append(items, item)
	}
	return items, nil
}

package dynamodb

import (
	"bytes"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/expression"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/keys"
)

func (s *Service) query(q request) (object, error) {
	if err := queryShape.constrained(q); err != nil {
		return nil, err
	}
	p, start, err := readQuery(q)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.newRead(q, p)
	if err != nil {
		return nil, err
	}
	r.backward = q.has("ScanIndexForward") && !q.boolean("ScanIndexForward")
	hash, sort, err := r.keyConditions(p.key)
	if err != nil {
		return nil, err
	}
	r.bound(hash.Values[0], sort)
	if start != nil {
		if err := r.startAfter(start, hash, sort); err != nil {
			return nil, err
		}
	}
	if err := r.checkFilter(p.filter); err != nil {
		return nil, err
	}
	result, err := s.read(r)
	if err != nil {
		return nil, err
	}
	return r.reply(q, &result), nil
}

// readQuery reads a Query's parameters as far as they need no table, in the service's order.
func readQuery(q request) (*parsed, item.Item, error) {
	if err := queryExpressions.checkStyle(q); err != nil {
		return nil, nil, err
	}
	filter, err := olderFilter(q, "QueryFilter")
	if err != nil {
		return nil, nil, err
	}
	projection, err := olderProjection(q)
	if err != nil {
		return nil, nil, err
	}
	start, err := readStartKey(q)
	if err != nil {
		return nil, nil, err
	}
	if !q.has("KeyConditions") && !q.has("KeyConditionExpression") {
		return nil, nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	p, err := parse(q)
	if err != nil {
		return nil, nil, err
	}
	if p.filter == nil {
		p.filter = filter
	}
	if p.projection == nil {
		p.projection = projection
	}
	if p.key == nil {
		if p.key, err = olderKeyConditions(q); err != nil {
			return nil, nil, err
		}
	}
	if err := checkKeyOperands(p.key); err != nil {
		return nil, nil, err
	}
	return p, start, nil
}

// checkKeyOperands checks key conditions as far as they need no table.
func checkKeyOperands(conditions []expression.KeyCondition) error {
	for _, c := range conditions {
		if err := checkOperands(string(c.Operator), c.Values); err != nil {
			return err
		}
	}
	if n := len(conditions); n != 1 && n != 2 {
		return invalid("Conditions can be of length 1 or 2 only")
	}
	return nil
}

func readStartKey(q request) (item.Item, error) {
	if !q.has("ExclusiveStartKey") {
		return nil, nil
	}
	start, err := item.ItemFromJSON(q.object("ExclusiveStartKey"))
	if err != nil {
		return nil, invalid("The provided starting key is invalid: %s", err)
	}
	return start, nil
}

// newRead finds what a Query or Scan reads and what it returns.
func (s *Service) newRead(q request, p *parsed) (*read, error) {
	t, err := s.table(q.str("TableName"))
	if err != nil {
		return nil, err
	}
	r := &read{table: t, limit: q.integer("Limit"), consistent: q.boolean("ConsistentRead"), filter: p.filter, projection: p.projection}
	if name := q.str("IndexName"); q.has("IndexName") {
		if r.index = t.index(name); r.index == nil {
			return nil, invalid("The table does not have the specified index: %s", name)
		}
		if r.index.Global && r.consistent {
			return nil, invalid("Consistent reads are not supported on global secondary indexes")
		}
	}
	return r, r.choose(q, p)
}

// choose applies Select.
func (r *read) choose(q request, p *parsed) error {
	what := q.str("Select")
	asked := "AttributesToGet"
	if q.has("ProjectionExpression") {
		asked = "ProjectionExpression"
	}
	switch {
	case p.projection != nil && what != "" && what != "SPECIFIC_ATTRIBUTES":
		return invalid("Cannot specify the %s when choosing to get %s", asked, what)
	case p.projection == nil && what == "SPECIFIC_ATTRIBUTES":
		return invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case what == "ALL_PROJECTED_ATTRIBUTES" && r.index == nil:
		return invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	}
	r.countOnly = what == "COUNT"
	if r.index == nil || r.index.Projection == projectAll {
		return nil
	}
	if what == "ALL_ATTRIBUTES" {
		if r.index.Global {
			return invalidParameter("Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", r.index.Name)
		}
		r.whole = true
	}
	if p.projection != nil {
		return r.chooseUnprojected(p.projection)
	}
	return nil
}

// chooseUnprojected deals with attributes that the index does not hold: a local index fetches them from the table.
func (r *read) chooseUnprojected(p *expression.Projection) error {
	var missing []string
	for _, path := range p.Paths() {
		if !r.table.projects(r.index, path[0].Name) {
			missing = append(missing, path[0].Name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if r.index.Global {
		return invalidParameter("Global secondary index %s does not project %s", r.index.Name, list(missing))
	}
	r.whole = true
	return nil
}

// keyConditions tells the conditions on partition key and sort key apart; the latter is nil when there is none.
func (r *read) keyConditions(conditions []expression.KeyCondition) (hash, sort *expression.KeyCondition, err error) {
	key := r.key()
	for i := range conditions {
		switch c := &conditions[i]; c.Name {
		case key.Hash:
			hash = c
		case key.Range:
			sort = c
		}
	}
	if hash == nil {
		return nil, nil, invalid("Query condition missed key schema element: %s", key.Hash)
	}
	if len(conditions) == 2 && sort == nil {
		if key.Range == "" {
			return nil, nil, invalid("Query key condition not supported")
		}
		return nil, nil, invalid("Query condition missed key schema element: %s", key.Range)
	}
	if hash.Operator != expression.KeyEqual {
		return nil, nil, invalid("Query key condition not supported")
	}
	for _, c := range []*expression.KeyCondition{hash, sort} {
		if err := r.checkKeyCondition(c); err != nil {
			return nil, nil, err
		}
	}
	return hash, sort, nil
}

func (r *read) checkKeyCondition(c *expression.KeyCondition) error {
	if c == nil {
		return nil
	}
	switch c.Operator {
	case expression.KeyEqual, expression.KeyLess, expression.KeyLessEqual, expression.KeyGreater, expression.KeyGreaterEqual,
		expression.KeyBetween, expression.KeyBeginsWith:
	default:
		return invalid("Attempted conditional constraint is not an indexable operation")
	}
	for _, v := range c.Values {
		if v.Kind != r.table.kind(c.Name) {
			return invalidParameter("Condition parameter type does not match schema type")
		}
		if c.Operator == expression.KeyBeginsWith {
			continue // every string begins with the empty one
		}
		if err := emptyKey(v, "One or more parameter values are not valid. ", " Key: "+c.Name); err != nil {
			return err
		}
	}
	return nil
}

// startAfter checks a Query's ExclusiveStartKey and begins the read behind it.
func (r *read) startAfter(start item.Item, hash, sort *expression.KeyCondition) error {
	if err := r.checkStartKey(start, "The provided starting key is invalid"); err != nil {
		return err
	}
	if !item.Equal(start[hash.Name], hash.Values[0]) {
		return invalid("The provided starting key is outside query boundaries based on provided conditions")
	}
	r.after = r.position(start)
	inside := bytes.Compare(r.after, r.start) >= 0 && (r.end == nil || bytes.Compare(r.after, r.end) < 0)
	if sort != nil && !inside {
		return invalid("The provided starting key does not match the range key predicate")
	}
	return nil
}

// checkStartKey checks that a start key has exactly the key attributes of the table and the index.
func (r *read) checkStartKey(start item.Item, message string) error {
	names := r.table.Key.names()
	if r.index != nil {
		for _, n := range r.index.Key.names() {
			if !r.table.Key.has(n) {
				names = append(names, n)
			}
		}
	}
	if len(start) != len(names) {
		return invalid("%s", message)
	}
	for _, n := range names {
		v, ok := start[n]
		if !ok || v.Kind != r.table.kind(n) {
			return invalid("%s", message)
		}
		if err := emptyKey(v, "One or more parameter values are not valid. ", " Key: "+n); err != nil {
			return err
		}
	}
	return nil
}

// checkFilter checks that a Query's filter leaves the key attributes to the key condition.
func (r *read) checkFilter(filter *expression.Condition) error {
	if filter == nil {
		return nil
	}
	for _, name := range filter.TopLevel() {
		if r.key().has(name) {
			return invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", name)
		}
	}
	return nil
}

func (s *Service) scan(q request) (object, error) {
	if err := scanShape.constrained(q); err != nil {
		return nil, err
	}
	p, start, err := readScan(q)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.newRead(q, p)
	if err != nil {
		return nil, err
	}
	r.segment(q)
	if start != nil {
		if err := r.checkStartKey(start, "The provided starting key is invalid: The provided key element does not match the schema"); err != nil {
			return nil, err
		}
		if r.after = r.position(start); !r.inSegment(r.after) {
			return nil, invalid("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d",
				q.integer("TotalSegments"), q.integer("Segment"))
		}
	}
	result, err := s.read(r)
	if err != nil {
		return nil, err
	}
	return r.reply(q, &result), nil
}

// readScan reads a Scan's parameters as far as they need no table, in the service's order.
func readScan(q request) (*parsed, item.Item, error) {
	if err := scanExpressions.checkStyle(q); err != nil {
		return nil, nil, err
	}
	projection, err := olderProjection(q)
	if err != nil {
		return nil, nil, err
	}
	filter, err := olderFilter(q, "ScanFilter")
	if err != nil {
		return nil, nil, err
	}
	start, err := readStartKey(q)
	if err != nil {
		return nil, nil, err
	}
	if err := checkSegment(q); err != nil {
		return nil, nil, err
	}
	p, err := parse(q)
	if err != nil {
		return nil, nil, err
	}
	if p.filter == nil {
		p.filter = filter
	}
	if p.projection == nil {
		p.projection = projection
	}
	return p, start, nil
}

func checkSegment(q request) error {
	segment, total := q.integer("Segment"), q.integer("TotalSegments")
	switch {
	case q.has("Segment") && !q.has("TotalSegments"):
		return invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case q.has("TotalSegments") && !q.has("Segment"):
		return invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case q.has("Segment") && segment >= total:
		return invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", segment, total)
	}
	return nil
}

// segment limits a scan to its share of the hash space.
func (r *read) segment(q request) {
	if !q.has("TotalSegments") {
		return
	}
	segment, total := uint64(q.integer("Segment")), uint64(q.integer("TotalSegments"))
	r.start = keys.SegmentStart(segment, total)
	if segment+1 < total {
		r.end = keys.SegmentStart(segment+1, total)
	}
}

func (r *read) inSegment(position []byte) bool {
	return bytes.Compare(position, r.start) >= 0 && (r.end == nil || bytes.Compare(position, r.end) < 0)
}

package dynamodb

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/expression"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/keys"
)

func (s *Service) query(q request) (object, error) {
	if err := constrainedQuery(q); err != nil {
		return nil, err
	}
	p, start, err := readQuery(q)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.newRead(q, p, start)
	if err != nil {
		return nil, err
	}
	r.backward = q.has("ScanIndexForward") && !q.boolean("ScanIndexForward")
	if err := r.checkStartLength(start, startInvalid); err != nil {
		return nil, err
	}
	on, err := r.keyConditions(p.key, start)
	if err != nil {
		return nil, err
	}
	r.bound(on)
	if err := r.startAfter(start, on); err != nil {
		return nil, err
	}
	if err := r.checkFilter(q, p); err != nil {
		return nil, err
	}
	if err := r.choose(q, p); err != nil {
		return nil, err
	}
	result, err := s.read(r)
	if err != nil {
		return nil, err
	}
	return r.reply(q, &result), nil
}

// constrainedQuery checks the constraints of a Query. Of a Limit that is all that is wrong the service does not show the
// value.
func constrainedQuery(q request) error {
	var found []string
	queryShape.structViolations("", q, &found)
	if len(found) == 1 && strings.Contains(found[0], "' at 'limit' failed") {
		return broken([]string{"Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1"})
	}
	return broken(found)
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
	if n := len(p.key); n == 0 || n > 2 && !q.has("IndexName") { // keys of more than two attributes are those of indexes
		return nil, nil, invalid(keyConditionCount)
	}
	return p, start, checkSelect(q, p)
}

// checkKeyOperands checks key conditions as far as they need no table.
func checkKeyOperands(conditions []expression.KeyCondition) error {
	for _, c := range conditions {
		if err := checkOperands(string(c.Operator), c.Values); err != nil {
			return err
		}
	}
	return nil
}

const keyConditionCount = "Conditions can be of length 1 or 2 only"

func readStartKey(q request) (item.Item, error) {
	if !q.has("ExclusiveStartKey") {
		return nil, nil
	}
	start, err := item.ItemFromJSON(q.object("ExclusiveStartKey"))
	if err == nil {
		return start, nil
	}
	// The service says only of some mistakes that they are in the starting key.
	for _, what := range []string{"contains duplicates", "number set", "numeric value", "significant digits", "number with magnitude"} {
		if strings.Contains(err.Error(), what) {
			return nil, asInvalid(err)
		}
	}
	return nil, invalid("The provided starting key is invalid: %s", err)
}

// newRead finds what a Query or Scan reads.
func (s *Service) newRead(q request, p *parsed, start item.Item) (*read, error) {
	t, err := s.table(q.str("TableName"))
	if err != nil {
		return nil, err
	}
	r := &read{table: t, limit: q.integer("Limit"), consistent: q.boolean("ConsistentRead"), filter: p.filter, projection: p.projection,
		countOnly: q.str("Select") == "COUNT"}
	if !q.has("IndexName") {
		return r, nil
	}
	name := q.str("IndexName")
	r.index = t.index(name)
	switch {
	case r.index == nil && start != nil && !q.has("KeyConditions") && !q.has("KeyConditionExpression"):
		return nil, invalid(startInvalid)
	case r.index == nil:
		return nil, invalid("The table does not have the specified index: %s", name)
	case r.index.Global && r.consistent:
		return nil, invalid("Consistent reads are not supported on global secondary indexes")
	}
	return r, nil
}

// checkSelect checks Select against what else is asked for.
func checkSelect(q request, p *parsed) error {
	what := q.str("Select")
	asked := "AttributesToGet"
	if q.has("ProjectionExpression") {
		asked = "ProjectionExpression"
	}
	switch {
	case p.projection != nil && what == "COUNT":
		return invalid("Cannot specify the %s when choosing to get only the Count", asked)
	case p.projection != nil && what != "" && what != "SPECIFIC_ATTRIBUTES":
		return invalid("Cannot specify the %s when choosing to get %s", asked, what)
	case p.projection == nil && what == "SPECIFIC_ATTRIBUTES":
		return invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case what == "ALL_PROJECTED_ATTRIBUTES" && !q.has("IndexName"):
		return invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	}
	return nil
}

// choose finds out which attributes of an index's items are returned.
func (r *read) choose(q request, p *parsed) error {
	if r.index == nil || r.index.Projection == projectAll {
		return nil
	}
	if q.str("Select") == "ALL_ATTRIBUTES" {
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
	missing := r.unprojected(p.Paths())
	if len(missing) == 0 {
		return nil
	}
	if r.index.Global {
		return invalidParameter("Global secondary index %s does not project %s", r.index.Name, list(missing))
	}
	r.whole = true
	return nil
}

// keyRange are the key conditions of a Query: equalities on the whole partition key, then on the first attributes of the
// sort key, and on the one behind them any condition.
type keyRange struct{ hash, sort []expression.KeyCondition }

// keyConditions tells the conditions on partition key and sort key apart. It checks them and the key attributes in the
// start key together, one attribute after the other.
func (r *read) keyConditions(conditions []expression.KeyCondition, start item.Item) (on keyRange, err error) {
	key := r.key()
	names := key.names()
	if len(conditions) > len(names) {
		return on, tooManyConditions(len(conditions), key)
	}
	unknown := slices.ContainsFunc(conditions, func(c expression.KeyCondition) bool { return !key.has(c.Name) })
	for i, name := range names {
		if err := r.checkStartPiece(start, name, startInvalid); err != nil {
			return on, err
		}
		c, isHash := conditionOn(conditions, name), i < len(key.Hash)
		if c == nil && (isHash || unknown) {
			return on, invalid("Query condition missed key schema element: %s", name)
		}
		if c != nil {
			if err := r.checkKeyCondition(c, isHash); err != nil {
				return on, err
			}
		}
		switch {
		case isHash:
			on.hash = append(on.hash, *c)
		case c != nil:
			on.sort = append(on.sort, *c)
		}
	}
	return on, checkSortPrefix(key.Range, conditions)
}

// tooManyConditions is the error of more conditions than the key has attributes. The service has other words for the keys
// of several attributes than for those that it always had.
func tooManyConditions(n int, key keySchema) error {
	switch {
	case len(key.Hash) > 1 || len(key.Range) > 1:
		return invalid("The number of query conditions (%d) exceeds the number of key attributes defined in the schema (%d)", n, len(key.names()))
	case n > 2:
		return invalid(keyConditionCount)
	}
	return invalid("Query key condition not supported")
}

// conditionOn is the condition on a key attribute, nil when there is none.
func conditionOn(conditions []expression.KeyCondition, name string) *expression.KeyCondition {
	for i := range conditions {
		if conditions[i].Name == name {
			return &conditions[i]
		}
	}
	return nil
}

// checkSortPrefix checks that the conditions on a sort key of several attributes leave none out, and that all but the
// last are equalities.
func checkSortPrefix(names keyNames, conditions []expression.KeyCondition) error {
	var open []string
	for _, name := range names {
		c := conditionOn(conditions, name)
		if c != nil && len(open) > 0 {
			return invalid("RANGE key attributes %s must have equality conditions specified in the query because a condition is present on key attribute %s",
				strings.Join(open, ", "), name)
		}
		if c == nil || c.Operator != expression.KeyEqual {
			open = append(open, name)
		}
	}
	return nil
}

func (r *read) checkKeyCondition(c *expression.KeyCondition, isHash bool) error {
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
	}
	if isHash && c.Operator != expression.KeyEqual {
		return invalid("Query key condition not supported")
	}
	for _, v := range c.Values {
		if c.Operator == expression.KeyBeginsWith {
			continue // every string begins with the empty one
		}
		if err := emptyKey(v, "One or more parameter values are not valid. ", " Key: "+c.Name); err != nil {
			return err
		}
	}
	return nil
}

const (
	startInvalid     = "The provided starting key is invalid"
	keyDoesNotMatch  = "The provided key element does not match the schema"
	startOutside     = "The provided starting key is outside query boundaries based on provided conditions"
	startNoPredicate = "The provided starting key does not match the range key predicate"
)

// startNames are the attributes of a start key: the keys of the table and of the index.
func (r *read) startNames() []string {
	names := r.table.Key.names()
	if r.index == nil {
		return names
	}
	for _, n := range r.index.Key.names() {
		if !r.table.Key.has(n) {
			names = append(names, n)
		}
	}
	return names
}

func (r *read) checkStartLength(start item.Item, message string) error {
	if start != nil && len(start) != len(r.startNames()) {
		return invalid("%s", message)
	}
	return nil
}

// checkStartPiece checks one key attribute in a start key.
func (r *read) checkStartPiece(start item.Item, name, missing string) error {
	if start == nil {
		return nil
	}
	v, ok := start[name]
	switch {
	case !ok:
		return invalid("%s", missing)
	case v.Kind != r.table.kind(name):
		return invalid(keyDoesNotMatch)
	}
	return emptyKey(v, "One or more parameter values are not valid. ", " Key: "+name)
}

// checkStartKey checks the table's own key in a start key.
func (r *read) checkStartKey(start item.Item) error {
	k := item.Item{}
	for _, name := range r.table.Key.names() {
		if v, ok := start[name]; ok {
			k[name] = v
		}
	}
	if _, err := r.table.key(k); err != nil {
		if e, ok := errors.AsType[*awsjson.Error](err); ok {
			return invalid("%s: %s", startInvalid, e.Message)
		}
		return err
	}
	return nil
}

// startAfter checks a Query's ExclusiveStartKey, if there is one, and begins the read behind it.
func (r *read) startAfter(start item.Item, on keyRange) error {
	if start == nil {
		return nil
	}
	if err := r.checkStartKey(start); err != nil {
		return err
	}
	r.after = r.position(start)
	if r.covers(r.after) {
		return nil
	}
	elsewhere := keyRange{sort: on.sort}
	sameHash := true
	for _, c := range on.hash {
		sameHash = sameHash && item.Equal(start[c.Name], c.Values[0])
		elsewhere.hash = append(elsewhere.hash, expression.KeyCondition{Name: c.Name, Operator: c.Operator, Values: []item.Value{start[c.Name]}})
	}
	if len(on.sort) == 0 {
		return invalid(startOutside)
	}
	inside := read{table: r.table, index: r.index}
	inside.bound(elsewhere)
	if sameHash || !inside.covers(r.after) {
		return invalid(startNoPredicate)
	}
	return invalid("The query can return at most one row and cannot be restarted")
}

// covers says whether a stored key is in the range.
func (r *read) covers(position []byte) bool {
	return bytes.Compare(position, r.start) >= 0 && (r.end == nil || bytes.Compare(position, r.end) < 0)
}

// checkFilter checks that a Query's filter leaves the key attributes to the key condition, and that no path leads into
// a key attribute.
func (r *read) checkFilter(q request, p *parsed) error {
	if err := r.table.checkScalars(selected(p.projection)); err != nil {
		return err
	}
	name := "Filter Expression"
	if q.has("QueryFilter") {
		name = "QueryFilter"
	}
	for _, key := range r.key().names() {
		for _, path := range pathsOf(p.filter) {
			if path[0].Name == key {
				return invalid("%s can only contain non-primary key attributes: Primary key attribute: %s", name, key)
			}
		}
	}
	if err := r.table.checkScalars(pathsOf(p.filter)); err != nil {
		return err
	}
	if missing := r.unprojected(pathsOf(p.filter)); len(missing) > 0 {
		slices.Sort(missing)
		return invalidParameter("Secondary index %s does not project one or more filter attributes: %s", r.index.Name, list(missing))
	}
	return nil
}

// unprojected are the attributes on the paths that the index read does not hold.
func (r *read) unprojected(paths []expression.Path) []string {
	var missing []string
	for _, path := range paths {
		if name := path[0].Name; r.index != nil && !r.table.projects(r.index, name) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing
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
	r, err := s.newRead(q, p, start)
	if err != nil {
		return nil, err
	}
	if err := r.scanAfter(q, p, start); err != nil {
		return nil, err
	}
	for _, paths := range [][]expression.Path{selected(p.projection), pathsOf(p.filter)} {
		if err := r.table.checkScalars(paths); err != nil {
			return nil, err
		}
	}
	result, err := s.read(r)
	if err != nil {
		return nil, err
	}
	return r.reply(q, &result), nil
}

// scanAfter checks a Scan's ExclusiveStartKey, if there is one, chooses the attributes, and sets the range.
func (r *read) scanAfter(q request, p *parsed, start item.Item) error {
	message := startInvalid
	if r.index == nil {
		message += ": " + keyDoesNotMatch
	}
	if err := r.checkStartLength(start, message); err != nil {
		return err
	}
	if r.index != nil {
		for _, name := range r.index.Key.names() {
			if err := r.checkStartPiece(start, name, startInvalid); err != nil {
				return err
			}
		}
	}
	if err := r.choose(q, p); err != nil {
		return err
	}
	r.segment(q)
	if start == nil {
		return nil
	}
	if err := r.checkStartKey(start); err != nil {
		return err
	}
	if r.after = r.position(start); !r.covers(r.after) {
		return invalid("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d",
			q.integer("TotalSegments"), q.integer("Segment"))
	}
	return nil
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
	return p, start, checkSelect(q, p)
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

package dynamodb

import (
	"slices"
	"strings"
)

// PutItem, UpdateItem and DeleteItem run the service's newer code, which words in its own way what is wrong with a request.
// It leaves to the older code the requests that lack a required member or that are nested deeper than it reads.

// The newer code does not say where these enumerations are broken, and names their values in another order, some of them
// wrong.
const (
	newerReturnValues = "Failed to satisfy constraint: Member must satisfy enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"
	newerOperator     = "Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]"
)

// constrainedWrite checks the constraints of a write of one item.
func constrainedWrite(s *shape, r request) error {
	var found []string
	s.structViolations("", r, &found)
	if len(found) == 0 {
		return nil
	}
	missing := slices.ContainsFunc(s.fields, func(f field) bool { return f.required && !r.has(f.name) })
	if missing || tooDeep(r) {
		return broken(found)
	}
	if r.str("TableName") == "" {
		return broken([]string{"Value at 'TableName' failed to satisfy constraint: Member must have length greater than or equal to 1"})
	}
	for i, f := range found {
		switch {
		case strings.Contains(f, "' at 'returnValues' failed") && s == updateItemShape:
			return broken([]string{newerReturnValues})
		case strings.Contains(f, "' at 'returnValues' failed"):
			found[i] = newerReturnValues
		case strings.Contains(f, "' at 'conditionalOperator' failed") && len(r.object("Expected")) > 1:
			found[i] = newerOperator
		}
	}
	return broken(found)
}

// refusedWrite is the error of the content of a write of one item.
func refusedWrite(r request, err error) error {
	if tooDeep(r) {
		return inOlderWords(err)
	}
	return enveloped(err)
}

// maxNewerDepth is how many JSON objects and arrays stand one inside the other in what the newer code reads.
const maxNewerDepth = 128

func tooDeep(r request) bool { return deeper(map[string]any(r), maxNewerDepth) }

func deeper(v any, levels int) bool {
	inner := func(e any) bool { return deeper(e, levels-1) }
	switch v := v.(type) {
	case map[string]any:
		if levels == 0 {
			return true
		}
		for _, e := range v {
			if inner(e) {
				return true
			}
		}
	case []any:
		return levels == 0 || slices.ContainsFunc(v, inner)
	}
	return false
}

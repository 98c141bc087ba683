package dynamodb

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// maxCursor bounds the text of a cursor in bytes: keys have at most 2048 + 1024
// bytes on the table and as many on the index.
const maxCursor = 16 << 10

// cursors turns the key at which a reading stopped into text and back. The text
// is opaque but not secret, and it is not signed: who changes it can move the
// start within what the reading covers, not beyond.
type cursors struct {
	// origin tells cursors of one table and index from those of another.
	origin string
	key    []KeyAttribute
}

// newCursors is for a table, or for an index of it, whose cursors hold the keys
// of both.
func newCursors(resource string, t *Table, x *Index) cursors {
	c := cursors{key: slices.Clone(t.Key.Attributes)}
	index := ""
	if x != nil {
		index = x.Name
		for _, a := range x.Key.Attributes {
			if !t.Key.has(a.Name) {
				c.key = append(c.key, a)
			}
		}
	}
	h := fnv.New32a()
	fmt.Fprintf(h, "%q %q %q", resource, index, c.key)
	c.origin = fmt.Sprintf("%08x", h.Sum32())
	return c
}

// at is the position behind an item.
func (c cursors) at(item map[string]types.AttributeValue) (map[string]types.AttributeValue, error) {
	key := make(map[string]types.AttributeValue, len(c.key))
	for _, a := range c.key {
		v, ok := item[a.Name]
		if !ok {
			return nil, cannot("an item came without its key attribute %s", a.Name)
		}
		key[a.Name] = v
	}
	return key, nil
}

// text is the cursor for a position.
func (c cursors) text(key map[string]types.AttributeValue) (string, error) {
	parts := []string{c.origin}
	for _, a := range c.key {
		v, ok := key[a.Name]
		if !ok || len(key) != len(c.key) {
			return "", cannot("the service gave a position that is not a key of the table")
		}
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			parts = append(parts, v.Value)
		case *types.AttributeValueMemberN:
			parts = append(parts, v.Value)
		case *types.AttributeValueMemberB:
			parts = append(parts, base64.StdEncoding.EncodeToString(v.Value))
		default:
			return "", cannot("the service gave a position that is not a key of the table")
		}
	}
	data, err := json.Marshal(parts)
	return base64.RawURLEncoding.EncodeToString(data), err
}

// parse reads a cursor, which may come from anybody.
func (c cursors) parse(text string) (map[string]types.AttributeValue, error) {
	invalid := cannot("this is not a cursor that this node gave; start from the beginning")
	if len(text) > maxCursor {
		return nil, invalid
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, invalid
	}
	var parts []string
	if json.Unmarshal(data, &parts) != nil || len(parts) != len(c.key)+1 || parts[0] != c.origin {
		return nil, invalid
	}
	key := make(map[string]types.AttributeValue, len(c.key))
	for i, a := range c.key {
		v, ok := keyValue(a.Type, parts[i+1])
		if !ok {
			return nil, invalid
		}
		key[a.Name] = v
	}
	return key, nil
}

func keyValue(kind, text string) (types.AttributeValue, bool) {
	switch kind {
	case "S":
		return &types.AttributeValueMemberS{Value: text}, text != "" && utf8.ValidString(text)
	case "N":
		n, err := checkNumber(text)
		return &types.AttributeValueMemberN{Value: n}, err == nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	return &types.AttributeValueMemberB{Value: b}, err == nil && len(b) > 0
}

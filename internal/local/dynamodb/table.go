package dynamodb

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/keys"
)

// keySchema names the key attributes of a table or index in the order in which they sort. A table and a local index have
// one partition key and at most one sort key; a global index may have several attributes of both.
type keySchema struct {
	Hash  keyNames
	Range keyNames `json:",omitempty"`
}

// keyNames are the attributes of a partition key or of a sort key.
type keyNames []string

// UnmarshalJSON reads a single name too, the form in which definitions were stored before keys could have several.
func (n *keyNames) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*n = keyNames{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(n))
}

func (k keySchema) names() []string { return slices.Concat(k.Hash, k.Range) }

func (k keySchema) has(name string) bool {
	return slices.Contains(k.Hash, name) || slices.Contains(k.Range, name)
}

// size is how many bytes the values of these attributes have together.
func (n keyNames) size(i item.Item) int {
	size := 0
	for _, name := range n {
		if v, ok := i[name]; ok {
			size += v.Size()
		}
	}
	return size
}

// The kinds of projection of an index.
const (
	projectAll     = "ALL"
	projectKeys    = "KEYS_ONLY"
	projectInclude = "INCLUDE"
)

// index is a secondary index. It stores references to the items; what it projects is cut out when it is read.
type index struct {
	Name       string
	Global     bool
	Key        keySchema
	Projection string
	NonKey     []string    `json:",omitempty"`
	Throughput throughput  `json:",omitzero"`
	OnDemand   *throughput `json:",omitempty"`
	Warm       *throughput `json:",omitempty"`
}

// throughput are provisioned capacity units.
type throughput struct {
	Read, Write int64
	// The history of changes, which DescribeTable shows.
	Decreases        int64     `json:",omitempty"`
	LastIncreaseTime time.Time `json:",omitzero"`
	LastDecreaseTime time.Time `json:",omitzero"`
}

// attributeDefinition is a key attribute of a table or one of its indexes with its type: S, N or B.
type attributeDefinition struct{ Name, Type string }

// timeToLive is the table's TTL setting; Attribute is "" when it was never set.
type timeToLive struct {
	Enabled   bool
	Attribute string
}

// table is a table's definition. It is immutable: a change makes a new one.
type table struct {
	Name, ID    string
	Created     time.Time
	Key         keySchema
	Attributes  []attributeDefinition
	Indexes     []index           `json:",omitempty"`
	BillingMode string            // PROVISIONED or PAY_PER_REQUEST
	BillingSet  time.Time         `json:",omitzero"` // when the table became PAY_PER_REQUEST
	Throughput  throughput        `json:",omitzero"`
	OnDemand    *throughput       `json:",omitempty"`
	Warm        *throughput       `json:",omitempty"`
	Class       string            `json:",omitempty"`
	ClassSet    time.Time         `json:",omitzero"` // when an update changed the class
	Stream      stream            `json:",omitzero"`
	Encrypted   bool              `json:",omitempty"`
	KeyID       string            `json:",omitempty"`
	Protected   bool              `json:",omitempty"`
	TTL         timeToLive        `json:",omitzero"`
	Tags        map[string]string `json:",omitempty"`

	bucket []byte
}

// The buckets in the store. Each table has a bucket of its own, and in it one for the items, one for each index and
// one that orders the items with a TTL by their expiry.
var (
	tablesBucket = []byte("dynamodb.tables")
	tokensBucket = []byte("dynamodb.tokens")
	itemsBucket  = []byte("items")
	expiryBucket = []byte("expiry")
)

const (
	tableBucketPrefix = "dynamodb.table."
	indexBucketPrefix = "index."
)

func (t *table) bucketName() []byte { return []byte(tableBucketPrefix + t.ID) }

func (x *index) bucketName() []byte { return []byte(indexBucketPrefix + x.Name) }

// root is the table's bucket.
func (t *table) root(tx *bbolt.Tx) (*bbolt.Bucket, error) {
	b := tx.Bucket(t.bucket)
	if b == nil {
		return nil, fmt.Errorf("table %s has no data in the store", t.Name)
	}
	return b, nil
}

// nested is a bucket of the table that exists as long as the table does.
func nested(root *bbolt.Bucket, name []byte) (*bbolt.Bucket, error) {
	b := root.Bucket(name)
	if b == nil {
		return nil, fmt.Errorf("bucket %q is missing in the store", name)
	}
	return b, nil
}

// save writes the definition.
func (t *table) save(tx *bbolt.Tx) error {
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	b, err := tx.CreateBucketIfNotExists(tablesBucket)
	if err != nil {
		return err
	}
	return b.Put([]byte(t.Name), data)
}

func loadTable(data []byte) (*table, error) {
	t := new(table)
	if err := json.Unmarshal(data, t); err != nil {
		return nil, err
	}
	t.bucket = t.bucketName()
	return t, nil
}

func (t *table) index(name string) *index {
	for i := range t.Indexes {
		if t.Indexes[i].Name == name {
			return &t.Indexes[i]
		}
	}
	return nil
}

// kind is the defined kind of a key attribute.
func (t *table) kind(name string) item.Kind {
	for _, a := range t.Attributes {
		if a.Name == name {
			return item.ParseKind(a.Type)
		}
	}
	return 0
}

// hasLocalIndex says whether the table has item collections in the sense of ItemCollectionMetrics.
func (t *table) hasLocalIndex() bool {
	for _, x := range t.Indexes {
		if !x.Global {
			return true
		}
	}
	return false
}

// Limits of keys and items.
const (
	maxHashKey  = 2048
	maxRangeKey = 1024
	maxItemSize = 400 << 10
)

// key checks a Key parameter and gives the item's stored key.
func (t *table) key(k item.Item) ([]byte, error) {
	if !t.fits(k) || len(k) != len(t.Key.names()) {
		return nil, keyMismatch()
	}
	return t.checkedKey(k)
}

// fits says whether the table's key attributes are there and of their types.
func (t *table) fits(i item.Item) bool { return t.fitsKey(t.Key, i) }

// fitsKey says whether the attributes of a key, the table's or an index's, are there and of their types.
func (t *table) fitsKey(k keySchema, i item.Item) bool {
	for _, names := range []keyNames{k.Hash, k.Range} {
		for _, name := range names {
			if v, ok := i[name]; !ok || v.Kind != t.kind(name) {
				return false
			}
		}
	}
	return true
}

func keyMismatch() error { return invalid("The provided key element does not match the schema") }

// itemKey checks the key attributes inside a whole item and gives its stored key.
func (t *table) itemKey(i item.Item) ([]byte, error) {
	for _, name := range t.Key.names() {
		v, ok := i[name]
		if !ok {
			return nil, invalidParameter("Missing the key %s in the item", name)
		}
		if want := t.kind(name); v.Kind != want {
			return nil, invalidParameter("Type mismatch for key %s expected: %s actual: %s", name, want, v.Kind)
		}
	}
	return t.checkedKey(i)
}

// checkedKey checks the content of key attributes whose kinds are right.
func (t *table) checkedKey(i item.Item) ([]byte, error) {
	for _, name := range t.Key.names() {
		if err := emptyKey(i[name], "One or more parameter values are not valid. ", " Key: "+name); err != nil {
			return nil, err
		}
	}
	if err := t.Key.checkSize(i); err != nil {
		return nil, err
	}
	return t.storedKey(i), nil
}

// checkSize checks the size of the key attributes that the item has.
func (k keySchema) checkSize(i item.Item) error {
	if k.Hash.size(i) > maxHashKey {
		return invalidParameter("Size of hashkey has exceeded the maximum size limit of2048 bytes")
	}
	if k.Range.size(i) > maxRangeKey {
		return invalidParameter("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	return nil
}

func emptyKey(v item.Value, before, after string) error {
	if v.Str != "" || v.Kind != item.S && v.Kind != item.B {
		return nil
	}
	what := "string"
	if v.Kind == item.B {
		what = "binary"
	}
	return emptyKeyError{invalid("%sThe AttributeValue for a key attribute cannot contain an empty %s value.%s", before, what, after)}
}

// emptyKeyError is the error of a key attribute without content. Transactions give it before they look at anything else,
// where other errors of keys are the reasons of a cancellation.
type emptyKeyError struct{ error }

func (e emptyKeyError) Unwrap() error { return e.error }

// storedKey is the item's key in the items bucket. Its key attributes have been checked.
func (t *table) storedKey(i item.Item) []byte {
	return appendKey(make([]byte, 0, 64), t.Key, i)
}

func appendKey(dst []byte, k keySchema, i item.Item) []byte {
	var partition [maxKeyNames]item.Value
	for at, name := range k.Hash {
		partition[at] = i[name]
	}
	dst = keys.AppendPartition(dst, partition[:len(k.Hash)]...)
	for _, name := range k.Range {
		dst = keys.Append(dst, i[name])
	}
	return dst
}

// keyOf cuts the key attributes out of an item.
func (t *table) keyOf(i item.Item) item.Item {
	k := make(item.Item, 2)
	for _, name := range t.Key.names() {
		k[name] = i[name]
	}
	return k
}

// collection is the part of the key that all items of an item collection share.
func (t *table) collection(i item.Item) item.Item {
	name := t.Key.Hash[0]
	return item.Item{name: i[name]}
}

// contains says whether the item has all of the index's key attributes, so that it is in the index. One that was there
// before the index may have them of another type, and is not in it then.
func (t *table) contains(x *index, i item.Item) bool { return t.fitsKey(x.Key, i) }

// entry is the key of the item's entry in the index, nil when the item is not in it; base is the item's stored key.
func (t *table) entry(x *index, i item.Item, base []byte) []byte {
	if i == nil || !t.contains(x, i) {
		return nil
	}
	return append(appendKey(make([]byte, 0, 96), x.Key, i), base...)
}

// project cuts out what the index holds of an item.
func (t *table) project(x *index, i item.Item) item.Item {
	if x == nil || x.Projection == projectAll {
		return i
	}
	out := make(item.Item, 4+len(x.NonKey))
	for _, names := range [][]string{t.Key.names(), x.Key.names(), x.NonKey} {
		for _, name := range names {
			if v, ok := i[name]; ok {
				out[name] = v
			}
		}
	}
	return out
}

// projects says whether the index holds the attribute.
func (t *table) projects(x *index, name string) bool {
	if x.Projection == projectAll || t.Key.has(name) || x.Key.has(name) {
		return true
	}
	for _, n := range x.NonKey {
		if n == name {
			return true
		}
	}
	return false
}

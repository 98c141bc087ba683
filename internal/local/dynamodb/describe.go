package dynamodb

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// contents are counts and sizes of what a table and its indexes hold.
type contents struct {
	items, size int64
	indexes     map[string]contents
}

// contents counts what is there now; the real service brings its figures up to date every six hours.
func (s *Service) contents(t *table) (contents, error) {
	var c contents
	err := s.store.View(func(tx *bbolt.Tx) error {
		root, err := t.root(tx)
		if err != nil {
			return err
		}
		items, err := nested(root, itemsBucket)
		if err != nil {
			return err
		}
		c = contents{indexes: make(map[string]contents, len(t.Indexes))}
		if err := items.ForEach(func(_, record []byte) error {
			size, n := binary.Uvarint(record)
			if n <= 0 {
				return fmt.Errorf("table %s: %w", t.Name, errDamagedItem)
			}
			c.items++
			c.size += int64(size)
			return nil
		}); err != nil {
			return err
		}
		return t.countIndexes(root, items, c.indexes)
	})
	return c, err
}

func (t *table) countIndexes(root, items *bbolt.Bucket, counted map[string]contents) error {
	for i := range t.Indexes {
		x := &t.Indexes[i]
		b, err := nested(root, x.bucketName())
		if err != nil {
			return err
		}
		var c contents
		if err := b.ForEach(func(_, base []byte) error {
			size, err := t.projectedSize(x, items.Get(base))
			c.items++
			c.size += int64(size)
			return err
		}); err != nil {
			return err
		}
		counted[x.Name] = c
	}
	return nil
}

// projectedSize is the size of what the index holds of a record; it looks inside only where it must.
func (t *table) projectedSize(x *index, record []byte) (int, error) {
	if x.Projection == projectAll {
		size, n := binary.Uvarint(record)
		if n <= 0 {
			return 0, errDamagedItem
		}
		return int(size), nil
	}
	i, _, err := decodeRecord(record)
	if err != nil {
		return 0, err
	}
	return t.project(x, i).Size(), nil
}

// describe is the TableDescription of an active table.
func (s *Service) describe(t *table, c contents) object {
	d := object{
		"TableName": t.Name, "TableArn": s.arn(t), "TableId": t.ID, "TableStatus": "ACTIVE", "CreationDateTime": t.Created,
		"AttributeDefinitions": describeAttributes(t.Attributes), "KeySchema": describeKey(t.Key),
		"ItemCount": c.items, "TableSizeBytes": c.size, "DeletionProtectionEnabled": t.Protected,
		"ProvisionedThroughput": describeThroughput(t.Throughput),
		"WarmThroughput":        describeWarm(warmth(t.Warm, t.BillingMode, t.Throughput)),
	}
	if !t.BillingSet.IsZero() {
		d["BillingModeSummary"] = object{"BillingMode": t.BillingMode, "LastUpdateToPayPerRequestDateTime": t.BillingSet}
	}
	d.set("TableClassSummary", describeClass(t))
	if t.Encrypted {
		d["SSEDescription"] = s.describeEncryption(t, "ENABLED")
	}
	d.set("OnDemandThroughput", describeOnDemand(t.OnDemand))
	s.describeStream(d, t)
	s.describeIndexes(d, t, c)
	return d
}

func describeClass(t *table) object {
	if t.Class == "" {
		return nil
	}
	o := object{"TableClass": t.Class}
	setTime(o, "LastUpdateDateTime", t.ClassSet)
	return o
}

func (s *Service) describeIndexes(d object, t *table, c contents) {
	var local, global []object
	for i := range t.Indexes {
		x := &t.Indexes[i]
		o := object{
			"IndexName": x.Name, "IndexArn": s.arn(t) + "/index/" + x.Name, "KeySchema": describeKey(x.Key),
			"Projection": describeProjection(x), "ItemCount": c.indexes[x.Name].items, "IndexSizeBytes": c.indexes[x.Name].size,
		}
		if !x.Global {
			local = append(local, o)
			continue
		}
		o["IndexStatus"] = "ACTIVE"
		o["ProvisionedThroughput"] = describeThroughput(x.Throughput)
		o["WarmThroughput"] = describeWarm(warmth(x.Warm, t.BillingMode, x.Throughput))
		o.set("OnDemandThroughput", describeOnDemand(x.OnDemand))
		global = append(global, o)
	}
	if local != nil {
		d["LocalSecondaryIndexes"] = local
	}
	if global != nil {
		d["GlobalSecondaryIndexes"] = global
	}
}

// describeAttributes describes the definitions in the order of their names, as the service does whatever the order they
// were given in.
func describeAttributes(attributes []attributeDefinition) []object {
	sorted := slices.SortedFunc(slices.Values(attributes), func(a, b attributeDefinition) int { return strings.Compare(a.Name, b.Name) })
	out := make([]object, len(sorted))
	for i, a := range sorted {
		out[i] = object{"AttributeName": a.Name, "AttributeType": a.Type}
	}
	return out
}

func describeKey(k keySchema) []object {
	var out []object
	for _, name := range k.Hash {
		out = append(out, object{"AttributeName": name, "KeyType": "HASH"})
	}
	for _, name := range k.Range {
		out = append(out, object{"AttributeName": name, "KeyType": "RANGE"})
	}
	return out
}

func describeProjection(x *index) object {
	p := object{"ProjectionType": x.Projection}
	if len(x.NonKey) > 0 {
		p["NonKeyAttributes"] = slices.Sorted(slices.Values(x.NonKey))
	}
	return p
}

func setTime(o object, name string, t time.Time) {
	if !t.IsZero() {
		o[name] = t
	}
}

package dynamodb

import (
	"bytes"
	"slices"

	"go.etcd.io/bbolt"
)

// tableChange is an UpdateTable under way: the definition it makes, and the indexes that come and go.
type tableChange struct {
	was     *table
	table   *table
	created *index
	deleted *index
}

func (s *Service) updateTable(r request) (object, error) {
	if err := updateTableShape.checkTableRequest(r); err != nil {
		return nil, err
	}
	if err := checkUpdateTable(r); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tables[r.str("TableName")]
	if !ok {
		return nil, namedTableNotFound(r.str("TableName"))
	}
	c, err := s.changeTable(t, r)
	if err != nil {
		return nil, err
	}
	counted, err := s.contents(t)
	if err != nil {
		return nil, err
	}
	if err := s.store.Update(c.carryOut); err != nil {
		return nil, err
	}
	s.tables[t.Name] = c.table
	return object{"TableDescription": c.describe(s, counted)}, nil
}

// replaceTable saves a changed definition; the caller holds mu.
func (s *Service) replaceTable(t *table) error {
	if err := s.store.Update(t.save); err != nil {
		return err
	}
	s.tables[t.Name] = t
	return nil
}

// checkUpdateTable checks what needs no table.
func checkUpdateTable(r request) error {
	if err := refuseUnsupported(r); err != nil {
		return err
	}
	changes := []string{"BillingMode", "ProvisionedThroughput", "GlobalSecondaryIndexUpdates", "StreamSpecification", "SSESpecification",
		"TableClass", "DeletionProtectionEnabled", "OnDemandThroughput", "WarmThroughput"}
	if len(present(r, changes)) == 0 || r.has("GlobalSecondaryIndexUpdates") && len(r.list("GlobalSecondaryIndexUpdates")) == 0 {
		return invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	}
	if r.has("ProvisionedThroughput") {
		if err := checkThroughput(r, r.str("BillingMode"), ""); err != nil {
			return err
		}
	}
	return checkIndexUpdates(r.objects("GlobalSecondaryIndexUpdates"))
}

func checkIndexUpdates(updates []request) error {
	seen := map[string]bool{}
	structural := 0
	for _, u := range updates {
		kinds := present(u, []string{"Create", "Update", "Delete"})
		if len(kinds) != 1 {
			return invalidParameter("One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null")
		}
		name := u.object(kinds[0]).str("IndexName")
		if seen[name] {
			return invalidParameter("Only one global secondary index update per index is allowed simultaneously. Index: %s", name)
		}
		seen[name] = true
		if kinds[0] != "Update" {
			structural++
		}
		if err := checkUnits(u.object(kinds[0]), name); err != nil {
			return err
		}
	}
	if structural > 1 {
		return failure("LimitExceededException", "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
	}
	return nil
}

func (s *Service) changeTable(t *table, r request) (*tableChange, error) {
	changed := *t
	changed.Indexes = slices.Clone(t.Indexes)
	c := &tableChange{was: t, table: &changed}
	if err := s.changeBilling(&changed, r); err != nil {
		return nil, err
	}
	if r.has("TableClass") {
		changed.Class = r.str("TableClass")
	}
	if r.has("DeletionProtectionEnabled") {
		changed.Protected = r.boolean("DeletionProtectionEnabled")
	}
	changed.readEncryption(r)
	if u := readUnits(r.object("OnDemandThroughput"), "MaxReadRequestUnits", "MaxWriteRequestUnits"); u != nil {
		changed.OnDemand = u
	}
	if u := readUnits(r.object("WarmThroughput"), "ReadUnitsPerSecond", "WriteUnitsPerSecond"); u != nil {
		changed.Warm = u
	}
	for _, u := range r.objects("GlobalSecondaryIndexUpdates") {
		if err := s.changeIndex(c, r, u); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (s *Service) changeBilling(t *table, r request) error {
	mode := r.str("BillingMode")
	switch {
	case mode == "PROVISIONED" && !r.has("ProvisionedThroughput") && t.BillingMode != "PROVISIONED":
		return invalidParameter("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
	case mode == "" && t.BillingMode == "PAY_PER_REQUEST" && r.has("ProvisionedThroughput"):
		return invalidParameter("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	}
	if mode != "" && mode != t.BillingMode {
		t.BillingMode = mode
		if mode == "PAY_PER_REQUEST" {
			t.BillingSet = s.clock.Now().UTC()
			t.Throughput = throughput{}
			for i := range t.Indexes {
				t.Indexes[i].Throughput = throughput{}
			}
		}
	}
	if !r.has("ProvisionedThroughput") {
		return nil
	}
	want := readThroughput(r)
	if want.Read == t.Throughput.Read && want.Write == t.Throughput.Write {
		return invalid("The provisioned throughput for the table will not change. The requested value equals the current value. "+
			"Current ReadCapacityUnits provisioned for the table: %d. Requested ReadCapacityUnits: %d. "+
			"Current WriteCapacityUnits provisioned for the table: %d. Requested WriteCapacityUnits: %d. "+
			"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
			t.Throughput.Read, want.Read, t.Throughput.Write, want.Write)
	}
	t.Throughput = s.changedThroughput(t.Throughput, want)
	return nil
}

// changedThroughput keeps the history of changes.
func (s *Service) changedThroughput(was, want throughput) throughput {
	now := s.clock.Now().UTC()
	want.Decreases, want.LastIncreaseTime, want.LastDecreaseTime = was.Decreases, was.LastIncreaseTime, was.LastDecreaseTime
	if want.Read > was.Read || want.Write > was.Write {
		want.LastIncreaseTime = now
	}
	if want.Read < was.Read || want.Write < was.Write {
		want.LastDecreaseTime = now
		want.Decreases++
	}
	return want
}

func (s *Service) changeIndex(c *tableChange, r, u request) error {
	switch {
	case u.has("Create"):
		return c.createIndex(r, u.object("Create"))
	case u.has("Delete"):
		return c.deleteIndex(u.object("Delete").str("IndexName"))
	}
	spec := u.object("Update")
	x := c.table.index(spec.str("IndexName"))
	if x == nil || !x.Global {
		return tableNotFound()
	}
	if spec.has("ProvisionedThroughput") {
		if err := checkThroughput(spec, c.table.BillingMode, x.Name); err != nil {
			return err
		}
		want := readThroughput(spec)
		if want.Read == x.Throughput.Read && want.Write == x.Throughput.Write {
			return invalid("The provisioned throughput for the index %s will not change. The requested value equals the current value. "+
				"Current ReadCapacityUnits provisioned for the index: %d. Requested ReadCapacityUnits: %d. "+
				"Current WriteCapacityUnits provisioned for the index: %d. Requested WriteCapacityUnits: %d. "+
				"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
				x.Name, x.Throughput.Read, want.Read, x.Throughput.Write, want.Write)
		}
		x.Throughput = s.changedThroughput(x.Throughput, want)
	}
	if n := readUnits(spec.object("OnDemandThroughput"), "MaxReadRequestUnits", "MaxWriteRequestUnits"); n != nil {
		x.OnDemand = n
	}
	if n := readUnits(spec.object("WarmThroughput"), "ReadUnitsPerSecond", "WriteUnitsPerSecond"); n != nil {
		x.Warm = n
	}
	return nil
}

func (c *tableChange) createIndex(r, spec request) error {
	t := c.table
	name := spec.str("IndexName")
	if t.index(name) != nil {
		return invalid("Attempting to create an index which already exists")
	}
	if err := checkThroughput(spec, t.BillingMode, name); err != nil {
		return err
	}
	d := definition{attributes: slices.Clone(t.Attributes), key: t.Key, indexes: slices.Clone(t.Indexes)}
	for _, a := range readAttributes(r) {
		i := slices.IndexFunc(d.attributes, func(b attributeDefinition) bool { return b.Name == a.Name })
		switch {
		case i < 0:
			d.attributes = append(d.attributes, a)
		case d.attributes[i].Type != a.Type:
			return invalidParameter("Attributes cannot be redefined. Please check that your attribute has the same type as previously defined. Existing schema: %s:%s New schema: %s:%s",
				a.Name, d.attributes[i].Type, a.Name, a.Type)
		}
	}
	if err := d.readGlobalIndex(spec); err != nil {
		return err
	}
	if err := d.checkUse(); err != nil {
		return err
	}
	global := 0
	for _, x := range d.indexes {
		if x.Global {
			global++
		}
	}
	if global > maxGlobalIndexes {
		return invalidParameter("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	t.Attributes, t.Indexes = d.attributes, d.indexes
	c.created = t.index(name)
	return nil
}

func (c *tableChange) deleteIndex(name string) error {
	t := c.table
	x := t.index(name)
	if x == nil || !x.Global {
		return tableNotFound()
	}
	gone := *x
	c.deleted = &gone
	t.Indexes = slices.DeleteFunc(t.Indexes, func(o index) bool { return o.Name == name })
	t.Attributes = slices.DeleteFunc(slices.Clone(t.Attributes), func(a attributeDefinition) bool {
		return !t.Key.has(a.Name) && !slices.ContainsFunc(t.Indexes, func(o index) bool { return o.Key.has(a.Name) })
	})
	return nil
}

// carryOut changes the store: it drops the bucket of a deleted index, and fills that of a new one.
func (c *tableChange) carryOut(tx *bbolt.Tx) error {
	root, err := c.table.root(tx)
	if err != nil {
		return err
	}
	if c.deleted != nil {
		if err := root.DeleteBucket(c.deleted.bucketName()); err != nil {
			return err
		}
	}
	if c.created != nil {
		if err := c.table.fill(root, c.created); err != nil {
			return err
		}
	}
	return c.table.save(tx)
}

// fill makes the entries of a new index. Items whose attributes do not fit its key are left out, as in the service.
func (t *table) fill(root *bbolt.Bucket, x *index) error {
	b, err := root.CreateBucket(x.bucketName())
	if err != nil {
		return err
	}
	items, err := nested(root, itemsBucket)
	if err != nil {
		return err
	}
	return items.ForEach(func(key, record []byte) error {
		i, _, err := decodeRecord(record)
		if err != nil {
			return err
		}
		for _, name := range x.Key.names() {
			v := i[name]
			if v.Kind != t.kind(name) || emptyKey(v, "", "") != nil {
				return nil
			}
		}
		if x.Key.checkSize(i) != nil {
			return nil
		}
		return b.Put(x.entry(i, key), bytes.Clone(key))
	})
}

// describe is the reply's TableDescription, in which the change is still under way.
func (c *tableChange) describe(s *Service, counted contents) object {
	t := *c.table
	t.Throughput.Read, t.Throughput.Write = c.was.Throughput.Read, c.was.Throughput.Write
	t.Throughput.Decreases = c.was.Throughput.Decreases
	if c.deleted != nil {
		t.Indexes = append(slices.Clone(t.Indexes), *c.deleted)
	}
	d := s.describe(&t, counted)
	d["TableStatus"] = "UPDATING"
	indexes, _ := d["GlobalSecondaryIndexes"].([]object)
	for _, x := range indexes {
		if c.created != nil && x["IndexName"] == c.created.Name {
			x["IndexStatus"], x["Backfilling"] = "CREATING", false
		}
		if c.deleted != nil && x["IndexName"] == c.deleted.Name {
			x["IndexStatus"] = "DELETING"
		}
	}
	return d
}

package dynamodb

import (
	"bytes"
	"slices"

	"go.etcd.io/bbolt"
)

// tableChange is an UpdateTable under way: the definition that was and the one it makes, and the indexes that come and go.
type tableChange struct {
	request    request
	was, table *table
	created    *index
	deleted    *index
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
	t, ok := s.tables[r.table()]
	if !ok {
		return nil, namedTableNotFound(r.table())
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

func (s *Service) changeTable(t *table, r request) (*tableChange, error) {
	changed := *t
	changed.Indexes = slices.Clone(t.Indexes)
	c := &tableChange{request: r, was: t, table: &changed}
	if err := s.changeBilling(&changed, r); err != nil {
		return nil, err
	}
	if err := s.changeSettings(&changed, r); err != nil {
		return nil, err
	}
	for _, u := range r.objects("GlobalSecondaryIndexUpdates") {
		if err := s.changeIndex(c, u); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// changeSettings changes what is neither billing nor an index.
func (s *Service) changeSettings(t *table, r request) error {
	now := s.clock.Now().UTC()
	// The class that a table has from the start is not described, and asking for it changes nothing.
	if class := r.str("TableClass"); class != "" && class != t.Class && !(class == "STANDARD" && t.Class == "") {
		t.Class, t.ClassSet = class, now
	}
	if r.has("DeletionProtectionEnabled") {
		t.Protected = r.boolean("DeletionProtectionEnabled")
	}
	if err := s.changeEncryption(t, r.object("SSESpecification")); err != nil {
		return err
	}
	if err := t.changeStream(r.object("StreamSpecification"), now); err != nil {
		return err
	}
	if err := checkOnDemand(r, t.BillingMode, "", true); err != nil {
		return err
	}
	t.OnDemand = changeOnDemand(t.OnDemand, r)
	if r.has("WarmThroughput") {
		warm, err := changeWarm(r, warmth(t.Warm, t.BillingMode, t.Throughput), "table")
		if err != nil {
			return err
		}
		t.Warm = warm
	}
	return nil
}

func (s *Service) changeBilling(t *table, r request) error {
	mode := r.str("BillingMode")
	if mode == "" && t.BillingMode == "PAY_PER_REQUEST" && r.has("ProvisionedThroughput") {
		return invalidParameter("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	}
	if mode != "" && mode != t.BillingMode {
		if err := s.switchBilling(t, r, mode); err != nil {
			return err
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
	t.Warm = raised(warmth(t.Warm, t.BillingMode, t.Throughput), &want)
	t.Throughput = s.changedThroughput(t.Throughput, want)
	return nil
}

// switchBilling changes the billing mode. Every index needs capacity of its own when it becomes PROVISIONED.
func (s *Service) switchBilling(t *table, r request, mode string) error {
	t.BillingMode = mode
	if mode == "PAY_PER_REQUEST" {
		t.BillingSet = s.clock.Now().UTC()
		t.Warm, t.Throughput = raised(t.Throughput, t.Warm), throughput{}
		for i := range t.Indexes {
			if x := &t.Indexes[i]; x.Global {
				x.Warm, x.Throughput = raised(x.Throughput, x.Warm), throughput{}
			}
		}
		return nil
	}
	t.Warm, t.OnDemand = raised(throughput{Read: warmReads, Write: warmWrites}, t.Warm), nil
	given := map[string]bool{}
	for _, u := range r.objects("GlobalSecondaryIndexUpdates") {
		action := u.object("Update")
		given[action.str("IndexName")] = action.has("ProvisionedThroughput")
	}
	for i := range t.Indexes {
		x := &t.Indexes[i]
		if !x.Global {
			continue
		}
		if !given[x.Name] {
			return invalidParameter("ProvisionedThroughput must be specified for index: %s", x.Name)
		}
		x.Warm, x.OnDemand = raised(throughput{Read: warmReads, Write: warmWrites}, x.Warm), nil
	}
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
		if !t.contains(x, i) || x.Key.checkSize(i) != nil {
			return nil
		}
		for _, name := range x.Key.names() {
			if emptyKey(i[name], "", "") != nil {
				return nil
			}
		}
		return b.Put(t.entry(x, i, key), bytes.Clone(key))
	})
}

// describe is the reply's TableDescription, in which the change is still under way: it has the capacity, the class and
// the key of encryption from before.
func (c *tableChange) describe(s *Service, counted contents) object {
	t := *c.table
	t.Throughput.stillIs(c.was.Throughput)
	t.Indexes = slices.Clone(t.Indexes)
	for i := range t.Indexes {
		if x := &t.Indexes[i]; c.was.index(x.Name) != nil {
			x.Throughput.stillIs(c.was.index(x.Name).Throughput)
		}
	}
	if c.deleted != nil {
		t.Indexes = append(t.Indexes, *c.deleted)
	}
	r := c.request
	if r.has("TableClass") {
		t.Class, t.ClassSet = c.was.Class, c.was.ClassSet
	}
	d := s.describe(&t, counted)
	if len(present(r, []string{"BillingMode", "ProvisionedThroughput", "StreamSpecification", "TableClass"})) > 0 || c.created != nil || c.deleted != nil {
		d["TableStatus"] = "UPDATING"
	}
	if r.has("SSESpecification") {
		d["SSEDescription"] = s.describeEncryptionChange(c.was)
	}
	d.set("OnDemandThroughput", describeOnDemandChange(t.OnDemand, r))
	if !t.BillingSet.Equal(c.was.BillingSet) {
		d["BillingModeSummary"] = object{"BillingMode": t.BillingMode} // not yet with the time of its change
	}
	c.describeIndexChanges(d)
	return d
}

// stillIs takes back what a change has not brought about yet.
func (t *throughput) stillIs(was throughput) {
	t.Read, t.Write, t.Decreases = was.Read, was.Write, was.Decreases
}

func (c *tableChange) describeIndexChanges(d object) {
	status := map[string]string{}
	for _, u := range c.request.objects("GlobalSecondaryIndexUpdates") {
		if u.has("Update") {
			status[u.object("Update").str("IndexName")] = "UPDATING"
		}
	}
	if c.created != nil {
		status[c.created.Name] = "CREATING"
	}
	if c.deleted != nil {
		status[c.deleted.Name] = "DELETING"
	}
	indexes, _ := d["GlobalSecondaryIndexes"].([]object)
	for _, x := range indexes {
		name, _ := x["IndexName"].(string)
		if status[name] != "" {
			x["IndexStatus"] = status[name]
		}
		if status[name] == "CREATING" {
			x["Backfilling"] = false
		}
	}
}

package dynamodb

import "slices"

func (s *Service) changeIndex(c *tableChange, u request) error {
	switch {
	case u.has("Create"):
		return c.createIndex(u.object("Create"))
	case u.has("Delete"):
		return c.deleteIndex(u.object("Delete").str("IndexName"))
	}
	spec := u.object("Update")
	x, err := c.globalIndex(spec.str("IndexName"), "update")
	if err != nil {
		return err
	}
	mode := c.table.BillingMode
	if mode == "PAY_PER_REQUEST" && (spec.has("ProvisionedThroughput") || readUnits(spec, onDemandUnits) == nil && !spec.has("WarmThroughput")) {
		return invalidParameter("The only Updates for index: %s when TableThroughputMode is PAY_PER_REQUEST can be to OnDemandThroughput, WarmThroughput", x.Name)
	}
	if err := checkOnDemand(spec, mode, x.Name, true); err != nil {
		return err
	}
	x.OnDemand = changeOnDemand(x.OnDemand, spec)
	if spec.has("WarmThroughput") {
		if x.Warm, err = changeWarm(spec, warmth(x.Warm, mode, x.Throughput), "index "+x.Name); err != nil {
			return err
		}
	}
	if spec.has("ProvisionedThroughput") {
		return s.changeIndexThroughput(x, spec)
	}
	return nil
}

func (s *Service) changeIndexThroughput(x *index, spec request) error {
	want := readThroughput(spec)
	if want.Read == x.Throughput.Read && want.Write == x.Throughput.Write {
		return invalid("The provisioned throughput for the index %s will not change. The requested value equals the current value. "+
			"Current ReadCapacityUnits provisioned for the index: %d. Requested ReadCapacityUnits: %d. "+
			"Current WriteCapacityUnits provisioned for the index: %d. Requested WriteCapacityUnits: %d. "+
			"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
			x.Name, x.Throughput.Read, want.Read, x.Throughput.Write, want.Write)
	}
	x.Warm = raised(warmth(x.Warm, "PROVISIONED", x.Throughput), &want)
	x.Throughput = s.changedThroughput(x.Throughput, want)
	return nil
}

// globalIndex finds the index that an update names; what the update would do with it goes into the error.
func (c *tableChange) globalIndex(name, what string) (*index, error) {
	x := c.table.index(name)
	switch {
	case x == nil:
		return nil, failure("ResourceNotFoundException", "Requested resource not found: Index %s for table %s", name, c.table.Name)
	case !x.Global:
		return nil, invalid("Cannot %s an index that is not a GlobalSecondaryIndex: %s", what, name)
	}
	return x, nil
}

func (c *tableChange) createIndex(spec request) error {
	t := c.table
	name := spec.str("IndexName")
	if t.index(name) != nil {
		return invalid("Attempting to create an index which already exists")
	}
	if err := c.checkNewIndex(spec); err != nil {
		return err
	}
	given := readAttributes(c.request)
	d := definition{attributes: given, key: t.Key, indexes: slices.Clone(t.Indexes)}
	if err := d.readGlobalIndex(spec); err != nil {
		return err
	}
	if err := d.readProjection(len(t.Indexes), spec); err != nil {
		return err
	}
	global := 0
	for _, x := range d.indexes {
		if x.Global {
			global++
		}
	}
	if global > maxGlobalIndexes {
		return failure("LimitExceededException", "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of %d", maxGlobalIndexes)
	}
	attributes, err := t.withAttributes(d.indexes[len(d.indexes)-1].Key, given)
	if err != nil {
		return err
	}
	t.Attributes, t.Indexes = attributes, d.indexes
	c.created = t.index(name)
	return d.checkNonKeyCount()
}

// checkNewIndex checks the capacity of an index that is to be created, and that its key is defined in the request: the
// definitions that the table has do not count.
func (c *tableChange) checkNewIndex(spec request) error {
	name, mode := spec.str("IndexName"), c.table.BillingMode
	given := spec.has("ProvisionedThroughput")
	switch {
	case !c.request.has("AttributeDefinitions"):
		return invalidParameter("AttributeDefinitions is not specified for index: %s", name)
	case mode == "PAY_PER_REQUEST" && given:
		return invalidParameter("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: %s when BillingMode is PAY_PER_REQUEST", name)
	case mode == "PROVISIONED" && !given:
		return invalidParameter("Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: %s", name)
	}
	if err := checkThroughput(spec, mode, name); err != nil {
		return err
	}
	if err := checkOnDemand(spec, mode, name, false); err != nil {
		return err
	}
	return checkWarm(spec, mode, "index "+name)
}

// withAttributes are the table's definitions and those of the given ones that the key of a new index uses; others are
// passed over, whatever they say. A key attribute keeps the type it has.
func (t *table) withAttributes(key keySchema, given []attributeDefinition) ([]attributeDefinition, error) {
	out := slices.Clone(t.Attributes)
	for _, a := range given {
		if !key.has(a.Name) {
			continue
		}
		i := slices.IndexFunc(out, func(b attributeDefinition) bool { return b.Name == a.Name })
		switch {
		case i < 0:
			out = append(out, a)
		case out[i].Type != a.Type:
			return nil, invalidParameter("Attributes cannot be redefined. Please check that your attribute has the same type as previously defined. "+
				"Existing schema: Schema:[SchemaElement: key{%s:%s:%s}] New schema: Schema:[SchemaElement: key{%s:%s:%s}]",
				a.Name, out[i].Type, t.role(a.Name), a.Name, a.Type, key.role(a.Name))
		}
	}
	return out, nil
}

// role is the kind of key that an attribute is part of first, in the table or in an index.
func (t *table) role(name string) any {
	if t.Key.has(name) {
		return t.Key.role(name)
	}
	for i := range t.Indexes {
		if t.Indexes[i].Key.has(name) {
			return t.Indexes[i].Key.role(name)
		}
	}
	return nil
}

func (k keySchema) role(name string) any {
	for _, element := range describeKey(k) {
		if element["AttributeName"] == name {
			return element["KeyType"]
		}
	}
	return nil
}

func (c *tableChange) deleteIndex(name string) error {
	t := c.table
	x, err := c.globalIndex(name, "delete")
	if err != nil {
		return err
	}
	gone := *x
	c.deleted = &gone
	t.Indexes = slices.DeleteFunc(t.Indexes, func(o index) bool { return o.Name == name })
	t.Attributes = slices.DeleteFunc(slices.Clone(t.Attributes), func(a attributeDefinition) bool {
		return !t.Key.has(a.Name) && !slices.ContainsFunc(t.Indexes, func(o index) bool { return o.Key.has(a.Name) })
	})
	return nil
}
